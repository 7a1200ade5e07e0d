"""How far a picture is, told from the stages of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cutaway import RemovalOptions, Step

    Tell = Callable[[str, float | None], None]

__all__ = ["Overall", "Stage", "plan"]

_CLASSICAL = "classical"
_SENDING_BACK = 2.0
_LEAST = 0.005


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a removal.

    Attributes:
        name: The core's name of it.
        weight: Its part of the whole: tenths of a second for 24 megapixels, on two cores.
        is_silent: Whether it tells nothing between its beginning and its end.
    """

    name: str
    weight: float
    is_silent: bool = False


def plan(options: RemovalOptions, *, model: str, remote: bool, colours: bool) -> list[Stage]:
    """The stages that a removal goes through.

    Args:
        options: What is done.
        model: The name of the model that runs.
        remote: Whether a service runs it.
        colours: Whether the result has colours.
    """
    finishing = {
        Stage("refining", 4): True,
        Stage("post-processing", 3): options.post_process_mask,
        Stage("matting", 10): options.alpha_matting,
        Stage("feathering", 1): options.feather > 0,
        Stage("cleaning edges", 7): options.clean_edges and colours,
    }
    wanted = [stage for stage, is_wanted in finishing.items() if is_wanted]
    return [Stage("decoding", 2), *_finding(model, remote=remote), *wanted]


def _finding(model: str, *, remote: bool) -> list[Stage]:
    if remote:
        return [
            Stage("preparing", 5),
            Stage("waiting for the service", 30, is_silent=True),
            Stage("downloading", 2),
            Stage("reading the answer", 2),
        ]
    if model == _CLASSICAL:
        return [Stage("finding the subject", 8)]
    return [Stage("finding the subject", 20, is_silent=True)]


class Overall:
    """Takes the steps of a removal, and tells of the whole picture, whose share never falls.

    The end of the last stage is short of 1, since the result is still to be sent.

    Args:
        tell: Told the stage, and the share of the picture that is done, None while it can't be
            known. A share that has hardly changed isn't told.
        stages: What is to come.
    """

    def __init__(self, tell: Tell, stages: Iterable[Stage]) -> None:
        self._tell = tell
        self._stages: dict[str, tuple[float, Stage]] = {}
        self._total = 0.0
        for stage in stages:
            self._stages[stage.name] = self._total, stage
            self._total += stage.weight
        self._total += _SENDING_BACK
        self._share = 0.0
        self._told: tuple[str, bool, float] = "", False, 0.0

    def step(self, step: Step) -> None:
        """Take a step, and tell of it where it is news."""
        begin, stage = self._stages.get(step.stage, (0.0, Stage(step.stage, 0)))
        self._share = max(self._share, (begin + stage.weight * step.share) / self._total)
        is_known = not stage.is_silent or step.share == 1
        *before, told = self._told
        if before != [step.stage, is_known] or self._share >= told + _LEAST:
            self._told = step.stage, is_known, self._share
            self._tell(step.stage, round(self._share, 4) if is_known else None)
