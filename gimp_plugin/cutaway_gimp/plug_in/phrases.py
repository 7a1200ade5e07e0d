"""What Cutaway's core says, for people whose language isn't English: it speaks no other itself."""

from __future__ import annotations

from cutaway_gimp.plug_in.translation import N_, _

__all__ = ["PURPOSES", "REMARKS", "STAGES", "purpose", "remark", "stage"]

STAGES = (
    N_("reading"),
    N_("decoding"),
    N_("finding the subject"),
    N_("preparing"),
    N_("waiting for the service"),
    N_("downloading"),
    N_("reading the answer"),
    N_("refining"),
    N_("post-processing"),
    N_("matting"),
    N_("feathering"),
    N_("cleaning edges"),
)
"""The stages of a removal."""

PURPOSES = (
    N_("plain backgrounds"),
    N_("most subjects, quickly"),
    N_("most subjects, in a quarter of U-2-Net's size"),
    N_("most subjects"),
    N_("people"),
    N_("sharp edges at a moderate cost"),
    N_("drawn characters"),
    N_("fine detail on a plain computer"),
    N_("the best result for most subjects"),
    N_("unusual subjects"),
    N_("one plain subject in a large picture"),
    N_("thin and intricate objects"),
    N_("camouflaged subjects"),
    N_("portraits, hair and hands"),
    N_("product and studio pictures, non-commercially"),
)
"""What models are good for."""

REMARKS = (
    N_("almost nothing was kept"),
    N_("almost everything was kept"),
    N_("the subject is uncertain (confidence {confidence}): check it"),
    N_(
        "no model is installed, so the classical engine ran: good on plain backgrounds; "
        "for any background, run: cutaway models pull u2netp"
    ),
)
"""What to know of a result, with its confidence where it is about that."""


def stage(name: str) -> str:
    """The name of a stage, translated if it is known."""
    return _(name) if name in STAGES else name


def purpose(text: str) -> str:
    """What a model is good for, translated if it is known."""
    return _(text) if text in PURPOSES else text


def remark(text: str, confidence: float) -> str:
    """A remark about a result of so much confidence, 0..1, translated if it is known."""
    told = f"{confidence:.2f}"
    known = (one for one in REMARKS if one.format(confidence=told) == text)
    return next((_(one).format(confidence=told) for one in known), text)
