"""Models of what goes over the wire, to describe it by; `reading` and `answers` do the work.

What a parameter may hold is told by the check that reads it (`cutaway.runware.tasks.PARAMETERS`,
`MASK_SETTINGS`), so here stands only what it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.alias_generators import to_camel

from cutaway.runware.mask_settings import MASK_SETTINGS
from cutaway.runware.parameters import text, uuid
from cutaway.runware.tasks import PARAMETERS, Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cutaway.runware.parameters import Parameter

__all__ = ["MEANINGS", "TASKS", "Answer", "Errors", "Health", "Offer", "OfferedModel"]

MEANINGS: Mapping[str, str] = {
    "model": "What finds the subject: an AIR such as `runware:112@2`, a slug, or a local name.",
    "outputType": "How the result comes: one of these, or a list of several; else `URL`.",
    "outputFormat": "The result's file format, in any letter case; else `PNG`.",
    "outputQuality": "For JPG and WEBP; else 95.",
    "webhookURL": "Where the result is posted; the answer is then an acknowledgement.",
    "deliveryMethod": "`async` is answered with an acknowledgement: ask with `getResponse`.",
    "uploadEndpoint": "Where the result's bytes are put, with HTTP PUT.",
    "ttl": "Seconds that the result's URL works; only with the `outputType` `URL`.",
    "includeCost": "Tell the cost in the answer.",
    "providerSettings": "Taken, and without effect here.",
    "rgba": "What to lay behind the subject: red, green, blue, and alpha 0..1 (or of 255).",
    "postProcessMask": "Smooth the mask and make it hard-edged.",
    "returnOnlyMask": "Give the mask instead of the cutout: white is the subject.",
    "alphaMatting": "Solve for hair and other fine detail at the edges.",
    "alphaMattingForegroundThreshold": "Surely subject from here on; else 240.",
    "alphaMattingBackgroundThreshold": "Surely background up to here; else 10.",
    "alphaMattingErodeSize": "Width of the band in doubt, in pixels; else 10.",
}
"""What each parameter of a removal means, and what holds where it is not sent."""

_PICTURE = "a stored one's UUID, a public URL, a data URI, or base64."
_ALPHA = 3
"""Where the alpha stands in `rgba`."""


def _on_the_wire(name: str) -> str:
    """A field's name, such as `taskUUID` for `task_uuid`."""
    camel = to_camel(name)
    for abbreviation in ("Uuid", "Url", "Uri"):
        camel = camel.replace(abbreviation, abbreviation.upper())
    return camel


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", alias_generator=_on_the_wire)


TaskUUID = Annotated[
    str,
    WithJsonSchema(dict(uuid.schema)),
    Field(description="The task's name for its whole life, made by the caller."),
]
UUID = Annotated[str, WithJsonSchema(dict(uuid.schema))]
Text = Annotated[str, WithJsonSchema(dict(text.schema))]


class Inputs(_Wire):
    """What to work on."""

    image: Text | None = Field(None, description=f"The picture: {_PICTURE}")


def _fields(table: Mapping[str, Parameter]) -> dict[str, Any]:
    """The fields of a model, by the table's wire names; each may be null, which is none."""
    return {
        one.wire: (
            Annotated[Any, WithJsonSchema({"anyOf": [_taken(one), {"type": "null"}]})],
            Field(None, description=MEANINGS[one.wire]),
        )
        for one in table.values()
    }


def _taken(parameter: Parameter) -> Mapping[str, Any]:
    """What `decode` lets through: what the check does, and an alpha of 255."""
    schema = parameter.check.schema
    if parameter.wire != "rgba":
        return schema
    parts = list(schema["prefixItems"])
    parts[_ALPHA] = {**parts[_ALPHA], "maximum": 255}
    return {**schema, "prefixItems": parts}


Settings = create_model(
    "Settings",
    __base__=_Wire,
    __doc__="How to treat the mask; here every model takes all of them.",
    **_fields(MASK_SETTINGS),
)


class _Removal(_Wire):
    task_type: str
    task_uuid: TaskUUID
    inputs: Inputs | None = Field(None, description="Holds `image`, the picture.")
    input_image: Text | None = Field(None, description=f"The picture in the old place: {_PICTURE}")


def _removal(dialect: Dialect, told: str, *ways: dict[str, Any]) -> type[BaseModel]:
    """The model of a removal in one dialect; either takes the other's way to write it, too.

    Args:
        dialect: Which of the two.
        told: What to say of it.
        ways: In which ways it can be complete, as JSON Schema.
    """
    word = dialect.task_type
    fields: dict[str, Any] = {
        "task_type": (Annotated[str, WithJsonSchema({"type": "string", "const": word})], ...),
        **_fields(PARAMETERS),
        "settings": (Settings | None, Field(None, description="Holds the settings of the mask.")),
        **_fields(MASK_SETTINGS),
    }
    whole = {"model_config": ConfigDict(json_schema_extra={"anyOf": list(ways)})}
    base = type("Whole", (_Removal,), whole)
    name = word[0].upper() + word[1:]
    return create_model(name, __base__=base, __doc__=told, **fields)


