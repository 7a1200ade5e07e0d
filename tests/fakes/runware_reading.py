"""How the fake service reads a task, by its own understanding of both dialects.

It is strict, so that a client that mixes the dialects or invents a parameter is told.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PRICES", "Refusal", "Removal", "read_removal", "read_uuid"]

PRICES = {
    "runware:109@1": Decimal("0.0006"),
    "runware:110@1": Decimal("0.0006"),
    **{f"runware:112@{n}": Decimal("0.0006") for n in (1, 2, 3, 5, 6, 7, 8, 9, 10)},
    "bria:2@1": Decimal("0.018"),
    "ideogram:remove-background@0": Decimal("0.01"),
}
"""US dollars a picture, by the AIR of every model that the fake knows."""

_SLUGS = {"birefnet-v1-base-cod": "runware:112@2", "rembg-v1-4": "runware:109@1"}
_REMBG = "runware:109@1"
_NUMBERS = {
    "alphaMattingForegroundThreshold",
    "alphaMattingBackgroundThreshold",
    "alphaMattingErodeSize",
}
_SETTINGS = {"rgba", "postProcessMask", "returnOnlyMask", "alphaMatting", *_NUMBERS}
_COMMON = {
    "taskType",
    "taskUUID",
    "model",
    "outputType",
    "outputFormat",
    "outputQuality",
    "webhookURL",
    "includeCost",
    "settings",
    "providerSettings",
    "safety",
}
_NEW = _COMMON | {"inputs", "deliveryMethod", "uploadEndpoint", "ttl", "routing"}
_LEGACY = _COMMON | {"inputImage", *_SETTINGS}
_TYPES = ("URL", "base64Data", "dataURI")
_FORMATS = ("JPG", "PNG", "WEBP")


class Refusal(Exception):
    """The service doesn't take a task: the fields of the error."""

    def __init__(self, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.fields = {"code": code, "message": message, **fields}


@dataclass(frozen=True, slots=True)
class Removal:
    """A removal as the service understands it, whatever the dialect.

    Attributes:
        image: The picture as it was named: UUID, URL, data URI or base64.
        parameter: The wire's name of that.
        output_types: How the result is wanted, in one way or more.
        settings: The mask settings by their wire names.
        waits: Whether the result is to be in the answer.
        tells_cost: Whether the result says what it cost.
    """

    task_uuid: str
    image: str
    parameter: str
    model: str
    output_types: Sequence[str]
    output_format: str
    output_quality: int
    settings: Mapping[str, Any]
    waits: bool
    tells_cost: bool

    @property
    def price(self) -> Decimal:
        """What it costs, in US dollars."""
        return PRICES[self.model]


def read_removal(message: Mapping[str, Any]) -> Removal:
    """Read a `removeBackground` or an `imageBackgroundRemoval`.

    Raises:
        Refusal: a parameter is missing, unknown or out of range.
    """
    legacy = message["taskType"] == "imageBackgroundRemoval"
    for name in message.keys() - (_LEGACY if legacy else _NEW):
        raise _refused("unsupportedParameter", name, f"Unsupported use of '{name}' parameter.")
    model = _model(message, _REMBG if legacy else None)
    parameter = "inputImage" if legacy else "inputs.image"
    types = message.get("outputType", "URL")
    return Removal(
        task_uuid=read_uuid(message),
        image=_image(message.get("inputImage") if legacy else message.get("inputs"), parameter),
        parameter=parameter,
        model=model,
        output_types=_among(types if isinstance(types, list) else [types], _TYPES, "outputType"),
        output_format=_among([message.get("outputFormat", "PNG")], _FORMATS, "outputFormat")[0],
        output_quality=_number(message.get("outputQuality", 95), 20, 99, "outputQuality"),
        settings=_settings(message, model),
        waits=_waits(message),
        tells_cost=not legacy or message.get("includeCost") is True,
    )


def read_uuid(message: Mapping[str, Any]) -> str:
    """The task's UUID.

    Raises:
        Refusal: it has none, or it isn't one of version 4.
    """
    given = message.get("taskUUID")
    try:
        if isinstance(given, str) and uuid.UUID(given).version == 4:
            return given
    except ValueError:
        pass
    raise _refused("invalidTaskUUID", "taskUUID", "'taskUUID' must be a UUID v4.")


def _model(message: Mapping[str, Any], usual: str | None) -> str:
    given = message.get("model", usual)
    if given is None:
        raise _refused("missingModel", "model", "'model' is required.")
    model = _SLUGS.get(given, given)
    if model not in PRICES:
        said = f"Invalid value for 'model' parameter: {given}."
        raise _refused("invalidModel", "model", said, allowedValues=sorted(PRICES))
    return str(model)


def _image(given: object, parameter: str) -> str:
    if parameter == "inputs.image":
        if not isinstance(given, dict) or given.keys() != {"image"}:
            raise _refused("invalidInputs", "inputs", "'inputs' must hold 'image' alone.")
        given = given["image"]
    if isinstance(given, str) and given:
        return given
    raise _refused("invalidInputImage", parameter, f"'{parameter}' must be a string.")


def _settings(message: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    flat = {name: message[name] for name in message.keys() & _SETTINGS}
    settings: dict[str, Any] = flat | message.get("settings", {})
    for name in settings.keys() - _SETTINGS:
        raise _refused("unsupportedParameter", f"settings.{name}", f"There is no '{name}'.")
    if settings and model != _REMBG:
        raise _refused("unsupportedParameter", "settings", f"{model} takes no 'settings'.")
    providers = set(message.get("providerSettings", ()))
    if providers - {model.partition(":")[0]}:
        raise _refused("mismatchProviderSettingsProvider", "providerSettings", "Not its own.")
    for name in _NUMBERS & settings.keys():
        _number(settings[name], 1, 255, f"settings.{name}")
    return settings


def _waits(message: Mapping[str, Any]) -> bool:
    method = _among([message.get("deliveryMethod", "sync")], ("sync", "async"), "deliveryMethod")
    if "ttl" in message:
        _number(message["ttl"], 60, None, "ttl")
        if "URL" not in message.get("outputType", "URL"):
            raise _refused("incompatibleParameters", "ttl", "'ttl' goes with outputType URL only.")
    return method[0] == "sync" and "webhookURL" not in message


def _among(given: Sequence[object], allowed: Sequence[str], parameter: str) -> list[str]:
    if not given or any(value not in allowed for value in given):
        code = f"invalid{parameter[0].upper()}{parameter[1:]}"
        said = f"Invalid value for '{parameter}' parameter."
        raise _refused(code, parameter, said, allowedValues=list(allowed))
    return [str(value) for value in given]


def _number(given: object, least: int, most: int | None, parameter: str) -> int:
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or given < least or (most is not None and given > most):  # type: ignore[operator]
        limits = {"min": least} if most is None else {"min": least, "max": most}
        said = f"Invalid value for '{parameter}' parameter."
        raise _refused("valueOutOfRange", parameter, said, type="integer", **limits)
    return int(given)  # type: ignore[call-overload, no-any-return]


def _refused(code: str, parameter: str, message: str, **fields: object) -> Refusal:
    page = "https://runware.ai/docs/models/birefnet-v1-base-cod"
    kind = {"type": "string", **fields}
    return Refusal(code, message, parameter=parameter, documentation=page, **kind)
