"""What a service shows to people and to what watches it: its page, docs, health and numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cutaway.service.openapi import document
from cutaway.service.reference import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from cutaway.client.models import ModelFacts
    from cutaway.service.configuration import Configuration
    from cutaway.service.metrics import Watch

__all__ = ["routes"]

_HTML = "text/html; charset=utf-8"
_TYPES = {
    ".html": _HTML,
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(
    configuration: Configuration,
    watch: Watch,
    *,
    ready: Callable[[], bool],
    models: Callable[[], Sequence[ModelFacts]],
    admit: Callable[[Request], None],
) -> list[BaseRoute]:
    """All that can be had with GET, but for stored pictures.

    That is `/` with `/page/`, `/docs`, `/openapi.json`, `/models.json`, `/healthz`, `/readyz` and
    `/metrics`.

    Args:
        configuration: Tells whether a key is asked for.
        watch: Whose numbers `/metrics` shows.
        ready: Tells whether tasks are taken on.
        models: Lists every model, as `model_facts` does; it is called in a thread.
        admit: Raises a `Refusal` for a request that may not see the numbers; where there is no
            key, the models neither: with one, the page has to show them before it is given.
    """
    needs_key = configuration.key is not None
    described = document(needs_key=needs_key)

    async def numbers(request: Request) -> Response:
        admit(request)
        content, kind = await run_sync(watch.exposition)
        return Response(content, headers=_unkept({"Content-Type": kind}))

    async def offer(request: Request) -> Response:
        if not needs_key:
            admit(request)
        offered = list(_offered(await run_sync(models)))
        told = {"models": offered, "needsKey": needs_key}
        return JSONResponse(told, headers=_unkept())

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_unkept())

    async def readiness(_request: Request) -> Response:
        if ready():
            return JSONResponse({"status": "ready"}, headers=_unkept())
        return JSONResponse({"status": "not ready"}, 503, headers=_unkept())

    async def openapi(_request: Request) -> Response:
        return JSONResponse(described, headers=_unkept())

    return [
        Route("/openapi.json", openapi),
        Route("/models.json", offer),
        Route("/healthz", alive),
        Route("/readyz", readiness),
        Route("/metrics", numbers),
        *_sheets(_Sheet(reference(described).encode(), _HTML)),
    ]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One file of the page; it is sent again only if it has changed."""

    content: bytes
    kind: str

    async def __call__(self, request: Request) -> Response:
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'
        headers = {**_HEADERS, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers={**headers, "Content-Type": self.kind})


def _sheets(docs: _Sheet) -> Iterable[BaseRoute]:
    """The page at `/`, what it is made of under `/page/`, and the docs, which look like it."""
    found = {
        one.name: _Sheet(one.read_bytes(), _TYPES[PurePath(one.name).suffix])
        for one in files("cutaway.service").joinpath("page").iterdir()
    }
    yield Route("/", found.pop("index.html").__call__)
    yield Route("/docs", docs.__call__)
    for name, sheet in found.items():
        yield Route(f"/page/{name}", sheet.__call__)


def _offered(models: Sequence[ModelFacts]) -> Iterator[dict[str, object]]:
    """The models that can run now, the best one first."""
    for one in sorted(models, key=lambda model: not model.is_auto):
        if one.installed:
            told = {"name": one.name, "title": one.title, "goodFor": one.good_for}
            yield {**told, "chosen": one.is_auto}


def _unkept(headers: dict[str, str] | None = None) -> dict[str, str]:
    return {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
