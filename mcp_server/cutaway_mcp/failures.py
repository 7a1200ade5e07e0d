"""The one place where what went wrong becomes what an agent reads.

A tool raises errors of the core's tree, or `refusal(...)`; nothing else is shown to a client. Any
other exception is a fault of ours: it is logged in full under a reference, and only that is told.
"""

from __future__ import annotations

import logging
import re
import secrets
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from mcp.server.mcpserver.exceptions import ToolError

if TYPE_CHECKING:
    from cutaway import CutawayError

__all__ = ["LONGEST", "crash", "harmless", "paid_for", "quoted", "refusal", "told"]

LONGEST = 1000
"""Bytes that a failure's text has at most."""

_LONGEST_NAME = 200
_logger = logging.getLogger("cutaway_mcp")


def refusal(what: str, why: str, next_step: str) -> ToolError:
    """A failure that was foreseen, as text: what happened, why, and what to do next."""
    return ToolError(_fitting(f"{what}: {why}. {next_step}."))


def told(error: CutawayError) -> ToolError:
    """An error of the core as text; what it quotes from outside is made harmless."""
    task = f" (task {error.task_uuid})" if error.task_uuid else ""
    return ToolError(_fitting(f"{error}{task}"))


def paid_for(task_uuid: str, error: Exception) -> ToolError:
    """A failure after a remote task was done, whose result must not be lost without a trace."""
    return ToolError(_fitting(f"{error} The remote task was done: {task_uuid}."))


def crash(tool: str, error: BaseException) -> ToolError:
    """A fault of ours: logged with a reference, by which the operator finds it."""
    reference = secrets.token_hex(4)
    _logger.error("%s failed unexpectedly, reference %s", tool, reference, exc_info=error)
    return ToolError(
        f"{tool} failed unexpectedly: it is a fault of the server. "
        f"Try other arguments, or give the operator the reference {reference} from its log."
    )


def quoted(text: object) -> str:
    """A name from outside as one line in quotes: control characters escaped, length capped."""
    plain = harmless(str(text))
    if len(plain) > _LONGEST_NAME:
        half = _LONGEST_NAME // 2
        plain = f"{plain[:half]}…{plain[-half:]}"
    return f"'{plain}'"


def harmless(text: str) -> str:
    """The text on one line, with nothing in it that is invisible or turns its direction."""
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character == " " or (
        character.isprintable() and unicodedata.category(character) not in {"Cf", "Zs"}
    ):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _fitting(text: str) -> str:
    """The text made harmless, shortened in its middle: its end says what to do next.

    The home folder's name, often a person's, is left out; its short form is taken as a path too.
    """
    short = re.sub(rf"(?<![\w.~-]){re.escape(_home())}(?![\w~-]|\.\w)", "~", text)
    data = harmless(short).encode(errors="backslashreplace")
    if len(data) <= LONGEST:
        return data.decode()
    half = (LONGEST - 3) // 2
    head = data[:half].decode(errors="ignore")
    return f"{head}…{data[-half:].decode(errors='ignore')}"


def _home() -> str:
    home = str(Path.home())
    return home if len(home) > 1 else "~"
