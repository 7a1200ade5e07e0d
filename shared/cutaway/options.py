"""What to remove with, how to refine and what to put out: one model, used everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict, Unpack

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cutaway.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Choices", "Colour", "ImageFormat", "Output", "RemovalOptions"]

_WHITE = (255, 255, 255)
_OTHER_ENDINGS = {"PNG": (), "WEBP": (), "JPG": ("JPEG", "JPE")}


class Output(StrEnum):
    """Which view of the result to put out."""

    CUTOUT = "cutout"
    """The subject on transparency (or on `background`, if one is given)."""
    MASK = "mask"
    """The matte as a grey picture, white = subject."""
    FLATTENED = "flattened"
    """The subject on an opaque colour."""


class ImageFormat(StrEnum):
    """The file formats we write."""

    PNG = "PNG"
    WEBP = "WEBP"
    JPG = "JPG"

    @classmethod
    def of_suffix(cls, suffix: str) -> Self | None:
        """The format that a file name's ending (`.png`, any case) stands for; None if none."""
        name = suffix.lstrip(".").upper()
        return next((one for one in cls if name in {one.value, *_OTHER_ENDINGS[one]}), None)

    @property
    def suffix(self) -> str:
        """The usual ending of a file name, with its dot."""
        return f".{self.value.lower()}"


class Colour(BaseModel):
    """A fill: red, green and blue 0..255, alpha 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    red: Annotated[int, Field(ge=0, le=255)]
    green: Annotated[int, Field(ge=0, le=255)]
    blue: Annotated[int, Field(ge=0, le=255)]
    alpha: Annotated[float, Field(ge=0, le=1)] = 1.0

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0..255."""
        return self.red, self.green, self.blue

    @property
    def neutral(self) -> bool:
        """Whether it is a grey."""
        return self.red == self.green == self.blue

    @property
    def opaque(self) -> bool:
        """Whether nothing shows through."""
        return self.alpha == 1


def _colour(value: object) -> object:
    """Read `#rgb`, `#rrggbb[aa]`, a CSS name or (r, g, b[, a]) as the fields of a `Colour`."""
    if isinstance(value, str):
        value = _named_colour(value)
    if isinstance(value, (list, tuple)):
        if len(value) not in {3, 4}:
            raise ValueError("a colour has 3 or 4 numbers: red, green, blue and alpha")
        return dict(zip(("red", "green", "blue", "alpha"), value, strict=False))
    return value


def _named_colour(text: str) -> tuple[float, ...]:
    from PIL import ImageColor

    red, green, blue, *alpha = ImageColor.getrgb(text)
    return (red, green, blue, *(part / 255 for part in alpha))


def _upper(value: object) -> object:
    """Accept a format in any letter case, and JPEG's long name."""
    if not isinstance(value, str):
        return value
    return {"JPEG": "JPG"}.get(value.upper(), value.upper())


_Threshold = Annotated[int, Field(ge=1, le=255)]


class Choices(TypedDict, total=False):
    """The options by name, each as a caller may give it; see `RemovalOptions`."""

    model: str
    output: Output | str
    background: Colour | str | Sequence[float] | None
    post_process_mask: bool
    alpha_matting: bool
    alpha_matting_foreground_threshold: int
    alpha_matting_background_threshold: int
    alpha_matting_erode_size: int
    matting_megapixels: float
    refine: bool
    feather: float
    clean_edges: bool
    format: ImageFormat | str
    quality: int
    keep_hidden_colour: bool
    keep_metadata: bool


