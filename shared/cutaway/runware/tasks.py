"""The background-removal task in both of Runware's dialects, and the small tasks around it.

A `RemovalTask` holds what a task asks for; `encode` writes it in the words of one dialect, `decode`
reads either. The new dialect (`removeBackground`) nests the picture under `inputs` and the mask
settings under `settings`; the legacy one (`imageBackgroundRemoval`) has both at the top level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from cutaway.catalogue.remote import remote_models
from cutaway.errors import CostRefused, OptionError
from cutaway.runware.mask_settings import MASK_SETTINGS, MaskSettings
from cutaway.runware.parameters import (
    Parameter,
    address,
    checked,
    choice,
    choices,
    encoded,
    json_object,
    named_values,
    refused,
    switch,
    text,
    uuid,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutaway.catalogue.remote import RemoteModel

__all__ = [
    "PARAMETERS",
    "DeliveryMethod",
    "Dialect",
    "MaskSettings",
    "OutputFormat",
    "OutputType",
    "RemovalTask",
    "WireParameters",
    "authentication",
    "check_cost",
    "check_settings",
    "decode",
    "encode",
    "legacy_upload",
    "ping",
    "poll",
    "price",
    "upload",
]

OutputType = Literal["URL", "base64Data", "dataURI"]
OutputFormat = Literal["JPG", "PNG", "WEBP"]
DeliveryMethod = Literal["sync", "async"]


class Dialect(StrEnum):
    """One of the two shapes of a background-removal task."""

    NEW = "new"
    LEGACY = "legacy"

    @property
    def task_type(self) -> str:
        """The `taskType` that stands for it in a request; replies may say either."""
        return _TASK_TYPES[self]


_TASK_TYPES = {Dialect.NEW: "removeBackground", Dialect.LEGACY: "imageBackgroundRemoval"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalTask:
    """One background to remove: every parameter of the wire; what is None is not sent.

    Attributes:
        task_uuid: The task's name for its whole life.
        image: A stored picture's UUID, a public URL, a data URI or base64.
        model: An AIR, such as `runware:112@2`; only the legacy dialect does without.
        output_type: How the result comes: one of URL, base64Data and dataURI, or several of them;
            the service's default is URL.
        output_format: JPG, PNG or WEBP. The documented default is JPG in the new dialect and PNG
            in the legacy one; JPG has no transparency.
        output_quality: 20..99, for JPG and WEBP; 95.
        webhook_url: Where the service posts the result; the answer is then an acknowledgement.
        delivery_method: sync, or async to poll for the result; sync. New dialect only.
        upload_endpoint: Where the service puts the result's bytes with HTTP PUT. New dialect only.
        ttl: Seconds that the result's URL lives, at least 60; only with the output type URL. New
            dialect only.
        include_cost: Tell the cost in the answer; False.
        settings: How to treat the mask, for the models that can.
        provider_settings: Settings of the model's provider, by its name.
        extra: Whatever else to send, by wire name; `inputs` and `settings` in it hold what else
            goes into these two.

    Raises:
        OptionError: a value is of another type, out of its range, or doesn't go with another.
    """

    task_uuid: str
    image: str = field(repr=False)
    model: str | None = None
    output_type: OutputType | tuple[OutputType, ...] | None = None
    output_format: OutputFormat | None = None
    output_quality: int | None = None
    webhook_url: str | None = field(default=None, repr=False)
    delivery_method: DeliveryMethod | None = None
    upload_endpoint: str | None = field(default=None, repr=False)
    ttl: int | None = None
    include_cost: bool | None = None
    settings: MaskSettings | None = None
    provider_settings: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        uuid("task_uuid", self.task_uuid)
        text("image", self.image)
        for name, value in checked(PARAMETERS, self.named).items():
            object.__setattr__(self, name, value)
        _check_lifetime("ttl", "output_type", self.named)
        _check_extra(self.extra)
        if not isinstance(self.settings, MaskSettings | None):
            raise refused("settings", "MaskSettings", self.settings)
        if self.settings == MaskSettings():
            object.__setattr__(self, "settings", None)

    @property
    def named(self) -> dict[str, Any]:
        """What is set, by its Python name; without the task's UUID, picture, settings and extra."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def output_types(self) -> tuple[OutputType, ...]:
        """Every form that the result is asked for in."""
        if isinstance(self.output_type, tuple):
            return self.output_type
        return (self.output_type or "URL",)


