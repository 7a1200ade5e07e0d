"""The prompt "cut out and check", and the model names that complete its argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from mcp_types import Completion, PromptReference
from pydantic import Field

from cutaway_mcp.failures import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcp.server.mcpserver import MCPServer
    from mcp_types import CompletionArgument, CompletionContext, ResourceTemplateReference

    from cutaway import ModelFacts
    from cutaway_mcp.state import State

__all__ = ["cut_out_and_check", "offer_prompt"]

_MOST = 100  # the protocol's own limit on completions

_WAY = """\
Remove the background of {path} and make sure that the result is good:

1. Call remove_background with this input and the model {model}.
2. Judge the facts: does subject_share fit the picture, does bounding_box hold the whole subject, \
is there a warning?
3. Call view_image on the output_path, and on the input to compare. Zoom with region into hair, \
fur, thin parts and holes, such as the space between arm and body. On #ff00ff or #00ff00 a fringe \
of the old background is easy to see.
4. If something is missing, left over or ragged, try again with overwrite, one change at a time: \
another model from list_models that is good for this kind of subject; alpha matting for hair and \
fur; mask post-processing for specks. Stop after three attempts.
5. Tell where the result is, which settings gave it, and what is still not right.
"""


def cut_out_and_check(
    path: Annotated[str, Field(description="Absolute path of the picture.")],
    model: Annotated[str, Field(description="The model to begin with; auto if left out.")] = "auto",
) -> str:
    """Remove a background, look at the result, and try again where it falls short."""
    return _WAY.format(path=quoted(path), model=quoted(model))


def offer_prompt(server: MCPServer[State], state: State) -> None:
    """Have a server offer the prompt, and complete the names of models in it."""
    server.prompt(title="Cut out and check")(cut_out_and_check)

    @server.completion()  # type: ignore[no-untyped-call,untyped-decorator]  # (the SDK's own lack)
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG001  (of other arguments, which tell nothing)
    ) -> Completion | None:
        asked = isinstance(ref, PromptReference) and ref.name == cut_out_and_check.__name__
        if not asked or argument.name != "model":
            return None
        client = await to_thread.run_sync(state.clients.get)
        models = await client.models()
        begun = argument.value.strip().lower()
        names = _names(models, remote=state.policy.remote)
        fitting = [name for name in names if name.lower().startswith(begun)]
        return Completion(values=fitting[:_MOST], total=len(fitting), has_more=len(fitting) > _MOST)


def _names(models: Iterable[ModelFacts], *, remote: bool) -> Iterator[str]:
    """What the models may be called; those that work at once come first."""
    yield "auto"
    ready = sorted(models, key=lambda model: not (model.installed or (remote and model.remote)))
    for model in ready:
        if model.local or remote:
            yield model.name
    for model in ready:
        if remote and model.air:
            yield model.air
