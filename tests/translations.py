"""The plug-in's translations, brought into step with its sources:

    python -m tests.translations        every language: template, catalogues, compiled catalogues
    python -m tests.translations fr     the same, and begin French

Then translate what is empty or marked fuzzy in locale/fr/LC_MESSAGES/cutaway.po, and run it again.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

if TYPE_CHECKING:
    from collections.abc import Sequence

PLUG_IN = Path(__file__).parent.parent / "gimp_plugin" / "cutaway_gimp" / "plug_in"
LOCALE = PLUG_IN / "locale"
TEMPLATE = LOCALE / "cutaway.pot"
_COMPILED = "cutaway.mo"
_HEADER = """\
# The texts of Cutaway's plug-in for GIMP.
# Copyright (C) The Cutaway authors; this file has Cutaway's own licence."""


def catalogues() -> list[Path]:
    """Every language's catalogue."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/cutaway.po"))


def compiled_of(path: Path) -> Path:
    """Where a catalogue is compiled to, which is what GIMP reads."""
    return path.with_name(_COMPILED)


def read(path: Path) -> Catalog:
    """A template or catalogue."""
    locale = None if path == TEMPLATE else path.parent.parent.name
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain="cutaway", abort_invalid=True)


def extracted() -> Catalog:
    """The template that the sources ask for, with the date of the one that is there."""
    catalogue = _empty(None)
    found = extract_from_dir(
        PLUG_IN, [("**.py", "python")], {}, {"_": None, "N_": None}, strip_comment_tags=True
    )
    for name, _line, message, comments, context in found:
        catalogue.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    if TEMPLATE.exists():
        catalogue.creation_date = read(TEMPLATE).creation_date
    return catalogue


def _empty(locale: str | None) -> Catalog:
    return Catalog(
        locale=locale,
        domain="cutaway",
        project="Cutaway",
        version="for GIMP",
        header_comment=_HEADER,
        msgid_bugs_address="as CONTRIBUTING.md tells",
        charset="utf-8",
        fuzzy=False,
    )


def text_of(catalogue: Catalog) -> bytes:
    """What is written of a template or catalogue."""
    out = io.BytesIO()
    write_po(
        out, catalogue, width=100, sort_by_file=True, include_lineno=False, ignore_obsolete=True
    )
    return out.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """What GIMP reads of a catalogue."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def brought_up(path: Path, template: Catalog) -> Catalog:
    """A language's catalogue with the messages that the template has."""
    catalogue = read(path)
    catalogue.update(template, update_header_comment=False)
    return catalogue


def begin(language: str) -> None:
    """Make a language's catalogue, without translations yet; one that is there is kept."""
    path = LOCALE / language / "LC_MESSAGES" / "cutaway.po"
    if not path.exists():
        path.parent.mkdir(parents=True)
        path.write_bytes(text_of(_empty(language)))


def main(languages: Sequence[str]) -> None:
    """Bring all into step."""
    for language in languages:
        begin(language)
    template = extracted()
    TEMPLATE.write_bytes(text_of(template))
    for path in catalogues():
        catalogue = brought_up(path, template)
        path.write_bytes(text_of(catalogue))
        compiled_of(path).write_bytes(compiled(catalogue))


if __name__ == "__main__":
    main(sys.argv[1:])