class WireParameters(TypedDict, total=False):
    """What a removal may ask of the wire, by name; see `RemovalTask`."""

    output_type: OutputType | Sequence[OutputType] | None
    output_format: OutputFormat | None
    output_quality: int | None
    webhook_url: str | None
    delivery_method: DeliveryMethod | None
    upload_endpoint: str | None
    ttl: int | None
    include_cost: bool | None
    settings: MaskSettings | None
    provider_settings: Mapping[str, Any] | None
    extra: Mapping[str, Any]


def encode(task: RemovalTask, dialect: Dialect) -> dict[str, Any]:
    """Write a task in the words of a dialect, as the JSON object to send.

    Raises:
        OptionError: the dialect has no word for a parameter, or the new one lacks its model.
    """
    message = {"taskType": dialect.task_type, "taskUUID": task.task_uuid}
    extra = dict(task.extra)
    inputs, settings = dict(extra.pop("inputs", {})), dict(extra.pop("settings", {}))
    native = task.settings.encode() if task.settings else {}
    if dialect is Dialect.NEW:
        _check_new(task)
        inputs = {"image": task.image, **inputs}
        settings = {**native, **settings}
    else:
        _check_legacy(task)
        message |= {"inputImage": task.image, **native}
    nested = {name: rest for name, rest in (("inputs", inputs), ("settings", settings)) if rest}
    return {**message, **nested, **encoded(PARAMETERS, task.named), **extra}


def decode(message: Mapping[str, Any]) -> tuple[RemovalTask, Dialect]:
    """Read a task of either dialect, whichever way real clients write it.

    The picture may be `inputs.image` or `inputImage`, and the settings nested, flat or both:
    nested ones win. `outputFormat` may be in any letter case, `outputType` a list, and the alpha of
    `rgba` more than 1, of 255. A null is taken for a parameter not sent, and what is unknown is
    kept in `extra`. A missing model is None: which one to take is the service's to say.

    Raises:
        OptionError: it is no such task, or a value can't be used; told by the wire's name.
    """
    dialect = _dialect_of(message.get("taskType"))
    inputs, nested = _nested(message, "inputs"), _nested(message, "settings")
    settings = checked(
        MASK_SETTINGS, _by_name(MASK_SETTINGS, _settings_of(message, nested)), wire=True
    )
    values = checked(PARAMETERS, _by_name(PARAMETERS, _read_format(message)), wire=True)
    _check_lifetime("ttl", "outputType", values)
    task = RemovalTask(
        task_uuid=uuid("taskUUID", message.get("taskUUID")),
        image=_image_of(message, inputs, dialect),
        settings=MaskSettings(**settings) if settings else None,
        extra=_unknown(message, inputs, nested),
        **values,
    )
    return task, dialect


def check_settings(task: RemovalTask, model: RemoteModel) -> None:
    """Make sure that a model takes what the task asks of it, before anything is sent.

    Of a model that isn't listed nothing is known: it gets what it is given.

    Raises:
        OptionError: it takes no such setting, or works on videos.
    """
    if model.video:
        raise OptionError(
            f"{model.air} can't be used", "it works on videos", "Choose a model for pictures"
        )
    if not model.listed:
        return
    asked = {} if task.settings is None else task.settings.named
    untaken = [name for name in asked if MASK_SETTINGS[name].wire not in model.settings]
    if untaken:
        able = [one.air for one in remote_models() if one.settings >= _SETTING_NAMES]
        raise OptionError(
            f"{model.air} takes no {', '.join(untaken)}",
            "it has no such settings",
            f"Leave it out, or choose {' or '.join(able)}",
        )
    _check_provider(task, model)


