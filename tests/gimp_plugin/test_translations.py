"""What a person reads of the plug-in, in every language that it speaks."""

from __future__ import annotations

import ast
import gettext
import re
from collections import Counter
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from cutaway import Client
from cutaway.backends import doubts
from cutaway.backends.local import NO_MODEL
from cutaway_gimp.plug_in.arguments import ARGUMENTS, OUTPUTS
from cutaway_gimp.plug_in.phrases import PURPOSES, REMARKS, STAGES
from tests import translations
from tests.conftest import ROOT
from tests.translations import PLUG_IN, TEMPLATE, catalogues, compiled_of, extracted, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from babel.messages.catalog import Catalog

RENEW = "run: python -m tests.translations"
HELP = sorted(PLUG_IN.glob("help/*/index.html"))
# The letters that GIMP's own buttons in the dialog have taken: OK, Cancel, Help, Reset, Load Saved
# Settings, Save Settings.
TAKEN = {"en": "ochrls", "de": "ochzgs"}

each_language = pytest.mark.parametrize(
    "catalogue", catalogues(), ids=[path.parent.parent.name for path in catalogues()]
)


def messages(catalogue: Catalog) -> set[str]:
    return {str(message.id) for message in catalogue if message.id}


def translated(path: Path) -> gettext.NullTranslations:
    with compiled_of(path).open("rb") as file:
        return gettext.GNUTranslations(file)


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def letters(labels: Iterator[str]) -> Counter[str]:
    return Counter(label[label.index("_") + 1].lower() for label in labels if "_" in label)


def labels() -> list[str]:
    return [argument.label for argument in ARGUMENTS]


def test_german_is_spoken():
    assert "de" in [path.parent.parent.name for path in catalogues()]


def test_the_template_has_what_the_sources_say():
    assert messages(read(TEMPLATE)) == messages(extracted()), RENEW


@each_language
def test_a_catalogue_has_what_the_template_has(catalogue: Path):
    assert messages(read(catalogue)) == messages(read(TEMPLATE)), RENEW


@each_language
def test_everything_is_translated_and_no_guess_is_left(catalogue: Path):
    lacking = [one.id for one in read(catalogue) if one.id and (not one.string or one.fuzzy)]
    assert lacking == []


@each_language
def test_what_gimp_reads_is_what_the_catalogue_says(catalogue: Path):
    spoken = translated(catalogue)
    for message in read(catalogue):
        if message.id:
            assert spoken.gettext(str(message.id)) == message.string, RENEW


@each_language
def test_a_translation_has_the_same_gaps_to_fill(catalogue: Path):
    for message in read(catalogue):
        if message.id:
            assert fields(str(message.string)) == fields(str(message.id))


@each_language
def test_every_label_of_the_dialog_has_a_letter_of_its_own(catalogue: Path):
    spoken = translated(catalogue)
    taken = TAKEN[catalogue.parent.parent.name]
    ours = letters(spoken.gettext(label) for label in labels() if "_" in label)
    assert len(ours) == len([label for label in labels() if "_" in label])
    assert not set(ours) & set(taken)


def test_every_label_has_a_letter_of_its_own_in_english():
    assert set(letters(iter(labels())).values()) == {1}
    assert not set(letters(iter(labels()))) & set(TAKEN["en"])


def test_a_new_language_begins_with_all_there_is_to_translate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    monkeypatch.setattr(translations, "TEMPLATE", tmp_path / "cutaway.pot")
    translations.main(["fr"])
    begun = tmp_path / "fr" / "LC_MESSAGES" / "cutaway.po"
    assert messages(read(begun)) == messages(extracted())
    assert 'Language: fr\\n"' in begun.read_text(encoding="utf-8")
    assert compiled_of(begun).is_file()
    before = begun.read_bytes()
    translations.main([])
    assert begun.read_bytes() == before


def test_every_stage_of_the_core_has_a_name_in_other_languages():
    said = set()
    for path in (ROOT / "shared" / "cutaway").rglob("*.py"):
        if not {"cli", "service"} & set(path.parts):
            said |= stages_in(path)
    unseen = {"download"}  # of a model's file, which the plug-in never starts
    assert said - unseen == set(STAGES)


def stages_in(path: Path) -> set[str]:
    calls = (
        n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)
    )
    return {
        str(call.args[0].value)
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "stage"
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def test_every_purpose_of_a_model_has_its_words_in_other_languages():
    with Client() as client:
        assert {model.good_for for model in client.models()} - {""} == set(PURPOSES)


def test_every_remark_of_the_core_has_its_words_in_other_languages():
    finishing = (ROOT / "shared" / "cutaway" / "client" / "finishing.py").read_text(
        encoding="utf-8"
    )
    said = {*doubts(0.25), NO_MODEL, *re.findall(r'return \["([^"]+)"\]', finishing)}
    assert said == {remark.format(confidence="0.25") for remark in REMARKS}


@pytest.mark.parametrize("page", HELP, ids=[page.parent.name for page in HELP])
def test_a_page_of_help_is_about_every_argument_under_the_dialogs_names(page: Path):
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    language = page.parent.name
    spoken = (
        gettext.NullTranslations()
        if language == "en"
        else translated(TEMPLATE.parent / language / "LC_MESSAGES" / "cutaway.po")
    )
    for argument in ARGUMENTS:
        told = f"<code>{argument.name}</code>"
        assert told in text or argument.name == "output", told
        assert spoken.gettext(argument.label).replace("_", "") in text
    for name, label in OUTPUTS.items():
        assert f"<em>{spoken.gettext(label)}</em> (<code>{name}</code>)" in text


def test_there_is_help_in_every_language():
    languages = {path.parent.parent.name for path in catalogues()}
    assert {page.parent.name for page in HELP} == {"en", *languages}
    for page in HELP:
        index = (page.parent / "gimp-help.xml").read_text(encoding="utf-8")
        assert 'id="plug-in-cutaway-remove-background" ref="index.html"' in index
