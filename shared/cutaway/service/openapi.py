"""The service's API as an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from cutaway._version import __version__
from cutaway.service.reading import MOST_TASKS
from cutaway.service.vocabulary import TASKS, Answer, Errors, Health, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

__all__ = ["document"]

_FAILURES = {
    400: "Nothing could be done as it was asked for.",
    401: "The key is missing or wrong.",
    403: "It is not allowed.",
    404: "A task, a picture or a model isn't there.",
    408: "It takes longer than one may wait; ask with `getResponse`.",
    413: "The body is too large.",
    415: "The body must be `application/json`.",
    421: "The service isn't known by that `Host`.",
    429: "The queue is full; `Retry-After` says when to try again.",
    500: "It failed.",
    503: "It can't be done now, as when the service is being stopped.",
}


class _Untitled(GenerateJsonSchema):
    """Leaves out titles that would only say a field's name again."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """No, whatever it is."""
        del schema
        return False


def document(*, needs_key: bool = False) -> dict[str, Any]:
    """The whole document, as JSON has it.

    Args:
        needs_key: Whether a request has to bring a key.
    """
    models: list[type[BaseModel]] = [*TASKS, Answer, Errors, Health, Offer]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    locked: dict[str, Any] = {"security": [{"key": []}]} if needs_key else {}
    scheme = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutaway",
            "version": __version__,
            "description": "The Runware API for removing backgrounds, served from this machine.",
        },
        "servers": [{"url": "/"}],
        "paths": _paths(locked),
        "components": {
            "schemas": schemas["$defs"],
            **({"securitySchemes": scheme} if needs_key else {}),
        },
    }


def _paths(locked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "/v1": {"post": {**_tasks(), **locked}},
        "/media/{name}": {"get": _media()},
        "/models.json": {"get": _shown("listModels", "The models that are here", _json("Offer"))},
        "/healthz": {"get": _shown("isAlive", "Whether the service runs", _json("Health"))},
        "/readyz": {"get": _readiness()},
        "/metrics": {"get": {**_metrics(locked), **locked}},
    }


def _tasks() -> dict[str, Any]:
    one = {"anyOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in TASKS]}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_TASKS}
    failures = {
        str(status): {"description": told, "content": _json("Errors")}
        for status, told in _FAILURES.items()
    }
    return {
        "operationId": "doTasks",
        "summary": "Do tasks",
        "description": "An array of tasks, or one alone. If any of them succeeds the status is "
        "200, and what failed stands in `errors`. Any path will do.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [many, one]}}},
        },
        "responses": {
            "200": {"description": "What came of each task.", "content": _json("Answer")},
            **failures,
        },
    }


def _media() -> dict[str, Any]:
    kinds = ("image/png", "image/webp", "image/jpeg", "image/*", "application/octet-stream")
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "getMedia",
        "summary": "A picture, by the URL that a result tells",
        "parameters": [name],
        "responses": {
            "200": {"description": "Its bytes.", "content": {kind: {} for kind in kinds}},
            "404": {
                "description": "There is none of that name, or no longer.",
                "content": _json("Errors"),
            },
        },
    }


def _readiness() -> dict[str, Any]:
    shown = _shown("isReady", "Whether tasks are taken on", _json("Health"))
    shown["responses"]["503"] = {"description": "They are not.", "content": _json("Health")}
    return shown


def _metrics(locked: Mapping[str, Any]) -> dict[str, Any]:
    shown = _shown("getMetrics", "Numbers for Prometheus", {"text/plain": {}})
    if locked:
        shown["responses"]["401"] = {"description": _FAILURES[401], "content": _json("Errors")}
    return shown


def _shown(name: str, summary: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """What can be had without asking for anything in particular."""
    responses: dict[str, Any] = {"200": {"description": f"{summary}.", "content": content}}
    return {"operationId": name, "summary": summary, "responses": responses}


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