def price(task: RemovalTask, model: RemoteModel) -> Decimal | None:
    """What the task will cost, in US dollars; None where no one can say.

    Alpha matting done by the service costs more than the model's price, by an amount that Runware
    doesn't publish; and of what is in `extra` nothing is known.
    """
    matting = task.settings is not None and task.settings.alpha_matting
    return None if matting or task.extra else model.price


def check_cost(task: RemovalTask, model: RemoteModel, max_cost: Decimal | None) -> None:
    """Make sure that a task costs no more than `max_cost` US dollars; None allows any cost.

    Raises:
        CostRefused: it costs more, or its price isn't known.
        OptionError: `max_cost` is no amount of money.
    """
    if max_cost is None:
        return
    if not _is_money(max_cost):
        raise refused("max_cost", "a decimal number of US dollars, 0 or more", max_cost)
    cost = price(task, model)
    if cost is None:
        raise CostRefused(
            f"a task for {model.air} may cost more than ${max_cost}",
            "its price isn't known",
            "Choose a model whose price is known, or set no limit",
        )
    if cost > max_cost:
        raise CostRefused(
            f"a task for {model.air} costs more than was allowed",
            f"its price is ${cost}, the limit ${max_cost}",
            "Raise the limit, or choose another model",
        )


def poll(task_uuid: str) -> dict[str, Any]:
    """Ask how a task stands that was sent before; the question bears the task's own UUID."""
    return {"taskType": "getResponse", "taskUUID": task_uuid}


def upload(task_uuid: str, media: str) -> dict[str, Any]:
    """Store a picture with the service: a data URI, base64 or public URL."""
    return {
        "taskType": "mediaStorage",
        "taskUUID": task_uuid,
        "operation": "upload",
        "media": media,
    }


def legacy_upload(task_uuid: str, image: str) -> dict[str, Any]:
    """Store a picture with a service that knows only the older word for it."""
    return {"taskType": "imageUpload", "taskUUID": task_uuid, "image": image}


def authentication(key: str, session: str | None = None) -> dict[str, Any]:
    """Open a session on a WebSocket, or take up an earlier one by its UUID."""
    resumed = {"connectionSessionUUID": session} if session else {}
    return {"taskType": "authentication", "apiKey": key, **resumed}


def ping() -> dict[str, Any]:
    """Show that a session is alive."""
    return {"taskType": "ping", "ping": True}


PARAMETERS = {
    "model": Parameter("model", text),
    "output_type": Parameter("outputType", choices("URL", "base64Data", "dataURI")),
    "output_format": Parameter("outputFormat", choice("JPG", "PNG", "WEBP")),
    "output_quality": Parameter("outputQuality", whole(20, 99)),
    "webhook_url": Parameter("webhookURL", address),
    "delivery_method": Parameter("deliveryMethod", choice("sync", "async")),
    "upload_endpoint": Parameter("uploadEndpoint", address),
    "ttl": Parameter("ttl", whole(60)),
    "include_cost": Parameter("includeCost", switch),
    "provider_settings": Parameter("providerSettings", json_object),
}
"""Each parameter's name on the wire and what it may hold, by its Python name."""

_SETTING_NAMES = frozenset(one.wire for one in MASK_SETTINGS.values())
_KNOWN = frozenset(
    {"taskType", "taskUUID", "inputs", "inputImage", "settings"}
    | {one.wire for one in PARAMETERS.values()}
    | _SETTING_NAMES
)
_INSIDE = {"inputs": frozenset({"image"}), "settings": _SETTING_NAMES}
"""The two objects inside a task, and the names in them that are known."""

_NEW_ONLY = ("delivery_method", "upload_endpoint", "ttl")


def _by_name(table: Mapping[str, Parameter], message: Mapping[str, Any]) -> dict[str, Any]:
    """A message's values by their Python names."""
    return {name: message.get(one.wire) for name, one in table.items()}


