"""One run of `cutaway remove`, from its flags to the last outcome."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cutaway.backends.local import AUTO, CLASSICAL, LocalBackend
from cutaway.cli.batch import Batch, Outcome, Rules
from cutaway.cli.display import Bar
from cutaway.cli.fetching import fetch, may_ask
from cutaway.cli.inputs import find_inputs
from cutaway.cli.outputs import Place, plan
from cutaway.cli.report import JsonReport, LineReport
from cutaway.client import Client
from cutaway.engine import catalogue
from cutaway.errors import CutawayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutaway.cli.flags import Flags
    from cutaway.cli.outputs import Task
    from cutaway.cli.report import Report
    from cutaway.options import RemovalOptions
    from cutaway.progress import Step
    from cutaway.settings import Settings

__all__ = ["run"]

_FIRST_MODEL = "u2netp"
_SOON = 1.0


def run(flags: Flags) -> bool:
    """Do what the flags say, and tell how it went.

    Returns:
        Whether any picture failed.

    Raises:
        CutawayError: no picture can be worked on: a setting, an option or the model is wrong.
        click.UsageError: the flags contradict each other.
    """
    place = Place.named(flags.out, several=flags.several)
    options = flags.options(place.format(flags.format))
    settings = flags.settings()
    inputs = find_inputs(flags.inputs, recursive=flags.recursive, avoid=place.folder)
    tasks = plan(inputs, place, options.output, options.format)
    bar = _bar(flags, len(tasks))
    report = _report(flags, place, bar, len(tasks))
    try:
        _prepare(flags, options, settings)
    except CutawayError as error:
        if flags.as_json:
            _tell_all_failed(tasks, report, error)
        raise
    rules = Rules(options, overwrite=flags.overwrite, skip_existing=flags.several, jobs=flags.jobs)
    with Client(settings, weights=flags.weights) as client:
        return _work(client, rules, tasks, report, bar)


def _bar(flags: Flags, count: int) -> Bar:
    wanted = not flags.quiet and not flags.as_json
    if count > 1:
        return Bar("pictures", "removing backgrounds", count, wanted=wanted)
    return Bar("stage", "starting", 1.0, wanted=wanted, after=_SOON)


def _report(flags: Flags, place: Place, bar: Bar, count: int) -> Report:
    if flags.as_json:
        return JsonReport(err=place.stdout)
    return LineReport(bar, count, quiet=flags.quiet, err=place.stdout)


def _prepare(flags: Flags, options: RemovalOptions, settings: Settings) -> None:
    """Find out now, and once, whether the model can be used; offer one if there is none."""
    name, _ = LocalBackend(settings, flags.weights).choose(options.model)
    lacking = name == CLASSICAL and options.model == AUTO == settings.model
    if not lacking or flags.as_json or flags.quiet or not may_ask():
        return
    model = catalogue.find(_FIRST_MODEL)
    what = f"{model.name} ({catalogue.size_text(model.size)}, {model.licence})"
    if click.confirm(f"No model is installed. Get {what} now?", default=True, err=True):
        fetch(model, settings)


def _tell_all_failed(tasks: Sequence[Task], report: Report, error: CutawayError) -> None:
    for task in tasks:
        report.tell(Outcome(task, "failed", error=error))


def _work(client: Client, rules: Rules, tasks: Sequence[Task], report: Report, bar: Bar) -> bool:
    def show(step: Step) -> None:
        bar.tell(step.share, step.stage)

    failed = False
    # The bar is the inner one: the terminal is in order again before a stop may end the process.
    with Batch(client, rules, show if len(tasks) == 1 else None) as batch, bar:
        for outcome in batch.outcomes(tasks):
            if outcome.data is not None:
                _to_stdout(outcome.data)
            report.tell(outcome)
            failed |= outcome.status == "failed"
        report.close()
    return failed


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