def _needs(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": [name], "properties": {name: schema}}


_STRING = {"type": "string"}
_WITH_INPUTS = _needs("inputs", {"type": "object", **_needs("image", _STRING)})
_WITH_IMAGE = _needs("inputImage", _STRING)
_WITH_MODEL = _needs("model", _STRING)

_REMOVALS = (
    _removal(
        Dialect.NEW,
        "Remove a background. The picture is `inputs.image`; mask settings stand in `settings`.",
        {"allOf": [_WITH_INPUTS, _WITH_MODEL]},
        {"allOf": [_WITH_IMAGE, _WITH_MODEL]},
        {"allOf": [_WITH_IMAGE, {"not": {"required": ["inputs"]}}]},
    ),
    _removal(
        Dialect.LEGACY,
        "The same in the older dialect: the picture is `inputImage`, mask settings stand beside "
        "it, and where no model is named `runware:109@1` is meant.",
        _WITH_INPUTS,
        _WITH_IMAGE,
    ),
)


class GetResponse(_Wire):
    """Ask how a task stands, by its own UUID; a finished one's result is told."""

    task_type: Literal["getResponse"]
    task_uuid: TaskUUID


class MediaUpload(_Wire):
    """Store a picture, to name it by its UUID from then on."""

    task_type: Literal["mediaStorage"]
    task_uuid: TaskUUID
    operation: Literal["upload"]
    media: Text = Field(description="The picture: a public URL, a data URI, or base64.")


class MediaDelete(_Wire):
    """Delete a stored picture."""

    task_type: Literal["mediaStorage"]
    task_uuid: TaskUUID
    operation: Literal["delete"]
    media: UUID = Field(description="The picture's UUID.")


class ImageUpload(_Wire):
    """Store a picture, as older clients ask for it."""

    task_type: Literal["imageUpload"]
    task_uuid: TaskUUID
    image: Text = Field(description="The picture: a public URL, a data URI, or base64.")


class Ping(_Wire):
    """See whether anybody is there."""

    task_type: Literal["ping"]
    task_uuid: TaskUUID | None = None


class Authentication(_Wire):
    """Tell the key: the first thing on a WebSocket, and over HTTP another way to do so."""

    task_type: Literal["authentication"]
    api_key: Text | None = Field(None, description="The key.")
    connection_session_uuid: UUID | None = Field(
        None, description="A session on a WebSocket to take up again."
    )


class Result(_Wire):
    """A removed background, or how far it is; of an upload the picture's UUID and URL."""

    task_type: str
    task_uuid: str | None = None
    image_uuid: str = Field(description="The result's UUID, which may be an input again.")
    input_image_uuid: str | None = Field(None, description="The input's.")
    image_url: str | None = Field(None, description="With the `outputType` `URL`.")
    image_base64_data: str | None = Field(None, description="With the `outputType` `base64Data`.")
    image_data_uri: str | None = Field(None, description="With the `outputType` `dataURI`.")
    cost: float | None = Field(None, description="US dollars, where `includeCost` asks.")
    status: Literal["processing", "success"] | None = Field(
        None, description="Only in answers to `getResponse`."
    )


class Acknowledgement(_Wire):
    """What was asked for was accepted, or done without anything to give back but this."""

    task_type: str
    task_uuid: str | None = None


class Problem(_Wire):
    """What went wrong with one task."""

    code: str
    message: str = Field(description="What happened, why, and what to do next.")
    parameter: str | list[str] | None = Field(None, description="What can't be used or is missing.")
    type: str | None = Field(None, description="The parameter's type.")
    allowed_values: list[Any] | None = Field(None, description="All that the parameter may be.")
    task_type: str | None = None
    task_uuid: str | None = None
    status: Literal["error"] | None = Field(None, description="Only in answers to `getResponse`.")


class Answer(_Wire):
    """What came of each task, in any order."""

    data: list[Result | Acknowledgement]
    errors: list[Problem] | None = Field(
        None, min_length=1, description="Left out if there are none."
    )


class Errors(_Wire):
    """All tasks failed, or the request itself."""

    data: list[Any] = Field(max_length=0)
    errors: list[Problem] = Field(min_length=1)


class Health(_Wire):
    """How the service is."""

    status: str


class OfferedModel(_Wire):
    """A model that is there."""

    name: str
    title: str
    good_for: str
    chosen: bool = Field(description="Whether it is the best of them.")


class Offer(_Wire):
    """What the web page has to know."""

    models: list[OfferedModel]
    needs_key: bool


TASKS: tuple[type[BaseModel], ...] = (
    *_REMOVALS,
    GetResponse,
    MediaUpload,
    MediaDelete,
    ImageUpload,
    Ping,
    Authentication,
)
"""Every kind of task that a request may hold."""