def _dialect_of(task_type: object) -> Dialect:
    for dialect, name in _TASK_TYPES.items():
        if task_type == name:
            return dialect
    raise refused("taskType", " or ".join(_TASK_TYPES.values()), task_type)


def _nested(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name)
    return {} if value is None else named_values(name, value)


def _image_of(message: Mapping[str, Any], inputs: Mapping[str, Any], dialect: Dialect) -> str:
    """The picture, at whichever of its two places; a missing one is missed at the dialect's own."""
    places = {"inputs.image": inputs.get("image"), "inputImage": message.get("inputImage")}
    missed = "inputs.image" if dialect is Dialect.NEW else "inputImage"
    name = next((place for place, value in places.items() if value is not None), missed)
    return text(name, places[name])


def _settings_of(message: Mapping[str, Any], nested: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        name: message.get(name) if nested.get(name) is None else nested[name]
        for name in _SETTING_NAMES
    }
    match values["rgba"]:
        case [red, green, blue, int() | float() as alpha] if 1 < alpha <= 255:  # noqa: PLR2004  (a byte's largest value)
            values["rgba"] = (red, green, blue, alpha / 255)
    return values


def _read_format(message: Mapping[str, Any]) -> Mapping[str, Any]:
    name = message.get("outputFormat")
    return {**message, "outputFormat": name.upper()} if isinstance(name, str) else message


def _unknown(
    message: Mapping[str, Any], inputs: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    extra = {name: value for name, value in message.items() if name not in _KNOWN}
    for name, values in (("inputs", inputs), ("settings", settings)):
        rest = {key: value for key, value in values.items() if key not in _INSIDE[name]}
        if rest:
            extra[name] = rest
    return extra


def _check_lifetime(ttl: str, output_type: str, values: Mapping[str, Any]) -> None:
    asked = values.get("output_type") or "URL"
    types = (asked,) if isinstance(asked, str) else asked
    if values.get("ttl") is not None and "URL" not in types:
        raise OptionError(
            f"{ttl} can't be used",
            f"only a result that comes as a URL has a lifetime, and {output_type} asks for none",
            f"Leave {ttl} out, or ask for the output type URL",
        )


def _check_extra(extra: Mapping[str, Any]) -> None:
    json_object("extra", extra)
    known = [name for name in extra if name in _KNOWN and name not in _INSIDE]
    for outer in [name for name in _INSIDE if name in extra]:
        inner = named_values(f"extra's {outer}", extra[outer])
        if not inner:
            raise refused(f"extra's {outer}", "left out where it holds nothing", inner)
        known += [f"{outer}.{name}" for name in inner if name in _INSIDE[outer]]
    if known:
        raise OptionError(
            f"extra can't hold {', '.join(known)}",
            "that has a parameter of its own",
            "Give it by the parameter's name",
        )


def _is_money(value: object) -> bool:
    """Whether it is an amount; a float isn't, since it would miss a price by its last digit."""
    return isinstance(value, Decimal) and not value.is_nan() and value >= 0


def _check_new(task: RemovalTask) -> None:
    if task.model is None:
        raise OptionError(
            "a model is missing",
            "the new dialect can't do without one",
            "Name one, or use the legacy dialect",
        )


def _check_legacy(task: RemovalTask) -> None:
    names = [name for name in _NEW_ONLY if getattr(task, name) is not None]
    if names:
        raise OptionError(
            f"the legacy dialect has no word for {', '.join(names)}",
            next_step="Use the new dialect, or leave it out",
        )


def _check_provider(task: RemovalTask, model: RemoteModel) -> None:
    untaken = [name for name in task.provider_settings or () if name != model.provider]
    if untaken:
        raise OptionError(
            f"{model.air} takes no provider settings for {', '.join(untaken)}",
            f"it takes those for {model.provider}" if model.provider else "it takes none",
            "Leave them out, or choose another model",
        )
