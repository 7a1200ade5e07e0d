"""The tool `remove_background`, and the work behind it that a batch does too."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import anyio
from anyio import to_thread
from mcp.server.mcpserver import ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ListRootsResult, ResourceLink, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from cutaway import CutawayError
from cutaway_mcp.asking import Consent, ask_consent, ask_roots, check_consent, folders_within
from cutaway_mcp.facts import CutoutFacts
from cutaway_mcp.failures import paid_for, quoted, refusal
from cutaway_mcp.folders import whole
from cutaway_mcp.outputs import is_url, room_for, usual_place
from cutaway_mcp.policy import LOCAL
from cutaway_mcp.progress import telling
from cutaway_mcp.state import Ctx, state_of
from cutaway_mcp.strict import strict_tool
from cutaway_mcp.writing import new_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver.tools import Tool

    from cutaway import AsyncClient, Cancellation, Cutout, RemovalOptions, Step
    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy
    from cutaway_mcp.state import State

__all__ = ["Details", "Job", "remove_background", "remove_one", "tools"]

T = TypeVar("T")
_PATIENCE = 0.8
"""Seconds that a cancelled call waits for its half-written file to be gone."""

_Threshold = Annotated[int | None, Field(ge=1, le=255)]


class Details(BaseModel):
    """The rarer options of a removal; what is left out is as the core has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha_matting: Annotated[
        bool | None, Field(description="Solve for fine detail such as hair; slower.")
    ] = None
    alpha_matting_foreground_threshold: Annotated[
        _Threshold, Field(description="From this alpha on surely subject; default 240.")
    ] = None
    alpha_matting_background_threshold: Annotated[
        _Threshold, Field(description="Up to this surely background; default 10.")
    ] = None
    alpha_matting_erode_size: Annotated[
        _Threshold, Field(description="Pixels in doubt along edges; default 10.")
    ] = None
    post_process_mask: Annotated[
        bool | None, Field(description="Remove specks and make the mask hard-edged.")
    ] = None
    clean_edges: Annotated[
        bool | None,
        Field(description="Take the old background's colour out of edges; default true."),
    ] = None
    keep_metadata: Annotated[
        bool | None, Field(description="Keep EXIF, XMP and resolution; default true.")
    ] = None
    format: Annotated[
        Literal["PNG", "WEBP", "JPG"] | None,
        Field(description="Default: by output_path's ending, else PNG."),
    ] = None
    quality: Annotated[
        int | None, Field(ge=20, le=99, description="For WEBP and JPG; default 95.")
    ] = None
    delivery: Annotated[
        Literal["sync", "async"] | None,
        Field(description="Remote: wait for the result, or poll for it."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One removal that was asked for.

    Attributes:
        source: A path or a URL, as the caller gives it.
        output_path: Where to, as the caller gives it; None for the usual place.
        overwrite: Whether a file there may be replaced.
        backend: As the caller names it; None for the server's usual one.
        delivery: `sync` or `async`, for a remote backend; None as the settings say.
        choices: The core's options by name, without those that were left out.
    """

    source: str
    output_path: str | None = None
    overwrite: bool = False
    backend: str | None = None
    delivery: str | None = None
    choices: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, details: Details | None, *, choices: dict[str, Any], **rest: Any) -> Job:  # noqa: ANN401  (this class's own fields)
        """A job of a caller's arguments; `choices` are the options beside those in `details`."""
        given = (details or Details()).model_dump(exclude_none=True)
        delivery = given.pop("delivery", None)
        named = {name: value for name, value in choices.items() if value is not None}
        return cls(choices={**given, **named}, delivery=delivery, **rest)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A job made sure of, before anything is read, sent or paid.

    Attributes:
        source: A real path, or a URL.
        target: A real path.
        shown: The same as the caller knows it.
        overwrite: Whether a file there may be replaced.
        options: What to do.
    """

    source: Path | str
    target: Path
    shown: Path
    overwrite: bool
    options: RemovalOptions


async def remove_one(
    state: State, folders: Folders, job: Job, on_step: Callable[[Step], None]
) -> tuple[Path, CutoutFacts]:
    """Do one job, when it is its turn.

    Args:
        state: What the server works with.
        folders: Where files may be, within the client's roots.
        job: What to do.
        on_step: Told of each step, on the event loop.

    Returns:
        The real path that was written, and what is known about it.

    Raises:
        ToolError: a path or a backend is not allowed, or can't be used.
        CutawayError: the removal failed.
    """
    from cutaway import Step

    plan = await to_thread.run_sync(_planned, state.policy, folders, job)
    client = await to_thread.run_sync(state.clients.get, job.backend, job.delivery)
    begun = time.perf_counter()
    on_step(Step("waiting", 0.0))
    async with state.turns(job.backend):
        cutout = await _removed(client, folders, plan, on_step)
        on_step(Step("writing", 0.0))
        facts = await _stoppable(partial(_written, state.policy, folders, plan, cutout))
    return plan.target, CutoutFacts(
        output_path=str(plan.shown),
        seconds=round(time.perf_counter() - begun, 2),
        left_machine=state.clients.named(job.backend) != LOCAL,
        **facts,
        warnings=[*cutout.warnings, *folders.warnings],
    )


def _planned(policy: Policy, folders: Folders, job: Job) -> _Plan:
    options = _options(job)
    source = _public(job.source, policy) if is_url(job.source) else folders.readable(job.source)
    if job.output_path is None:
        ending = f"{options.output.value}{options.format.suffix}"
        shown = usual_place(job.source, ending, folders, policy)
    else:
        shown = whole(job.output_path)
    target = folders.writable(str(shown), overwrite=job.overwrite)
    if target == source:
        raise refusal(
            f"{quoted(shown)} was not written", "it is the input", "Choose another output_path"
        )
    room_for(target, policy)  # if there is none, better now than when the work is done
    return _Plan(source, target, shown, job.overwrite, options)


def _options(job: Job) -> RemovalOptions:
    """The core's options, in the format that the output's ending tells."""
    from cutaway import ImageFormat, RemovalOptions

    if job.output_path is None:
        return RemovalOptions.parse(job.choices)
    told = ImageFormat.of_suffix(Path(job.output_path).suffix)
    wanted = job.choices.get("format")
    if told is None:
        why, next_step = "its ending is of no picture", "End it with .png, .webp or .jpg"
    elif wanted not in {None, told.value}:
        why, next_step = f"it doesn't end as a {wanted} does", "Leave the format out"
    else:
        return RemovalOptions.parse({**job.choices, "format": told})
    raise refusal(f"{quoted(job.output_path)} can't be written", why, next_step)


def _public(url: str, policy: Policy) -> str:
    """A URL that may be fetched, as far as its text tells; the core judges where it leads."""
    what = f"{quoted(url)} was not fetched"
    if not policy.network:
        raise refusal(what, "the server was started with --no-network", "Give a file's path")
    scheme = url.strip().partition("://")[0].lower()
    if scheme == "https" or (scheme == "http" and policy.allow_private_network):
        return url.strip()
    raise refusal(what, "only https:// URLs are", "Give an https URL, or a file's path")


async def _removed(
    client: AsyncClient, folders: Folders, plan: _Plan, on_step: Callable[[Step], None]
) -> Cutout:
    if isinstance(plan.source, str):
        return await client.remove_background(plan.source, plan.options, on_progress=on_step)
    with folders.opened(plan.source) as file:
        return await client.remove_background(file, plan.options, on_progress=on_step)


def _written(
    policy: Policy, folders: Folders, plan: _Plan, cutout: Cutout, cancellation: Cancellation
) -> dict[str, Any]:
    """Write the result, and give what is known about it."""
    try:
        # An encoder can't be stopped midway: but for PNG, which comes in pieces, no file is there
        # before all of it is.
        encoded = None if cutout.options.format == "PNG" else cutout.to_bytes()
        with new_file(
            folders,
            plan.target,
            overwrite=plan.overwrite,
            cancellation=cancellation,
            most=room_for(plan.target, policy),
        ) as file:
            if encoded is None:
                cutout.write(file)
            else:
                file.write(encoded)
            size = file.tell()
    except (CutawayError, ToolError) as error:
        if cutout.task_uuid is None:
            raise
        raise paid_for(cutout.task_uuid, error) from error
    box = cutout.bounding_box
    return {
        "width": cutout.width,
        "height": cutout.height,
        "format": cutout.options.format.value,
        "bytes": size,
        "backend": cutout.backend,
        "model": cutout.model,
        "subject_share": round(cutout.subject_share, 4),
        "soft_edge_share": round(cutout.soft_edge_share, 4),
        "bounding_box": [box.left, box.top, box.right, box.bottom] if box else None,
        "cost": None if cutout.cost is None else float(cutout.cost),
        "task_uuid": cutout.task_uuid,
    }


async def _stoppable(work: Callable[[Cancellation], T]) -> T:
    """Do work in a thread; if it is cancelled, wait for the thread to have cleaned up."""
    from cutaway import Cancellation

    cancellation = Cancellation()
    begun, finished = threading.Event(), threading.Event()

    def run() -> T:
        begun.set()
        try:
            return work(cancellation)
        finally:
            finished.set()

    try:
        return await to_thread.run_sync(run, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        cancellation.cancel()
        if begun.is_set():
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(finished.wait, _PATIENCE)
        raise


_Roots = Annotated[ListRootsResult, Resolve(ask_roots)]
_Answer = Annotated[ElicitationResult[Consent], Resolve(ask_consent)]
_Input = Annotated[
    str,
    Field(
        description="Absolute path of a picture in an allowed folder, or its https URL.",
        examples=["/photos/cat.jpg"],
    ),
]
_OutputPath = Annotated[
    str | None,
    Field(
        description="Absolute path of the file to write (.png, .webp, .jpg) in an existing "
        "allowed folder; default: NAME-cutout.png beside the input."
    ),
]
_Output = Annotated[
    Literal["cutout", "mask", "flattened"],
    Field(
        description="The subject on transparency, a grey mask (white = subject), or the subject "
        "on an opaque colour."
    ),
]
_Background = Annotated[
    str | None,
    Field(
        description="Colour behind the subject: CSS name or #rrggbb[aa]; default: none, or white "
        "if flattened."
    ),
]
_Model = Annotated[str, Field(description="A name from list_models; auto: the best one.")]
_Backend = Annotated[
    str | None,
    Field(
        description="local uploads nothing; others, such as runware, if the server allows them; "
        "default: the server's."
    ),
]
_Overwrite = Annotated[bool, Field(description="Replace what is at the output path.")]
_Options = Annotated[Details | None, Field(description="Rarer options.")]


async def remove_background(  # noqa: PLR0913, PLR0917  (a tool's arguments are its face)
    ctx: Ctx,
    roots: _Roots,
    consent: _Answer,
    input: _Input,  # noqa: A002  (the word that agents and users have for it)
    output_path: _OutputPath = None,
    output: _Output = "cutout",
    background: _Background = None,
    model: _Model = "auto",
    backend: _Backend = None,
    overwrite: _Overwrite = False,  # noqa: FBT002  (agents name every argument)
    options: _Options = None,
) -> Annotated[CallToolResult, CutoutFacts]:
    """Remove the background of one picture."""
    check_consent(ctx, backend, consent)
    job = Job.of(
        options,
        choices={"output": output, "background": background, "model": model},
        source=input,
        output_path=output_path,
        overwrite=overwrite,
        backend=backend,
    )
    state = state_of(ctx)
    async with telling(ctx.report_progress) as teller:
        path, facts = await remove_one(state, folders_within(ctx, roots), job, teller.step)
    return CallToolResult(
        content=[TextContent(type="text", text=facts.as_text()), _link(state, path, facts)],
        structured_content=facts.as_data(),
    )


def _link(state: State, path: Path, facts: CutoutFacts) -> ResourceLink:
    uri = state.results.uri(state.results.add(path, facts))
    return ResourceLink(
        type="resource_link",
        uri=uri,
        name=quoted(path.name).strip("'"),
        mime_type=state.results.media_type(uri),
        size=facts.bytes,
    )


def tools(policy: Policy) -> list[Tool]:
    """The tool of this room, described as the policy has it."""
    return [
        strict_tool(
            remove_background,
            title="Remove an image's background",
            description=(
                "Removes the background of one picture and writes the result to a file, at full "
                "size: a cutout with transparency, a mask, or the subject on a colour. Returns "
                "facts to judge it by, not the picture: look at it with view_image. For several "
                "pictures use remove_backgrounds. Never replaces a file unless overwrite is set. "
                "Runs on this machine and uploads nothing unless a remote backend is chosen, "
                "which may cost money. It can't blur a background, crop, or erase objects."
            ),
            annotations=ToolAnnotations(
                read_only_hint=False,
                destructive_hint=True,
                idempotent_hint=not policy.remote,
                open_world_hint=policy.network,
            ),
        )
    ]
