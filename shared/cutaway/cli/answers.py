"""The service's own answers instead of pictures: where its results are, and what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutaway.cli.batch import Outcome
from cutaway.client.many import Crew, removals
from cutaway.options import Output
from cutaway.runware.mask_settings import MaskSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from cutaway.cli.batch import Rules
    from cutaway.cli.flags import Flags
    from cutaway.cli.outputs import Task
    from cutaway.client import Client
    from cutaway.client.many import Removal
    from cutaway.options import RemovalOptions
    from cutaway.progress import Cancellation
    from cutaway.runware.replies import Result
    from cutaway.runware.tasks import WireParameters

__all__ = ["Answers", "wire_parameters"]


class Answers:
    """Has a service remove backgrounds, and downloads nothing; see `Work`.

    Args:
        client: What asks the service.
        rules: The model, and how many pictures at once.
        parameters: What else to ask, in the words of the wire.
        wanted: Whether to tell a result's `url` or its `uuid`.
    """

    def __init__(
        self, client: Client, rules: Rules, parameters: WireParameters, wanted: str
    ) -> None:
        self._client = client
        self._rules = rules
        self._parameters = parameters
        self._wanted = wanted

    def start(self, tasks: Sequence[Task]) -> Generator[Removal[Outcome], None, None]:
        """See `Work`."""

        def ask(index: int, task: Task, stop: Cancellation) -> Any:  # noqa: ANN401, ARG001  (a crew's work)
            return self._client.runware.submit(
                task.input.source,
                model=self._rules.options.model,
                cancellation=stop,
                **self._parameters,
            )

        def note(index: int, result: Any) -> Outcome:  # noqa: ANN401  (a crew's work)
            return self._outcome(tasks[index], result)

        return removals(tasks, Crew(self._rules.jobs or self._client.usual_jobs, ask, note))

    def _outcome(self, task: Task, result: Result) -> Outcome:
        place = result.image_uuid if self._wanted == "uuid" else result.image_url
        receipt = f"accepted, as the task {result.task_uuid}"
        facts = {
            "task_uuid": result.task_uuid,
            "uuid": result.image_uuid,
            "url": result.image_url,
            "cost": None if result.cost is None else float(result.cost),
            "answer": dict(result.fields),
        }
        told = f" -> {place or receipt}"
        return Outcome(task, "done", told, facts, has_price=True, cost=result.cost)


def wire_parameters(flags: Flags, options: RemovalOptions) -> WireParameters:
    """What the flags ask of the service itself, in the words of the wire.

    Raises:
        OptionError: a value can't be put so.
    """
    parameters: WireParameters = {
        "output_type": "URL",
        "output_format": options.format.value,
        "output_quality": flags.quality,
        "include_cost": True,
        "webhook_url": flags.webhook_url,
        "upload_endpoint": flags.upload_endpoint,
        "ttl": flags.ttl,
        "settings": _mask_settings(flags, options),
    }
    return parameters


def _mask_settings(flags: Flags, options: RemovalOptions) -> MaskSettings:
    fill = options.fill
    return MaskSettings(
        rgba=None if fill is None else (*fill.rgb, fill.alpha),
        post_process_mask=options.post_process_mask or None,
        return_only_mask=options.output is Output.MASK or None,
        alpha_matting=options.alpha_matting or None,
        alpha_matting_foreground_threshold=flags.foreground_threshold,
        alpha_matting_background_threshold=flags.background_threshold,
        alpha_matting_erode_size=flags.erode_size,
    )
