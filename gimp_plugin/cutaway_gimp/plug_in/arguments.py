"""The procedure's arguments, in one table: what GIMP is told of them and what the worker is asked.

GIMP turns a wrong choice or number that a script gives into the default, and says so nowhere that
anyone looks. So choices are declared as plain text here and numbers with the widest range there
is; what they may be is checked once they have arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cutaway_gimp.plug_in.translation import N_, _

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARGUMENTS", "CUTOUTS", "OUTPUTS", "Argument", "WrongArgument", "begin_frame", "check"]


class WrongArgument(Exception):
    """An argument can't be used; the text is for the person, translated."""


OUTPUTS = {
    "new-layer": N_("New layer, the original hidden"),
    "layer-mask": N_("Layer mask on the original"),
    "grey-layer": N_("Mask as a grey layer"),
    "channel": N_("Mask as a channel"),
    "selection": N_("Selection"),
    "replace": N_("Replace the original"),
}
"""What can be made of a layer, and what the dialog calls it."""

CUTOUTS = ("new-layer", "replace")
"""Those that have the layer's own pixels, with the background transparent."""


class Argument(NamedTuple):
    """One argument.

    Attributes:
        name: What a script calls it.
        default: What it is if left out; its type is the argument's.
        label: The dialog's word for it, with an underscore before the letter that leads there.
        help: What it does, in a sentence or two.
        lowest: The least it may be, where it is a number.
        highest: The most.
        outputs: Those it matters to.
        option: What the worker calls it among its options; empty where it isn't one of them.
    """

    name: str
    default: bool | int | float | str
    label: str
    help: str
    lowest: float = 0
    highest: float = 0
    outputs: tuple[str, ...] = tuple(OUTPUTS)
    option: str = ""


ARGUMENTS = (
    Argument(
        "output",
        default="new-layer",
        label=N_("Res_ult"),
        help=N_(
            "What to make of the layer: new-layer (the original is hidden), layer-mask, "
            "grey-layer, channel, selection, or replace"
        ),
    ),
    Argument(
        "backend",
        default="local",
        label=N_("_Work on"),
        help=N_(
            "Where the work is done: local (this computer), runware, or the URL of a service that "
            "speaks as Runware does"
        ),
    ),
    Argument(
        "model",
        default="auto",
        label=N_("_Model"),
        help=N_("A model's name, slug or AIR; auto takes the best that is there"),
        option="model",
    ),
    Argument(
        "alpha-matting",
        default=False,
        label=N_("_Alpha matting"),
        help=N_("Solve for hair and other fine detail along the edge; this takes longer"),
        option="alpha_matting",
    ),
    Argument(
        "alpha-matting-foreground-threshold",
        default=240,
        label=N_("_Foreground threshold"),
        help=N_("Alpha matting: what is at least this opaque is surely subject (1 to 255)"),
        lowest=1,
        highest=255,
        option="alpha_matting_foreground_threshold",
    ),
    Argument(
        "alpha-matting-background-threshold",
        default=10,
        label=N_("_Background threshold"),
        help=N_("Alpha matting: what is at most this opaque is surely background (1 to 255)"),
        lowest=1,
        highest=255,
        option="alpha_matting_background_threshold",
    ),
    Argument(
        "alpha-matting-erode-size",
        default=10,
        label=N_("_Erode size"),
        help=N_("Alpha matting: how wide the band along the edge is that is solved for (1 to 255)"),
        lowest=1,
        highest=255,
        option="alpha_matting_erode_size",
    ),
    Argument(
        "post-process-mask",
        default=False,
        label=N_("Har_d edge"),
        help=N_("Smooth the mask's outline and make it hard-edged"),
        option="post_process_mask",
    ),
    Argument(
        "clean-edges",
        default=True,
        label=N_("Clea_n edge colours"),
        help=N_(
            "Take the background's colour out of half-transparent pixels "
            "(for new-layer and replace); no others change their colour"
        ),
        outputs=CUTOUTS,
        option="clean_edges",
    ),
    Argument(
        "fill",
        default="",
        label=N_("F_ill colour"),
        help=N_(
            "A colour, such as white or #rrggbb, for a layer below the cutout "
            "(for new-layer and replace); empty for none"
        ),
        outputs=CUTOUTS,
    ),
    Argument(
        "feather",
        default=0.0,
        label=N_("Fea_ther (pixels)"),
        help=N_("Fade the edge over so many pixels (0 to 1000), as Select > Feather does"),
        lowest=0,
        highest=1000,
        option="feather",
    ),
)
"""All but the run mode, the image and its drawables, which every such procedure has."""


def check(values: Mapping[str, Any]) -> None:
    """See that an output is one, and each number in its range.

    What is only known where the work is done (backends, models, colours) is checked there.

    Args:
        values: Every argument by name.

    Raises:
        WrongArgument: one isn't; those that would do are told.
    """
    output = values["output"]
    if output not in OUTPUTS:
        message = _("There is no output “{output}”. Choose one of: {outputs}.")
        raise WrongArgument(message.format(output=output, outputs=", ".join(OUTPUTS)))
    for argument in ARGUMENTS:
        value = values[argument.name]
        # A number that is none (NaN) is in no range.
        if argument.highest and not argument.lowest <= value <= argument.highest:
            message = _("{name} can't be {value}. Choose a number from {lowest} to {highest}.")
            limits = {"lowest": argument.lowest, "highest": argument.highest}
            raise WrongArgument(message.format(name=argument.name, value=value, **limits))


def begin_frame(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker is asked for; an option that doesn't matter to the output is off.

    Args:
        values: Every argument by name, checked.
    """
    options = {}
    for argument in ARGUMENTS:
        if argument.option:
            matters = values["output"] in argument.outputs
            options[argument.option] = values[argument.name] if matters else False
    return {
        "kind": "begin",
        "backend": values["backend"],
        "options": options,
        "fill": values["fill"],
    }
