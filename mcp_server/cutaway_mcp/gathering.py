"""From what a batch is given to the pictures in it, each with the place of its result."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway_mcp.failures import quoted, refusal
from cutaway_mcp.folders import whole
from cutaway_mcp.outputs import is_url, usual_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcp.server.mcpserver.exceptions import ToolError

    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy

__all__ = ["MOST", "Item", "items", "sources"]

MOST = 100
"""Pictures in one call."""

_ENDINGS = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_LONE = re.compile("[\ud800-\udfff]")
"""In names that are no text, which can't be told to anyone."""

_RESULTS = ("-cutout", "-mask", "-flattened")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a batch.

    Attributes:
        source: A path or a URL.
        output_path: Where its result goes, as the caller knows it.
    """

    source: str
    output_path: str


def sources(inputs: Iterable[str], folders: Folders) -> list[str]:
    """The pictures that are meant, each once: those named, and those in the folders named.

    Raises:
        ToolError: there are none, or too many, or a folder can't be read.
    """
    found: dict[str, None] = {}
    for text in inputs:
        found.update(dict.fromkeys(_meant(text, folders)))
        if len(found) > MOST:
            raise _too_many()
    if not found:
        raise refusal(
            "nothing was done",
            "there is no picture in the folders given",
            "Give the paths of pictures, or folders that hold some",
        )
    return list(found)


def items(
    found: Iterable[str], ending: str, output_folder: str | None, folders: Folders, policy: Policy
) -> list[Item]:
    """The pictures with the places of their results.

    Args:
        found: Paths and URLs.
        ending: What is added to each name, such as `cutout.png`.
        output_folder: Where all results go; None for the usual place of each.
        folders: What is allowed.
        policy: What the operator allows.

    Raises:
        ToolError: the output folder can't be used.
    """
    if output_folder is not None:
        folders.folder(output_folder)
        policy = replace(policy, output_dir=whole(output_folder))
    return [Item(one, str(usual_place(one, ending, folders, policy))) for one in found]


def _meant(text: str, folders: Folders) -> Iterator[str]:
    if is_url(text) or not folders.has_folder(text):
        yield text
        return
    try:
        names = sorted(one.name for one in os.scandir(folders.folder(text)) if _is_picture(one))
    except OSError as error:
        why = error.strerror or str(error)
        raise refusal(f"{quoted(text)} can't be read", why, "Check the folder") from error
    stems = {Path(name).stem for name in names}
    for name in names:
        if not _is_result(name, stems):
            yield str(whole(text) / name)


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return (
        Path(entry.name).suffix.lower() in _ENDINGS
        and not entry.name.startswith(".")
        and not _LONE.search(entry.name)
        and entry.is_file()
    )


def _is_result(name: str, stems: set[str]) -> bool:
    """Whether a file is what came of another one in its folder."""
    stem = Path(name).stem
    return any(stem.removesuffix(ending) in stems - {stem} for ending in _RESULTS)


def _too_many() -> ToolError:
    return refusal(
        "nothing was done",
        f"there are more than {MOST} pictures",
        f"Give at most {MOST} in a call, by their paths",
    )