class RemovalOptions(BaseModel):
    """How to remove a background; names are Python's, the Runware API's names are aliases.

    Raises:
        OptionError: a name is unknown (the nearest is told) or a value can't be honoured.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    model: Annotated[
        str, Field(min_length=1, description="A model's name, slug or AIR; auto takes the best.")
    ] = "auto"
    output: Output = Output.CUTOUT
    background: Annotated[
        Colour | None,
        BeforeValidator(_colour),
        Field(alias="rgba", description="A fill behind the subject: '#rrggbb[aa]' or r, g, b, a."),
    ] = None
    post_process_mask: Annotated[
        bool, Field(alias="postProcessMask", description="Smooth the mask and make it hard-edged.")
    ] = False
    alpha_matting: Annotated[
        bool, Field(alias="alphaMatting", description="Solve for fine detail at the edges.")
    ] = False
    alpha_matting_foreground_threshold: Annotated[
        _Threshold, Field(alias="alphaMattingForegroundThreshold")
    ] = 240
    alpha_matting_background_threshold: Annotated[
        _Threshold, Field(alias="alphaMattingBackgroundThreshold")
    ] = 10
    alpha_matting_erode_size: Annotated[_Threshold, Field(alias="alphaMattingErodeSize")] = 10
    matting_megapixels: Annotated[
        float,
        Field(
            ge=0.1,
            le=100,
            allow_inf_nan=False,
            description="At which size larger pictures are solved: less is faster, more is finer.",
        ),
    ] = 2.0
    refine: Annotated[
        bool, Field(description="Draw the edges to the picture's own; without it is quicker.")
    ] = True
    feather: Annotated[
        float,
        Field(ge=0, le=1000, allow_inf_nan=False, description="Fade the edge: a radius in pixels."),
    ] = 0.0
    clean_edges: Annotated[
        bool, Field(description="Take the background's colour out of half-transparent pixels.")
    ] = True
    format: Annotated[ImageFormat, BeforeValidator(_upper), Field(alias="outputFormat")] = (
        ImageFormat.PNG
    )
    quality: Annotated[
        int, Field(ge=20, le=99, alias="outputQuality", description="For WEBP and JPG.")
    ] = 95
    keep_hidden_colour: Annotated[
        bool, Field(description="Keep the colour under full transparency instead of clearing it.")
    ] = False
    keep_metadata: Annotated[
        bool, Field(description="Keep EXIF, XMP, resolution and the ICC profile.")
    ] = True

    def __init__(self, **choices: Unpack[Choices]) -> None:
        try:
            super().__init__(**choices)
        except ValidationError as error:
            raise _option_error(type(self), error) from error

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read options by name or wire alias; errors are the constructor's."""
        return cls(**values)

    def but(self, values: Mapping[str, Any]) -> Self:
        """The same options with some of them replaced, by name or wire alias.

        Raises:
            OptionError: as the constructor.
        """
        names = {field.alias: name for name, field in type(self).model_fields.items()}
        changes = {names.get(name, name): value for name, value in values.items()}
        return self.parse({**self.model_dump(), **changes})

    @model_validator(mode="after")
    def _transparency_has_a_place(self) -> Self:
        if self.output is Output.FLATTENED and self.background and not self.background.opaque:
            raise ValueError("a flattened picture needs an opaque background")
        transparent = self.output is Output.CUTOUT and not (
            self.background and self.background.opaque
        )
        if transparent and self.format is ImageFormat.JPG:
            raise ValueError(
                "JPG has no transparency: choose PNG or WEBP, the output flattened, "
                "or an opaque background"
            )
        return self

    @property
    def fill(self) -> Colour | None:
        """The colour to lay behind the subject, if any: white for a flattened picture."""
        if self.background is None and self.output is Output.FLATTENED:
            red, green, blue = _WHITE
            return Colour(red=red, green=green, blue=blue)
        return self.background


def _option_error(model: type[BaseModel], error: ValidationError) -> OptionError:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "this combination of options"
    if first["type"] == "extra_forbidden":
        return OptionError(f"there is no option {name}", next_step=_nearest(model, name))
    reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return OptionError(f"{name} can't be used", reason, "Change it and try again")


def _nearest(model: type[BaseModel], name: str) -> str:
    from difflib import get_close_matches

    match = get_close_matches(name, model.model_fields, n=1, cutoff=0.5)
    return f"The nearest is {match[0]}" if match else f"Known: {', '.join(model.model_fields)}"
