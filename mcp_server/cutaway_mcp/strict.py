"""Tools that take only what they know, and whose failures an agent can act on.

The SDK drops arguments that a tool doesn't have, so that a misspelt one seems to have worked; and
it answers wrong ones with pydantic's own words. A tool made here says what is wrong, and names the
nearest valid argument. It also carries every failure of its body through `cutaway_mcp.failures`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast, get_args

from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY
from pydantic import BaseModel, ConfigDict, ValidationError

from cutaway import CutawayError
from cutaway_mcp.failures import crash, quoted, refusal, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
    from mcp_types import Icon, ToolAnnotations
    from pydantic_core import ErrorDetails

__all__ = ["StrictTool", "strict_tool"]

_MOST_TOLD = 3
_OF_A_QUESTION = "Resolver "
"""How the SDK begins what it says of an answer that it can't use."""


class StrictTool(Tool):
    """A tool whose arguments are checked to the last name, and whose failures are told well."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,  # noqa: FBT001, FBT002  (the SDK's own signature)
    ) -> Any:  # noqa: ANN401  (likewise)
        """Run the tool.

        Raises:
            ToolError: the arguments are wrong, or the tool failed; its text is for the agent.
            MCPError: the request itself is wrong, such as one that asks too much of the client.
        """
        self._check(arguments)
        try:
            return await super().run(arguments, context, convert_result)
        except UnexpectedToolError as error:
            if isinstance(error.__cause__, CutawayError):
                raise told(error.__cause__) from error
            raise crash(self.name, error) from error
        except MCPError as error:
            if error.code == MISSING_REQUIRED_CLIENT_CAPABILITY:
                raise
            raise _unanswered(self.name) from error
        except ToolError as error:
            # The SDK puts the tool's name before every text; the agent knows what it called.
            text = str(error).removeprefix(f"Error executing tool {self.name}: ")
            of_a_question = text.startswith(_OF_A_QUESTION)
            raise (_unanswered(self.name) if of_a_question else ToolError(text)) from error

    def _check(self, arguments: dict[str, Any]) -> None:
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise _misfit(self.name, self.fn_metadata.arg_model, arguments, error) from error


def _unanswered(tool: str) -> ToolError:
    return refusal(
        f"{tool} was not run",
        "the client gave no usable answer to what it was asked first: its roots, or consent",
        "Try again, or use the backend local, for which no consent is needed",
    )


def strict_tool(
    fn: Callable[..., Any],
    *,
    title: str,
    description: str,
    annotations: ToolAnnotations,
    structured_output: bool | None = None,
    icons: list[Icon] | None = None,
) -> Tool:
    """Make a tool of a function; its name is the function's.

    Every annotation must be readable from the function's own module at run time. Models among its
    arguments must forbid extra fields themselves.

    Args:
        fn: The tool's body; it may raise errors of the core's tree as they are.
        title: For people.
        description: For agents.
        annotations: What it does to its surroundings.
        structured_output: Whether it has an output schema; told from the annotation if not given.
        icons: To show beside it.
    """
    tool = StrictTool.from_function(
        fn,
        title=title,
        description=description,
        annotations=annotations,
        icons=icons,
        structured_output=structured_output,
    )
    loose = tool.fn_metadata.arg_model
    extra = {"model_config": ConfigDict(extra="forbid"), "__module__": loose.__module__}
    model = cast("type[ArgModelBase]", type(loose.__name__, (loose,), extra))
    tool.fn_metadata.arg_model = model
    tool.parameters = lean(model.model_json_schema(by_alias=True))
    if tool.fn_metadata.output_schema is not None:
        tool.fn_metadata.output_schema = lean(tool.fn_metadata.output_schema, closed=False)
    return tool


def lean(schema: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """A schema without what an agent pays for and learns nothing from.

    That is titles made of names, null beside the type of what may be left out, and a detour over
    `$defs` with the docstring of a class of ours; some clients don't follow references either.

    Args:
        schema: A model's, as pydantic makes it.
        closed: Whether to say that there are no other properties, as arguments must.
    """
    parts = schema.get("$defs", {})
    shown = {key: value for key, value in schema.items() if key not in {"$defs", "description"}}
    noise = [("default", None)] if closed else [("default", None), ("additionalProperties", False)]
    return _lean(shown, parts, noise)


def _lean(
    schema: dict[str, Any], parts: Mapping[str, Any], noise: list[tuple[str, Any]]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in _resolved(schema, parts).items():
        if key == "title" or (key, value) in noise:
            continue
        if key == "properties":  # its keys are names, and one may be "title"
            result[key] = {name: _lean(part, parts, noise) for name, part in value.items()}
        else:
            result[key] = _lean(value, parts, noise) if key == "items" else value
    return result


def _resolved(schema: dict[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with what it refers to in its place, and without null as a choice."""
    rest = dict(schema)
    choices = [part for part in rest.get("anyOf", ()) if part != {"type": "null"}]
    if len(choices) == 1:
        del rest["anyOf"]
        rest = {**choices[0], **rest}
    if "$ref" in rest:
        named = parts[rest.pop("$ref").rpartition("/")[2]]
        described = {key: value for key, value in named.items() if key != "description"}
        rest = {**described, **rest}
    return rest


