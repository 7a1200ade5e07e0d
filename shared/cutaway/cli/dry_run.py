"""What a run would do: what would be sent, to where, and what it would cost. Nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutaway.backends.local import LocalBackend
from cutaway.catalogue import size_text
from cutaway.cli.batch import Outcome
from cutaway.cli.bill import dollars
from cutaway.client.many import Crew, Removal, removals
from cutaway.sources import SourceKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from cutaway.backends.runware import Prepared
    from cutaway.cli.batch import Rules
    from cutaway.cli.flags import Flags
    from cutaway.cli.outputs import Task
    from cutaway.client import Client
    from cutaway.progress import Cancellation
    from cutaway.runware.tasks import WireParameters

__all__ = ["LocalPlan", "RemotePlan"]


class LocalPlan:
    """Tells which model would run on this machine; see `Work`."""

    def __init__(self, client: Client, rules: Rules, flags: Flags) -> None:
        backend = LocalBackend(client.settings, flags.weights)
        self._model, _ = backend.choose(rules.options.model)

    def start(self, tasks: Sequence[Task]) -> Generator[Removal[Outcome], None, None]:
        """See `Work`."""
        for index, task in enumerate(tasks):
            told = f" -> {task.target or 'stdout'}: {self._model} would run on this machine"
            facts = {"backend": "local", "model": self._model}
            yield Removal(index, task, saved=Outcome(task, "planned", told, facts))


class RemotePlan:
    """Tells what would be sent to a service; see `Work`.

    Args:
        client: What would send it.
        rules: How.
        parameters: What would be asked of the service itself; None if pictures are wanted.
    """

    def __init__(self, client: Client, rules: Rules, parameters: WireParameters | None) -> None:
        self._client = client
        self._rules = rules
        self._parameters = parameters

    def start(self, tasks: Sequence[Task]) -> Generator[Removal[Outcome], None, None]:
        """See `Work`."""

        def prepare(index: int, task: Task, stop: Cancellation) -> Any:  # noqa: ANN401, ARG001  (a crew's work)
            return self._prepared(task, stop)

        def note(index: int, prepared: Any) -> Outcome:  # noqa: ANN401  (a crew's work)
            return _planned(tasks[index], prepared)

        return removals(tasks, Crew(self._rules.jobs or self._client.usual_jobs, prepare, note))

    def _prepared(self, task: Task, stop: Cancellation) -> Prepared:
        source, options = task.input.source, self._rules.options
        if self._parameters is None:
            return self._client.prepare(source, options, cancellation=stop)
        return self._client.runware.prepare(
            source, model=options.model, cancellation=stop, **self._parameters
        )


def _planned(task: Task, prepared: Prepared) -> Outcome:
    url, _, _ = prepared.url.partition("?")
    message, picture = _shown(prepared)
    told = (
        f": would send {message['taskType']} for {prepared.model} with {picture} "
        f"to {url}, {dollars(prepared.price)}"
    )
    facts = {
        "backend": url,
        "model": prepared.model,
        "cost": None if prepared.price is None else float(prepared.price),
        "size": prepared.size,
        "bytes": prepared.bytes,
        "message": message,
    }
    return Outcome(task, "planned", told, facts, has_price=True, cost=prepared.price)


def _shown(prepared: Prepared) -> tuple[dict[str, Any], str]:
    """The message with a few words where the picture's data are; and the picture in words."""
    message = dict(prepared.message)
    legacy = "inputImage" in message
    image = message["inputImage"] if legacy else message["inputs"]["image"]
    kind = kind_of(image)
    named = kind in {SourceKind.URL, SourceKind.UUID}
    words = f"the picture's {kind.name}" if named else _data_in_words(prepared, image)
    shown = image if named else f"<{words}>"
    if legacy:
        return {**message, "inputImage": shown}, words
    return {**message, "inputs": {**message["inputs"], "image": shown}}, words


def _data_in_words(prepared: Prepared, image: str) -> str:
    if prepared.size is None or prepared.bytes is None:
        return f"a picture as it was given ({size_text(len(image))} of text)"
    width, height = prepared.size
    kind = prepared.media_type or "an unknown type"
    return f"{width}x{height} pixels ({size_text(prepared.bytes)} of {kind})"
