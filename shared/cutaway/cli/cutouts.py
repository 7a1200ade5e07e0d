"""Pictures that are cut out and written: the usual work of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutaway.cli.batch import Outcome
from cutaway.cli.bill import dollars
from cutaway.client.pictures import Submitted
from cutaway.errors import CutawayError, OutputError
from cutaway.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from cutaway.cli.batch import Rules
    from cutaway.cli.outputs import Task
    from cutaway.client import Client, Source
    from cutaway.client.many import Removal
    from cutaway.cutout import Cutout
    from cutaway.progress import Step

__all__ = ["Cutouts"]


class Cutouts:
    """Removes backgrounds and writes what is left; see `Work`.

    Args:
        client: What removes them.
        rules: How.
        on_step: Told of every step, from the threads that work.
        task_uuid: The task of the only picture, if it was submitted before.
    """

    def __init__(
        self,
        client: Client,
        rules: Rules,
        on_step: Callable[[Step], None] | None = None,
        task_uuid: str | None = None,
    ) -> None:
        self._client = client
        self._rules = rules
        self._on_step = on_step
        self._task_uuid = task_uuid

    def start(self, tasks: Sequence[Task]) -> Generator[Removal[Outcome], None, None]:
        """See `Work`."""

        def save(index: int, cutout: Cutout) -> Outcome:
            return self._written(tasks[index], cutout)

        def show(index: int, step: Step) -> None:  # noqa: ARG001  (there is one, if it is shown)
            if self._on_step:
                self._on_step(step)

        return self._client.remove_many(
            [self._source(task) for task in tasks],
            self._rules.options,
            jobs=self._rules.jobs,
            save=save,
            on_progress=show,
        )

    def _source(self, task: Task) -> Source | Submitted:
        source = task.input.source
        return source if self._task_uuid is None else Submitted(source, self._task_uuid)

    def _written(self, task: Task, cutout: Cutout) -> Outcome:
        progress = Progress(self._on_step)
        remote = cutout.task_uuid is not None
        try:
            with progress.stage("writing"):
                data, size = self._put(cutout, task.target)
        except CutawayError as error:  # a service's work was paid for all the same
            error.task_uuid = cutout.task_uuid
            status = self._rules.status_of(error)
            return Outcome(task, status, has_price=remote, cost=cutout.cost, error=error)
        facts = {"bytes": size, "format": cutout.options.format.value, **cutout.facts()}
        facts["seconds"]["writing"] = round(progress.seconds["writing"], 3)
        told = _told(cutout, task.target, sum(facts["seconds"].values()))
        return Outcome(task, "done", told, facts, has_price=remote, cost=cutout.cost, data=data)

    def _put(self, cutout: Cutout, target: Path | None) -> tuple[bytes | None, int]:
        if target is None:
            data = cutout.to_bytes()
            return data, len(data)
        _make_folder(target.parent)
        cutout.save(target, format=cutout.options.format, overwrite=self._rules.overwrite)
        return None, target.stat().st_size


def _told(cutout: Cutout, target: Path | None, seconds: float) -> str:
    told = [f"{cutout.width}x{cutout.height}", cutout.model, f"{seconds:.1f} s"]
    if cutout.task_uuid is not None:
        told.append(dollars(cutout.cost))
    return f" -> {target or 'stdout'} ({', '.join(told)})"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {folder} was not made",
            error.strerror or str(error),
            "Choose another place with -o",
        ) from error