def _misfit(
    tool: str, model: type[BaseModel], arguments: Mapping[str, Any], error: ValidationError
) -> ToolError:
    details = error.errors(include_url=False, include_context=False)
    # What is unknown comes first: a misspelt argument is also a missing one.
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    reasons = [_reason(model, arguments, detail) for detail in details[:_MOST_TOLD]]
    return refusal(f"{tool} was not run", "; ".join(reasons), "Correct the arguments and try again")


def _reason(model: type[BaseModel], arguments: Mapping[str, Any], detail: ErrorDetails) -> str:
    location = [str(part) for part in detail["loc"]]
    name = ".".join(location)
    match detail["type"]:
        case "extra_forbidden":
            return f"there is no argument {quoted(name)}{_hint(model, arguments, location)}"
        case "missing":
            return f"{name} is missing"
        case _:
            reason = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            return f"{name} can't be {quoted(detail['input'])}: it {_clause(reason)}"


def _clause(reason: str) -> str:
    return reason if reason.startswith(("should", "must")) else f"is wrong ({reason})"


def _hint(model: type[BaseModel], arguments: Mapping[str, Any], location: list[str]) -> str:
    """Where the caller may have meant to go: the nearest name, here or at the other level."""
    known = _names(model)
    here = [name for name in known if name[:-1] == tuple(location[:-1])]
    elsewhere = [name for name in known if name not in here]
    given = {(name,) for name in arguments}
    free = [name for name in here if name not in given]
    for candidates in (free, elsewhere, here):
        if near := _nearest(location[-1], candidates):
            return f", the nearest is {'.'.join(near)}"
    there = ", ".join(name[-1] for name in here)
    return f", there are {there}" if there else ", it takes none"


def _names(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """The names of a model's fields, and of those one level down."""
    names: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        names.append((name,))
        nested = _nested(field.annotation)
        names.extend((name, inner) for inner in (nested.model_fields if nested else ()))
    return names


def _nested(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  (any annotation)
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _nearest(name: str, candidates: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    by_name = {one[-1]: one for one in candidates}
    plain = name.lower().replace("-", "_")
    if slip := get_close_matches(plain, by_name, n=1, cutoff=0.85):
        return by_name[slip[0]]
    for own, one in by_name.items():  # input_path means input, more than output_path
        if plain.startswith(f"{own}_") or own.startswith(f"{plain}_"):
            return one
    close = get_close_matches(plain, by_name, n=1, cutoff=0.6)
    return by_name[close[0]] if close else None
