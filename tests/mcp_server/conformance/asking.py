"""Tools that ask the client back, in either era's way, under the names the conformance suite uses.

Up to 2025-11-25 the server sends a request of its own; since 2026-07-28 it answers with what it
still needs, and the client calls again with that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context, Resolve, Sample
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

if TYPE_CHECKING:
    from mcp.server import MCPServer

Ctx = Context[Any, Any]


def add_questions(server: MCPServer[Any]) -> None:
    """Add them all."""
    for tool in (
        test_sampling,
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
        test_missing_capability,
        test_streaming_elicitation,
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_tampered_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_capabilities,
    ):
        server.add_tool(tool, description=tool.__doc__, structured_output=False)
    server.prompt(description=test_input_required_result_prompt.__doc__)(
        test_input_required_result_prompt
    )


async def test_sampling(ctx: Ctx, prompt: str) -> str:
    """Have the client's model answer."""
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    answer = await ctx.session.create_message(
        [message], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"LLM response: {answer.content}"


async def test_elicitation(ctx: Ctx, message: str) -> str:
    """Ask the user for a name and an address."""
    return await _ask(ctx, message, {"username": {"type": "string"}, "email": {"type": "string"}})


async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
    """Ask with a default of every kind."""
    states = ["active", "inactive", "pending"]
    return await _ask(
        ctx,
        "Are these right?",
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": states, "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
    )


async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
    """Ask with a choice of every kind."""
    options = [f"option{number}" for number in (1, 2, 3)]
    titled = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
    titles = [f"Option {number}" for number in (1, 2, 3)]
    return await _ask(
        ctx,
        "Which of each?",
        {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", "enum": options, "enumNames": titles},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
    )


async def _ask(ctx: Ctx, message: str, properties: dict[str, Any]) -> str:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return f"Elicitation completed: action={answer.action}, content={answer.content}"


def _capital() -> Sample:
    return Sample([_user("What is the capital of France?")], max_tokens=100)


async def test_missing_capability(answer: Annotated[CreateMessageResult, Resolve(_capital)]) -> str:
    """Need a model of the client's."""
    return str(answer.content)


def test_streaming_elicitation() -> InputRequiredResult:
    """Ask in the answer, never on the stream."""
    return InputRequiredResult(input_requests={"name": _question("What is your name?", "name")})


def test_input_required_result_elicitation(ctx: Ctx) -> InputRequiredResult | str:
    """Ask for a name."""
    answers = ctx.input_responses or {}
    if "user_name" in answers:
        return f"Hello, {answers['user_name']}!"
    return InputRequiredResult(input_requests={"user_name": _question("Your name?", "name")})


def test_input_required_result_sampling(ctx: Ctx) -> InputRequiredResult | str:
    """Have the client's model answer."""
    answers = ctx.input_responses or {}
    if "capital_question" in answers:
        return str(answers["capital_question"])
    return InputRequiredResult(
        input_requests={"capital_question": _sampling("What is the capital of France?")}
    )


def test_input_required_result_list_roots(ctx: Ctx) -> InputRequiredResult | str:
    """Ask for the client's roots."""
    answers = ctx.input_responses or {}
    if "client_roots" in answers:
        return str(answers["client_roots"])
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


def test_input_required_result_request_state(ctx: Ctx) -> InputRequiredResult | str:
    """Know from the second call's state that it is the second."""
    if ctx.request_state == "asked":
        return "state-ok"
    return InputRequiredResult(
        input_requests={"confirm": _question("Please confirm", "ok", kind="boolean")},
        request_state="asked",
    )


def test_input_required_result_tampered_state(ctx: Ctx) -> InputRequiredResult | str:
    """Never see a state that it did not give out: the SDK's seal keeps it away."""
    return test_input_required_result_request_state(ctx)


def test_input_required_result_multiple_inputs(ctx: Ctx) -> InputRequiredResult | str:
    """Ask three things at once."""
    if len(ctx.input_responses or {}) == 3:
        return "All three are here."
    return InputRequiredResult(
        input_requests={
            "user_name": _question("Your name?", "name"),
            "greeting": _sampling("Greet someone"),
            "client_roots": ListRootsRequest(),
        },
        request_state="asked",
    )


def test_input_required_result_multi_round(ctx: Ctx) -> InputRequiredResult | str:
    """Ask one thing after the other."""
    answers = ctx.input_responses or {}
    if "step2" in answers:
        return "Both are here."
    if "step1" in answers:
        return InputRequiredResult(
            input_requests={"step2": _question("Step 2: your colour?", "color")},
            request_state="round-2",
        )
    return InputRequiredResult(
        input_requests={"step1": _question("Step 1: your name?", "name")},
        request_state="round-1",
    )


def test_input_required_result_capabilities(ctx: Ctx) -> InputRequiredResult | str:
    """Ask only what the client says it can answer."""
    able = ctx.client_capabilities
    questions: dict[str, Any] = {}
    if able and able.sampling:
        questions["sampled"] = _sampling("Say something")
    if able and able.elicitation:
        questions["told"] = _question("Say something", "word")
    return InputRequiredResult(input_requests=questions) if questions else "Nothing to ask."


def test_input_required_result_prompt(ctx: Ctx) -> InputRequiredResult | str:
    """Ask before the prompt is given."""
    answers = ctx.input_responses or {}
    if "user_context" in answers:
        return f"In this context: {answers['user_context']}"
    return InputRequiredResult(
        input_requests={"user_context": _question("In which context?", "context")}
    )


def _question(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(text: str) -> CreateMessageRequest:
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[_user(text)], max_tokens=100)
    )


def _user(text: str) -> SamplingMessage:
    return SamplingMessage(role="user", content=TextContent(text=text))
