"""What a service tells of its tasks: numbers for Prometheus, and one line of the log for each."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from cutaway._version import __version__
from cutaway.catalogue import find
from cutaway.errors import UnknownModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Tally", "Watch"]

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""The bounds of the latency histograms: from an inline small picture to a long wait."""

_LOG = logging.getLogger("cutaway.service")


@dataclass(slots=True)
class Tally:
    """What a task took.

    Attributes:
        begun: When it was taken up, by `time.perf_counter`.
        seconds: Seconds by stage.
        model: The model that ran, by its local name; empty if none did.
        bytes_in: The length of the picture's file as it came.
        bytes_out: The length of the result's.
    """

    begun: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    model: str = ""
    bytes_in: int = 0
    bytes_out: int = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time that this is open as the stage's."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def close(self) -> float:
        """Count as waiting what no stage took, and give the sum."""
        total = time.perf_counter() - self.begun
        self.seconds["waiting"] = max(0.0, total - sum(self.seconds.values()))
        return total


class Watch:
    """Counts one service's tasks, in a registry of its own; any thread may call it.

    What becomes a label is bounded, however odd the requests are: models are those of the
    catalogue, and everything else is `other`.
    """

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._accepted = Counter(
            "cutaway_tasks_accepted", "Tasks taken on.", ["model"], registry=registry
        )
        self._finished = Counter(
            "cutaway_tasks",
            "Tasks finished: success, or an error's code.",
            ["model", "outcome"],
            registry=registry,
        )
        self._depth = Gauge(
            "cutaway_queue_depth", "Tasks that wait or are worked on.", registry=registry
        )
        self._latency = Histogram(
            "cutaway_task_seconds",
            "From a task's acceptance to its outcome.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "cutaway_stage_seconds",
            "The time that each stage of a task took.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._bytes = Counter(
            "cutaway_bytes", "Bytes of pictures, in and out.", ["direction"], registry=registry
        )
        Info("cutaway", "What serves.", registry=registry).info({"version": __version__})
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def follow(self, depth: Callable[[], int]) -> None:
        """Have the queue's depth asked for whenever the numbers are read.

        Args:
            depth: Tells how many tasks wait or are worked on; from any thread, without waiting.
        """
        self._depth.set_function(depth)

    def accepted(self, model: str) -> None:
        """Count a task that was taken on.

        Args:
            model: What will run, by its local name.
        """
        self._accepted.labels(_label(model)).inc()

    def finished(
        self,
        *,
        task_uuid: str,
        model: str,
        outcome: str,
        seconds: Mapping[str, float],
        bytes_in: int,
        bytes_out: int,
    ) -> None:
        """Count a task that has its outcome, and write its line to the log.

        Args:
            task_uuid: The task's name.
            model: What ran, by its local name; empty if nothing did.
            outcome: `success`, or the error's code on the wire.
            seconds: The time of each stage by its name, `waiting` for a worker among them: their
                sum is the task's latency.
            bytes_in: The length of the picture's file as it came.
            bytes_out: The length of the result's.
        """
        label = _label(model)
        self._finished.labels(label, outcome).inc()
        self._latency.labels(label).observe(sum(seconds.values()))
        for stage, taken in seconds.items():
            self._stages.labels(stage).observe(taken)
        self._bytes.labels("in").inc(bytes_in)
        self._bytes.labels("out").inc(bytes_out)
        facts = {
            "taskUUID": task_uuid,
            "model": model,
            "outcome": outcome,
            "milliseconds": {stage: round(taken * 1000, 1) for stage, taken in seconds.items()},
            "bytesIn": bytes_in,
            "bytesOut": bytes_out,
        }
        _LOG.info("task finished", extra={"facts": facts})

    def exposition(self) -> tuple[bytes, str]:
        """All numbers as Prometheus reads them, and the content type to say so."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


def _label(model: str) -> str:
    """A model's local name where it is one that we know."""
    if model == "classical":
        return model
    try:
        return find(model).name
    except UnknownModel:
        return "other"
