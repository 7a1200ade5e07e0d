"""Where a result goes whose place a call doesn't say, and how much may go there."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cutaway_mcp.failures import refusal
from cutaway_mcp.folders import whole

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy

__all__ = ["is_url", "room_for", "usual_place"]

_LONGEST_STEM = 80
_NAMELESS = "picture"


def is_url(source: str) -> bool:
    """Whether a text names something on the network, by any scheme."""
    return "://" in source[:20]


def usual_place(source: str, ending: str, folders: Folders, policy: Policy) -> Path:
    """Where a result goes if the call doesn't say.

    That is the output folder, if the operator named one; else beside the input, or, if that came
    from a URL, in the first allowed folder.

    Args:
        source: The input, as the call gives it.
        ending: What is added to the input's name, such as `cutout.png`.
        folders: What is allowed.
        policy: What the operator allows.

    Raises:
        ToolError: there is no such place.
    """
    name = f"{_stem(source)}-{ending}"
    if policy.output_dir is not None:
        return policy.output_dir.absolute() / name
    if not is_url(source):
        return whole(source).parent / name
    if not folders.allowed:
        raise refusal(
            "the result has no place",
            "the input came from a URL, and no folder is allowed",
            "Have the server's operator start it with --allow-dir FOLDER",
        )
    return folders.allowed[0] / name


def room_for(path: Path, policy: Policy) -> int | None:
    """Bytes that may still be written to a real path; None for any number.

    Raises:
        ToolError: the output folder is full.
    """
    if policy.output_dir is None or policy.output_max_size is None:
        return None
    folder = policy.output_dir.resolve()
    if not path.is_relative_to(folder):
        return None
    left = policy.output_max_size - _size_of(folder)
    if left <= 0:
        raise refusal(
            "the output folder is full",
            f"it may hold {policy.output_max_size} bytes (--output-max-size)",
            "Have results removed from it, or give an output_path elsewhere",
        )
    return left


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it may go away meanwhile
            status = path.lstat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return size


def _stem(source: str) -> str:
    """What a result is named after: a file's name without its ending, fit for any disk."""
    if not is_url(source):
        return whole(source).stem
    last = unquote(urlsplit(source).path).replace("\\", "/").rpartition("/")[2]
    stem = "".join(one for one in last if one.isprintable() and one not in '<>:"|?*')
    stem = stem.rpartition(".")[0] or stem
    return stem[:_LONGEST_STEM].strip(". ") or _NAMELESS
