"""The project's Markdown pages, read for their examples, tables and links."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.conftest import ROOT

__all__ = ["PAGES", "Block", "anchors", "blocks", "links", "section", "table"]

PAGES = (
    "README.md",
    "docs/command-line.md",
    "docs/library.md",
    "docs/models.md",
    "docs/runware.md",
    "docs/agents.md",
    "docs/gimp.md",
    "docs/service.md",
)
"""Those that tell how to use Cutaway."""

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: `run` is False where its info string says `no-run`."""

    page: str
    line: int
    language: str
    run: bool
    body: str

    def __str__(self) -> str:
        """Its place, as an editor opens it."""
        return f"{self.page}:{self.line}"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    whole = text(page)
    found = []
    for match in _BLOCK.finditer(whole):
        language, _, mark = match["info"].partition(" ")
        assert mark in {"", "no-run"}, match["info"]
        line = whole.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, not mark, match["body"]))
    return found


def section(page: str, heading: str) -> str:
    """What stands below a heading (given with its #s), up to the next of its rank or above."""
    _, found, rest = f"\n{text(page)}".partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading}"
    rank = heading.count("#")
    return re.split(rf"^#{{1,{rank}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its own headings: stripped cells."""
    lines = section(page, heading).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead, but for those on the web."""
    targets = [match["target"] for match in _LINK.finditer(text(page))]
    return [target for target in targets if "://" not in target]


def anchors(page: str) -> set[str]:
    """What may stand after # in a link to a page, as GitHub makes it from the headings."""
    headings = [match["text"].lower() for match in _HEADING.finditer(text(page))]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}
