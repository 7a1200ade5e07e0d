"""A service's log: one line of JSON for each record, without what is nobody's business."""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JsonLines", "journal", "public"]

_LOGGERS = {"cutaway.service": logging.INFO, "uvicorn.error": logging.WARNING}
"""Whose records are kept, and from which level on: our own, and those of the server below us."""

_IN_A_URL = re.compile(r"\b(?P<scheme>(?:https?|wss?)://)(?:[^\s/@\"']*@)?(?P<rest>[^\s?\"']*)")
_QUERY = re.compile(r"(?<=[^\s?\"'])\?[^\s\"']+")
_DATA_URI = re.compile(r"\bdata:[\w.+-]+/[\w.+-]+[^\s\"',]*,[^\s\"']*")


class JsonLines(logging.Formatter):
    """Writes a record as one line: `time`, `level`, `event`, and the facts it brings along.

    A record's facts are a dict, given to the logger as `extra={"facts": ...}`; one that would hide
    another part of the line is left out. Of a failure its traceback is told.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; ASCII, so that nothing in it can begin another one."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": public(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = public(self.formatException(record.exc_info))
        facts = getattr(record, "facts", {})
        return json.dumps({**facts, **line}, default=str)


def public(text: str) -> str:
    """A text without what may be secret in it: queries and users of URLs, and data URIs.

    A webhook's token is in its URL's query, and a picture may be anybody's.
    """
    text = _DATA_URI.sub("data:…", text)
    return _QUERY.sub("?…", _IN_A_URL.sub(r"\g<scheme>\g<rest>", text))


@contextmanager
def journal(stream: TextIO) -> Iterator[None]:
    """Have the service's log written to a stream, a line for each record, while this is open."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(one, one.level, one.propagate) for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(_LOGGERS[one.name])
        one.propagate = False
    try:
        yield
    finally:
        for one, level, propagate in before:
            one.removeHandler(handler)
            one.setLevel(level)
            one.propagate = propagate
