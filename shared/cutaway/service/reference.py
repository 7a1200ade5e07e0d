"""The API's description as a page to read, made from its OpenAPI document."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["reference"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Cutaway: the API</title>
  <link rel="icon" href="page/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="page/page.css">
</head>
<body>
  <header class="bar">
    <a class="brand" href="."><img src="page/icon.svg" alt="" width="28" height="28">Cutaway</a>
    <nav><a href="openapi.json">openapi.json</a></nav>
  </header>
  <main class="reading">
{content}
  </main>
</body>
</html>
"""

_EXAMPLE = """POST /v1
Content-Type: application/json
{key}
[{{
  "taskType": "removeBackground",
  "taskUUID": "5b0b5d2e-6d1f-4c1e-9a55-2f0a6f1f8a11",
  "model": "runware:112@2",
  "inputs": {{"image": "https://example.com/photo.jpg"}}
}}]"""

_PARTS = ("Inputs", "Settings")
"""What stands inside a task."""

_SIMPLE = {"boolean": "true or false", "object": "an object", "number": "a number", "null": "null"}
_FORMATS = {"uuid": "a UUID", "uri": "an http or https URL"}
_CODE = re.compile(r"`([^`]*)`")


def reference(document: Mapping[str, Any]) -> str:
    """The page, whole and without scripts.

    Args:
        document: What `cutaway.service.openapi.document` gives.
    """
    return _PAGE.format(content="\n".join(_content(document)))


def _content(document: Mapping[str, Any]) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    tasks = [*map(_name, _task_refs(document)), *_PARTS]
    answers = ["Result", "Acknowledgement", "Problem"]
    yield f"<h1>The API of this server</h1><p>{_words(document['info']['description'])}</p>"
    locked = "securitySchemes" in document["components"]
    yield f"<pre><code>{escape(_example(locked=locked))}</code></pre>"
    shown = [*tasks, *answers]
    links = "".join(f'<li><a href="#{name}">{name}</a></li>' for name in shown)
    yield f'<ul class="contents">{links}</ul>'
    paths = dict(document["paths"])
    yield from _operation("/v1", paths.pop("/v1")["post"])
    yield "<h2>Tasks</h2>"
    yield from (_object(name, schemas) for name in tasks)
    yield "<h2>Answers</h2>"
    yield from (_object(name, schemas) for name in answers)
    yield "<h2>What can be had with GET</h2>"
    yield _table(
        [f"<code>{escape(path)}</code>", f"{_words(methods['get']['summary'])}."]
        for path, methods in paths.items()
    )


def _example(*, locked: bool) -> str:
    return _EXAMPLE.format(key="Authorization: Bearer KEY\n" if locked else "")


def _task_refs(document: Mapping[str, Any]) -> list[str]:
    body = document["paths"]["/v1"]["post"]["requestBody"]["content"]["application/json"]
    _, one = body["schema"]["anyOf"]
    return [task["$ref"] for task in one["anyOf"]]


def _operation(path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2><span class="method">POST</span><code>{path}</code></h2>'
    yield f"<p>{_words(operation['description'])}</p>"
    yield _table(
        [status, _words(answer["description"])] for status, answer in operation["responses"].items()
    )


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table of cells, which are HTML."""
    named = "".join(f"<th scope=col>{cell}</th>" for cell in head)
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    above = f"<thead><tr>{named}</tr></thead>" if head else ""
    return f'<div class="table"><table>{above}<tbody>{cells}</tbody></table></div>'


def _object(name: str, schemas: Mapping[str, Any]) -> str:
    """One kind of object: what it is for, and a row for each of its parts."""
    schema = schemas[name]
    needed = schema.get("required", ())
    rows = [
        [
            f"<code>{part}</code>{' <span class=need>required</span>' * (part in needed)}",
            _kind(told),
            _words(told.get("description", "")),
        ]
        for part, told in schema["properties"].items()
    ]
    table = _table(rows, ("Name", "What it may be", "What it means"))
    return f'<h3 id="{name}">{name}</h3><p>{_words(schema["description"])}</p>{table}'


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words; null, which is the same as nothing, aside."""
    if "$ref" in schema:
        name = _name(schema["$ref"])
        return f'<a href="#{name}">{name}</a>' if name in _PARTS else name
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one != {"type": "null"}]
        return ", or ".join(kinds)
    if "const" in schema:
        return f"<code>{escape(schema['const'])}</code>"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(one)}</code>" for one in schema["enum"])
    return _plain_kind(schema)


def _plain_kind(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "string":
            return _FORMATS.get(schema.get("format", ""), "text")
        case "integer":
            low, high = schema.get("minimum"), schema.get("maximum")
            return f"{low}..{high}" if high is not None else f"a whole number from {low}"
        case "array" if "prefixItems" in schema:
            return f"{len(schema['prefixItems'])} numbers"
        case "array":
            return "a list of them"
        case kind:
            return _SIMPLE.get(kind or "", "anything")


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _words(text: str) -> str:
    """Text as HTML, with what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
