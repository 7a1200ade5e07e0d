"""The one place where what went wrong becomes what a person reads: what, why, and what to do."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from gi.repository import Gimp, GLib

from cutaway_gimp.plug_in.arguments import WrongArgument
from cutaway_gimp.plug_in.layers import Refused
from cutaway_gimp.plug_in.removal import Unfinished
from cutaway_gimp.plug_in.translation import _
from cutaway_gimp.plug_in.worker_process import (
    NotInstalled,
    OtherVersion,
    WorkerEnded,
    WorkerRefused,
    WorkerSilent,
    in_flatpak,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Verdict", "text_of"]

_WRONG_ARGUMENT_CODES = ("option", "config", "unknown-model")
_OVERRIDE = "flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP"


class Verdict:
    """How a call ended; as a context manager it makes every failure one that GIMP can show.

    Attributes:
        status: The status for GIMP.
        text: What a person reads if it failed.
    """

    def __init__(self) -> None:
        self.status = Gimp.PDBStatusType.SUCCESS
        self.text = ""

    def __enter__(self) -> Verdict:  # noqa: PYI034  (Python 3.9 has no Self)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.status, self.text = _status(error), text_of(error)
        return isinstance(error, Exception)


def text_of(error: Exception) -> str:
    """What a person reads of a failure, translated as far as it is ours to tell."""
    if isinstance(error, Unfinished) and isinstance(error.__cause__, Exception):
        return _of_some(error, error.__cause__)
    if isinstance(error, (Refused, WrongArgument)):
        return str(error)
    if isinstance(error, WorkerRefused):
        return f"{error.text} ({error.task_uuid})" if error.task_uuid else error.text
    if isinstance(error, GLib.Error):
        return _("GIMP couldn't do it: {reason}").format(reason=error.message)
    return _of_worker(error) or _of_a_fault(error)


def _status(error: Exception) -> Gimp.PDBStatusType:
    wrong = isinstance(error, WrongArgument) or (
        isinstance(error, WorkerRefused) and error.code in _WRONG_ARGUMENT_CODES
    )
    return Gimp.PDBStatusType.CALLING_ERROR if wrong else Gimp.PDBStatusType.EXECUTION_ERROR


def _of_some(error: Unfinished, cause: Exception) -> str:
    if error.count == 1:
        return text_of(cause)
    message = _("“{layer}” failed. {reason}\nLayers done before it: {done} of {count}.")
    facts = {"layer": error.layer, "done": error.done, "count": error.count}
    return message.format(reason=text_of(cause), **facts)


def _of_worker(error: Exception) -> str:
    """The text of a failure to work with the worker at all; empty if it is none."""
    again = _("Run this in a terminal, and try again: {command}").format(
        command="cutaway gimp install"
    )
    if isinstance(error, NotInstalled):
        return _("Cutaway wasn't found. {advice}\n({reason})").format(advice=again, reason=error)
    if isinstance(error, OtherVersion):
        return _("This plug-in and Cutaway are of different versions. {advice}").format(
            advice=again
        )
    if isinstance(error, WorkerSilent):
        return _("Cutaway was started and doesn't answer. {advice}").format(advice=again)
    if isinstance(error, WorkerEnded):
        return _of_ended(error, again)
    return ""


def _of_ended(error: WorkerEnded, again: str) -> str:
    log = error.log or _("It left no word why.")
    if in_flatpak() and ("flatpak" in log.lower() or "portal" in log.lower()):
        message = _(
            "Flatpak doesn't let GIMP start Cutaway. Allow it, and start GIMP again: {command}"
        )
        return message.format(command=_OVERRIDE)
    message = _("Cutaway ended unexpectedly (code {code}). {advice}\n{log}")
    return message.format(code=error.code, advice=again, log=log)


def _of_a_fault(error: Exception) -> str:
    """A fault of ours, told in full to the terminal that GIMP was started from."""
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    message = _("The plug-in failed unexpectedly, which is a fault of its own: {fault}")
    return message.format(fault=f"{type(error).__name__}: {error}")
