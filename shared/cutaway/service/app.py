"""The service's application: which request goes where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route, WebSocketRoute

from cutaway.errors import CutawayError
from cutaway.service.access import Access
from cutaway.service.handling import Handler, Patience
from cutaway.service.http import Pictures, Tasks, answer_error
from cutaway.service.pages import routes
from cutaway.service.websocket import Sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from cutaway.client.models import ModelFacts
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.service.desk import Desk
    from cutaway.service.media import MediaStore
    from cutaway.service.metrics import Watch

__all__ = ["Application"]


class Application:
    """One service's faces, put together.

    Args:
        configuration: How it runs.
        desk: Does what is asked.
        media: Its pictures.
        watch: Its numbers.
        check: Finds out whether a removal could be done; it is called in a thread.
        models: Lists the models there are; it is called in a thread.
        patience: How long clients are waited for.

    Attributes:
        asgi: For the server below.
        sockets: The WebSockets of it.
    """

    def __init__(  # noqa: PLR0913  (the parts of one service)
        self,
        configuration: Configuration,
        desk: Desk,
        media: MediaStore,
        watch: Watch,
        *,
        check: Callable[[RemovalTask], object],
        models: Callable[[], Sequence[ModelFacts]],
        patience: Patience = Patience(),  # noqa: B008  (it can't change)
    ) -> None:
        access = Access(configuration)
        handler = Handler(desk, check, configuration.price)
        self.sockets = Sockets(configuration, access, handler, patience)
        tasks = Tasks(configuration, access, handler, patience)

        def admit(request: Request) -> None:
            access.check_caller(request.headers)
            access.owner(access.bearer(request.headers))

        shown = routes(configuration, watch, ready=lambda: desk.ready, models=models, admit=admit)
        self.asgi = Starlette(
            routes=[
                *shown,
                Route("/media/{name}", Pictures(media).get),
                Route("/{path:path}", tasks.post, methods=["POST"]),
                WebSocketRoute("/{path:path}", self.sockets.talk),
            ],
            exception_handlers={
                CutawayError: answer_error,
                HTTPException: answer_error,
                Exception: answer_error,
            },
        )
