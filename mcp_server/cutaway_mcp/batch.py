"""The tool `remove_backgrounds`: many pictures in one call."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from anyio import to_thread
from mcp.server.mcpserver import ElicitationResult, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ListRootsResult, TextContent, ToolAnnotations
from pydantic import Field, WithJsonSchema

from cutaway import errors
from cutaway_mcp.asking import Consent, ask_consent, ask_roots, check_consent, folders_within
from cutaway_mcp.batch_facts import BatchFacts, Outcome, manifest, summary
from cutaway_mcp.failures import quoted, told
from cutaway_mcp.gathering import MOST, items, sources
from cutaway_mcp.outputs import is_url, room_for
from cutaway_mcp.policy import LOCAL
from cutaway_mcp.progress import telling
from cutaway_mcp.removing import Details, Job, remove_one
from cutaway_mcp.state import Ctx, state_of
from cutaway_mcp.strict import strict_tool
from cutaway_mcp.writing import new_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.mcpserver.tools import Tool

    from cutaway_mcp.folders import Folders
    from cutaway_mcp.gathering import Item
    from cutaway_mcp.policy import Policy

__all__ = ["remove_backgrounds", "tools"]

_SAME_PLACE = (
    "its result would go where that of another picture of this call goes. "
    "Do it with remove_background and an output_path of its own."
)
_MANIFEST = "cutaway-manifest.json"
_NOT_ABOUT_THE_PICTURE = (
    errors.AuthError,
    errors.ConfigError,
    errors.ConnectionFailed,
    errors.EngineError,
    errors.OptionError,
    errors.QuotaError,
)
"""What would befall every other picture of a batch as well, but for one in which nothing is."""

_Options = Annotated[
    Details | None,
    # Told once, by the other tool: an agent pays for every schema.
    WithJsonSchema({"type": "object", "description": "The options of remove_background."}),
]


async def remove_backgrounds(  # noqa: PLR0913  (a tool's arguments are its face)
    ctx: Ctx,
    *,
    roots: Annotated[ListRootsResult, Resolve(ask_roots)],
    consent: Annotated[ElicitationResult[Consent], Resolve(ask_consent)],
    inputs: Annotated[
        list[str],
        Field(
            min_length=1,
            max_length=MOST,
            description="Absolute paths of pictures, or of folders for the pictures right in "
            "them; or https URLs.",
            examples=[["/photos/cat.jpg", "/photos/holiday"]],
        ),
    ],
    output_folder: Annotated[
        str | None,
        Field(description="Absolute path of an existing folder; default: beside each input."),
    ] = None,
    output: Annotated[
        Literal["cutout", "mask", "flattened"],
        Field(description="As in remove_background."),
    ] = "cutout",
    background: Annotated[str | None, Field(description="Colour behind the subject.")] = None,
    model: Annotated[str, Field(description="A name from list_models, or auto.")] = "auto",
    backend: Annotated[
        str | None, Field(description="Where to run; default: the server's.")
    ] = None,
    overwrite: Annotated[
        bool, Field(description="Replace results that are there, instead of skipping them.")
    ] = False,
    options: _Options = None,
) -> Annotated[CallToolResult, BatchFacts]:
    """Remove the backgrounds of many pictures."""
    check_consent(ctx, backend, consent)
    state, folders = state_of(ctx), folders_within(ctx, roots)
    job = Job.of(
        options,
        choices={"output": output, "background": background, "model": model},
        source="",
        overwrite=overwrite,
        backend=backend,
    )
    begun = time.perf_counter()
    plan = partial(_planned, inputs, output_folder, job, folders, state.policy)
    outcomes = await _Run(ctx, folders, job, await to_thread.run_sync(plan)).outcomes()
    path, warnings = await to_thread.run_sync(_noted, outcomes, job, folders, state.policy)
    facts = summary(
        outcomes,
        seconds=time.perf_counter() - begun,
        manifest_path=path,
        left_machine=state.clients.named(backend) != LOCAL,
        warnings=warnings,
    )
    return CallToolResult(
        content=[TextContent(type="text", text=facts.as_text())],
        structured_content=facts.as_data(),
    )


def _planned(
    inputs: Sequence[str], output_folder: str | None, job: Job, folders: Folders, policy: Policy
) -> list[Item]:
    """The pictures and where their results go, with the options made sure of."""
    from cutaway import RemovalOptions

    options = RemovalOptions(**job.choices)
    ending = f"{options.output.value}{options.format.suffix}"
    return items(sources(inputs, folders), ending, output_folder, folders, policy)


class _Run:
    """The pictures of a batch at work: one after the other here, several at once elsewhere.

    Args:
        ctx: The request.
        folders: Where files may be.
        job: What to do with each picture.
        plan: The pictures.
    """

    def __init__(self, ctx: Ctx, folders: Folders, job: Job, plan: Sequence[Item]) -> None:
        self._ctx = ctx
        self._state = state_of(ctx)
        self._folders = folders
        self._job = job
        self._plan = plan
        self._left = iter(enumerate(plan))
        self._outcomes: dict[int, Outcome] = {}
        self._shares: dict[int, float] = {}
        self._told = -1.0
        self._hopeless: errors.CutawayError | None = None

    async def outcomes(self) -> list[Outcome]:
        """Work through the pictures, as long as there is hope for the next.

        Raises:
            CutawayError: what befell a picture would befall them all, and none is done.
        """
        here = self._state.clients.named(self._job.backend) == LOCAL
        at_once = 1 if here else int(self._state.elsewhere.total_tokens)
        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(self._work)
        found = [
            self._outcomes.get(index, Outcome(item, "not tried"))
            for index, item in enumerate(self._plan)
        ]
        if self._hopeless and not any(outcome.status == "done" for outcome in found):
            raise self._hopeless
        return found

    async def _work(self) -> None:
        """Take one picture after the other, until there is none or no hope."""
        for index, item in self._left:
            self._outcomes[index] = await self._outcome(index, item)
            self._shares[index] = 1.0
            if self._hopeless:
                return

    async def _outcome(self, index: int, item: Item) -> Outcome:
        """Do a picture, unless its result is there."""
        if any(item.output_path == earlier.output_path for earlier in self._plan[:index]):
            return Outcome(item, "failed", error=_SAME_PLACE)
        job = replace(self._job, source=item.source, output_path=item.output_path)
        try:
            if await to_thread.run_sync(_is_there, self._folders, job):
                return Outcome(item, "skipped")
            async with telling(partial(self._tell, index)) as teller:
                _, facts = await remove_one(self._state, self._folders, job, teller.step)
        except ToolError as error:
            return Outcome(item, "failed", error=str(error))
        except errors.CutawayError as error:
            if _is_hopeless(error):
                self._hopeless = error
            return Outcome(item, "failed", error=str(told(error)))
        return Outcome(item, "done", facts)

    async def _tell(self, index: int, value: float, total: float, message: str) -> None:
        """Tell how far one of the pictures is, as a part of the whole."""
        self._shares[index] = value / total
        share = round(sum(self._shares.values()), 6)
        if share > self._told:
            self._told = share
            which = f"{index + 1} of {len(self._plan)}"
            name = quoted(Path(self._plan[index].source).name)
            await self._ctx.report_progress(share, len(self._plan), f"{which}, {name}: {message}")


def _is_there(folders: Folders, job: Job) -> bool:
    """Whether a result is there that is to be kept."""
    if not is_url(job.source):
        folders.readable(job.source)  # it is what the caller named, and so should be told of first
    target = folders.writable(str(job.output_path), overwrite=True)
    return target.exists() and not job.overwrite


def _is_hopeless(error: errors.CutawayError) -> bool:
    """Whether every other picture would fail alike."""
    about_it = isinstance(error, errors.NoSubjectFound)
    return isinstance(error, _NOT_ABOUT_THE_PICTURE) and not about_it


def _noted(
    outcomes: Sequence[Outcome], job: Job, folders: Folders, policy: Policy
) -> tuple[str | None, list[str]]:
    """Write the manifest beside the first new result, if there is one.

    Returns:
        Its path if it was written, and a warning if it can't be.
    """
    from cutaway import Cancellation

    places = [outcome.item.output_path for outcome in outcomes if outcome.status == "done"]
    if not places:
        return None, []
    data = json.dumps(manifest(outcomes, job.choices), indent=1).encode()
    try:
        path = _free(Path(places[0]).with_name(_MANIFEST), overwrite=job.overwrite)
        target = folders.writable(str(path), overwrite=job.overwrite)
        with new_file(
            folders,
            target,
            overwrite=job.overwrite,
            cancellation=Cancellation(),
            most=room_for(target, policy),
        ) as file:
            file.write(data)
    except (ToolError, errors.CutawayError) as error:
        return None, [f"there is no manifest: {error}"]
    return str(path), []


def _free(path: Path, *, overwrite: bool) -> Path:
    """The path, or the next one of its kind where nothing is yet."""
    number, free = 2, path
    while not overwrite and os.path.lexists(free):
        number, free = number + 1, path.with_stem(f"{path.stem}-{number}")
    return free


def tools(policy: Policy) -> list[Tool]:
    """The tool of this room, described as the policy has it."""
    return [
        strict_tool(
            remove_backgrounds,
            title="Remove the backgrounds of many images",
            description=(
                f"Removes the backgrounds of up to {MOST} pictures, given by path or folder, each "
                "as remove_background does; use that for a single one. A picture that fails stops "
                "no other; one whose result is there already is skipped unless overwrite is set, "
                "so repeat a call that was cut short. Writes every picture's facts to a manifest "
                "beside the results; returns the counts, the cost, and what to look at first."
            ),
            annotations=ToolAnnotations(
                read_only_hint=False,
                destructive_hint=True,
                idempotent_hint=not policy.remote,
                open_world_hint=policy.network,
            ),
        )
    ]
