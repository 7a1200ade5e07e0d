"""One run of `cutaway remove`, from its flags to the last outcome."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutaway import catalogue
from cutaway.backends.local import AUTO, CLASSICAL, LocalBackend
from cutaway.cli.answers import Answers, wire_parameters
from cutaway.cli.batch import Batch, Outcome, Rules
from cutaway.cli.cutouts import Cutouts
from cutaway.cli.display import Bar, system_error, tell_error
from cutaway.cli.dry_run import LocalPlan, RemotePlan
from cutaway.cli.fetching import fetch, may_ask
from cutaway.cli.inputs import find_inputs
from cutaway.cli.outputs import Place, Task, plan
from cutaway.cli.parameters import LOCAL
from cutaway.cli.report import JsonReport, LineReport
from cutaway.cli.service import check_task, with_key
from cutaway.client import Client
from cutaway.errors import CutawayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutaway.cli.batch import Work
    from cutaway.cli.flags import Flags
    from cutaway.cli.report import Report
    from cutaway.options import RemovalOptions
    from cutaway.progress import Step
    from cutaway.runware.tasks import WireParameters
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
    asked = wire_parameters(flags, options) if flags.wants_answer else None
    tasks = _tasks(flags, place, options)
    bar = _bar(flags, len(tasks))
    report = _report(flags, place, bar, len(tasks))
    rules = Rules(options, overwrite=flags.overwrite, skip_existing=flags.several, jobs=flags.jobs)
    try:
        if settings.backend != LOCAL:
            settings = with_key(settings, needed=not flags.dry_run)
            check_task(settings, options, asked)
        elif _lacks_model(flags, options, settings) and any(_begins(one, rules) for one in tasks):
            _offer_model(settings)
    except CutawayError as error:
        if flags.as_json:
            _tell_all_failed(tasks, report, error)
        raise
    with Client(settings, weights=flags.weights) as client:
        work = _work(flags, client, rules, asked, bar if len(tasks) == 1 else None)
        paid = settings.backend != LOCAL and not flags.dry_run
        at_stake = (flags.jobs or client.usual_jobs) if paid else 0
        return _done(Batch(work, rules), tasks, report, bar, at_stake)


def _tasks(flags: Flags, place: Place, options: RemovalOptions) -> list[Task]:
    inputs = find_inputs(flags.inputs, recursive=flags.recursive, avoid=place.folder)
    if flags.wants_answer:
        return [Task(one, None) for one in inputs]
    return plan(inputs, place, options.output, options.format)


def _bar(flags: Flags, count: int) -> Bar:
    wanted = not flags.quiet and not flags.as_json
    if count > 1:
        return Bar("pictures", "removing backgrounds", count, wanted=wanted)
    begins = "waiting for the service" if flags.wants_answer else "starting"
    return Bar("stage", begins, 1.0, wanted=wanted, after=_SOON)


def _report(flags: Flags, place: Place, bar: Bar, count: int) -> Report:
    if flags.as_json:
        return JsonReport(err=place.stdout)
    return LineReport(bar, count, quiet=flags.quiet, err=place.stdout)


def _lacks_model(flags: Flags, options: RemovalOptions, settings: Settings) -> bool:
    """Find out now, and once, whether the model can be used, and whether to offer one."""
    name, _ = LocalBackend(settings, flags.weights).choose(options.model)
    lacking = name == CLASSICAL and options.model == AUTO == settings.model
    silent = flags.as_json or flags.quiet or flags.dry_run
    return lacking and not silent and may_ask()


def _begins(task: Task, rules: Rules) -> bool:
    """Whether there will be work to do, as far as a glance can tell."""
    source = task.input.source
    missing = isinstance(source, Path) and not os.path.exists(source)  # noqa: PTH110  (see is_folder)
    return not (task.input.problem or missing or rules.keeps(task.target))


def _offer_model(settings: Settings) -> None:
    model = catalogue.find(_FIRST_MODEL)
    what = f"{model.name} ({catalogue.size_text(model.size)}, {model.licence})"
    if not click.confirm(f"No model is installed. Get {what} now?", default=True, err=True):
        return
    try:
        fetch(model, settings)
    except CutawayError as error:  # the classical engine still can
        tell_error(error)


def _tell_all_failed(tasks: Sequence[Task], report: Report, error: CutawayError) -> None:
    for task in tasks:
        report.tell(Outcome(task, "failed", error=error))


def _work(
    flags: Flags, client: Client, rules: Rules, asked: WireParameters | None, bar: Bar | None
) -> Work:
    """What the flags want done; of a single picture the bar shows each stage."""
    if flags.dry_run:
        local = client.settings.backend == LOCAL
        return LocalPlan(client, rules, flags) if local else RemotePlan(client, rules, asked)
    if asked is not None:
        return Answers(client, rules, asked, flags.answer or "url")

    def show(step: Step) -> None:
        if bar:
            bar.tell(step.share, step.stage)

    return Cutouts(client, rules, show, flags.task_uuid)


def _done(batch: Batch, tasks: Sequence[Task], report: Report, bar: Bar, at_stake: int) -> bool:
    failed = False
    # The bar is the inner one: the terminal is in order again before a stop may end the process.
    with batch, bar:
        try:
            for outcome in batch.outcomes(tasks):
                told = outcome if outcome.data is None else _to_stdout(outcome, outcome.data)
                report.tell(told)
                failed |= told.status == "failed"
        except KeyboardInterrupt:
            report.close(early=True, under_way=at_stake)
            raise
        report.close()
    return failed


def _to_stdout(outcome: Outcome, data: bytes) -> Outcome:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has seen enough, and nobody is to be told
        raise
    except OSError as error:
        return replace(outcome, status="failed", error=system_error(error))
    return outcome
