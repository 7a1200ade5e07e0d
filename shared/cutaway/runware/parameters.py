"""What each kind of wire parameter may hold, checked before anything is sent or done.

JSON's types are kept apart: a truth value is no number, and neither is a text. Each check brings
the JSON Schema of what it lets through, for who has to tell it before it is tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeGuard, TypeVar

from cutaway.errors import OptionError

__all__ = [
    "Check",
    "Parameter",
    "address",
    "checked",
    "choice",
    "choices",
    "colour",
    "encoded",
    "json_object",
    "named_values",
    "refused",
    "switch",
    "text",
    "uuid",
    "whole",
]

Kept = TypeVar("Kept")

_UUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ADDRESS = r"[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*"
_SHOWN = 40
"""How much of a text that can't be used is told."""

_LARGEST_SHOWN = 10**15


@dataclass(frozen=True, slots=True)
class Check(Generic[Kept]):
    """Takes the name to tell and a value; returns it as it is kept, or raises `OptionError`.

    Attributes:
        schema: What it lets through, as JSON Schema; null, which is no value, aside.
        read: The check itself.
    """

    schema: Mapping[str, Any]
    read: Callable[[str, object], Kept]

    def __call__(self, name: str, value: object) -> Kept:
        """The value as it is kept."""
        return self.read(name, value)


def _takes(**schema: Any) -> Callable[[Callable[[str, object], Kept]], Check[Kept]]:  # noqa: ANN401  (JSON's values)
    """Make a function a check that tells what it lets through."""
    return lambda read: Check(schema, read)


class Parameter(NamedTuple):
    """A parameter of the wire: its name there, and what it may hold."""

    wire: str
    check: Check[Any]


def checked(
    table: Mapping[str, Parameter], values: Mapping[str, object], *, wire: bool = False
) -> dict[str, Any]:
    """Check values by their Python names; those that are None are left out.

    Args:
        table: The parameters, by their Python names.
        values: What they hold.
        wire: Whether an error tells the wire's name, not Python's.

    Raises:
        OptionError: a value can't be used.
    """
    return {
        name: parameter.check(parameter.wire if wire else name, values[name])
        for name, parameter in table.items()
        if values.get(name) is not None
    }


def encoded(table: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Checked values by their names on the wire, as JSON has them; those that are None left out."""
    pairs = ((parameter.wire, values.get(name)) for name, parameter in table.items())
    return {
        wire: list(value) if isinstance(value, tuple) else value
        for wire, value in pairs
        if value is not None
    }


def refused(name: str, wanted: str, value: object) -> OptionError:
    """Make the error for a value that isn't what is wanted, or isn't there."""
    if value is None:
        return OptionError(f"{name} is missing", f"it must be {wanted}", "Give it and try again")
    return OptionError(
        f"{name} can't be used",
        f"it must be {wanted}, not {_told(value)}",
        "Change it and try again",
    )


@_takes(type="boolean")
def switch(name: str, value: object) -> bool:
    """Check a truth value."""
    if not isinstance(value, bool):
        raise refused(name, "true or false", value)
    return value


def whole(low: int, high: int | None = None) -> Check[int]:
    """Make the check for a whole number from `low` to `high`."""
    wanted = f"a whole number, {low} or more" if high is None else f"a whole number {low}..{high}"
    bounds = {"minimum": low} if high is None else {"minimum": low, "maximum": high}

    @_takes(type="integer", **bounds)
    def check(name: str, value: object) -> int:
        if not _is_whole(value, low, high):
            raise refused(name, wanted, value)
        return value

    return check


def choice(*allowed: str) -> Check[str]:
    """Make the check for one of some words."""

    @_takes(type="string", enum=list(allowed))
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise refused(name, _listed(allowed), value)
        return str(value)

    return check


def choices(*allowed: str) -> Check[str | tuple[str, ...]]:
    """Make the check for one of some words, or for several of them: these are kept as a tuple."""
    one = choice(*allowed)

    @_takes(anyOf=[one.schema, {"type": "array", "items": one.schema, "minItems": 1}])
    def check(name: str, value: object) -> str | tuple[str, ...]:
        if isinstance(value, (list, tuple)) and value:
            return tuple(one(name, part) for part in value)
        return str(one(name, value))

    return check


@_takes(type="string", pattern=r"\S")
def text(name: str, value: object) -> str:
    """Check a text that isn't empty; it is never shown, since it may be a whole picture."""
    if not isinstance(value, str):
        raise refused(name, "a text", value)
    if not value or value.isspace() or not _can_be_sent(value):
        raise OptionError(
            f"{name} can't be used",
            "it is empty, or can't be sent as text",
            "Change it and try again",
        )
    return value


@_takes(type="string", format="uuid", pattern=f"^{_UUID}$")
def uuid(name: str, value: object) -> str:
    """Check a UUID of any version, in any letter case."""
    if not isinstance(value, str) or not re.fullmatch(_UUID, value):
        raise refused(name, "a UUID (8-4-4-4-12 hexadecimal digits)", value)
    return value


@_takes(type="string", format="uri", pattern=f"^{_ADDRESS}$")
def address(name: str, value: object) -> str:
    """Check an http or https URL; it is never shown, since it may carry a token."""
    if not isinstance(value, str):
        raise refused(name, "a URL", value)
    if not re.fullmatch(_ADDRESS, value) or not _can_be_sent(value):
        raise OptionError(
            f"{name} can't be used", "it must be an http or https URL", "Change it and try again"
        )
    return value


@_takes(
    type="array",
    prefixItems=[
        *[{"type": "integer", "minimum": 0, "maximum": 255}] * 3,
        {"type": "number", "minimum": 0, "maximum": 1},
    ],
    minItems=4,
    maxItems=4,
)
def colour(name: str, value: object) -> tuple[int, int, int, float]:
    """Check red, green and blue 0..255 and alpha 0..1, kept as a tuple of the same numbers."""
    match value:
        case [red, green, blue, int() | float() as alpha] if (
            _is_byte(red)
            and _is_byte(green)
            and _is_byte(blue)
            and not isinstance(alpha, bool)
            and 0 <= alpha <= 1
        ):
            return red, green, blue, alpha
    raise refused(name, "red, green and blue 0..255 and an alpha 0..1", value)


@_takes(type="object")
def named_values(name: str, value: object) -> Mapping[str, Any]:
    """Check that a value is an object, whatever its values."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refused(name, "an object of names with values", value)
    return value


@_takes(type="object")
def json_object(name: str, value: object) -> Mapping[str, Any]:
    """Check an object, all of which JSON must be able to hold."""
    values = named_values(name, value)
    try:
        json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionError(
            f"{name} can't be used", "JSON can't hold what is in it", "Change it and try again"
        ) from error
    return values


def _is_whole(value: object, low: int, high: int | None) -> TypeGuard[int]:
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and low <= value
        and (high is None or value <= high)
    )


def _is_byte(value: object) -> TypeGuard[int]:
    return _is_whole(value, 0, 255)


def _can_be_sent(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _told(value: object) -> str:
    if isinstance(value, str):
        cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        return repr(cut)
    if value is None or isinstance(value, (bool, float, Decimal)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST_SHOWN else "so large a number"
    return f"a {type(value).__name__}"
