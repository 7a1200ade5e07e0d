"""The WebSocket face: authentication first, then task objects in, and one frame for each out.

What the official clients need of it beside the documented: a key that is refused is told twice, as
`errors` and as `error`, on a socket that stays open for a while; an idle one ends after 120 s.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from cutaway.errors import CutawayError
from cutaway.service import refusals
from cutaway.service.answers import Answer, fault_of, written
from cutaway.service.handling import Caller, content_of, failed
from cutaway.service.reading import Authentication, read
from cutaway.service.sessions import Session, Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cutaway.service.access import Access
    from cutaway.service.configuration import Configuration
    from cutaway.service.handling import Handler, Patience

__all__ = ["Sockets"]

_MOST_SOCKETS = 512
_MOST_AT_ONCE = 256
"""Task objects of one socket that are answered at a time."""

_NORMAL, _POLICY = 1000, 1008


class Sockets:
    """Answers WebSockets.

    Args:
        configuration: The public URL.
        access: Who may ask.
        handler: Does what is asked.
        patience: How long to wait for what.
    """

    def __init__(
        self,
        configuration: Configuration,
        access: Access,
        handler: Handler,
        patience: Patience,
    ) -> None:
        self._configuration, self._access, self._handler = configuration, access, handler
        self._patience = patience
        self._sessions = Sessions(self._patience.session)
        self._work: set[asyncio.Task[None]] = set()
        self._open = 0

    async def talk(self, websocket: WebSocket) -> None:
        """Talk with one client until it leaves, is idle, or its key is refused."""
        try:
            self._access.check_caller(websocket.headers)
            if self._open >= _MOST_SOCKETS:
                raise refusals.queue_full()
        except CutawayError as error:
            content = {"errors": list(Answer.failed(error).errors)}
            await websocket.send_denial_response(JSONResponse(content, fault_of(error).status))
            return
        self._open += 1
        try:
            await websocket.accept()
            if not self._access.wants_key:
                websocket.state.trust()
            await _Conversation(self, websocket).hold()
        except WebSocketDisconnect:
            pass
        finally:
            self._open -= 1

    def answer_later(self, session: Session, message: object, caller: Caller) -> asyncio.Task[None]:
        """Begin to answer a message; the answer goes wherever the session is then."""

        async def answer() -> None:
            for found in await self._handler.answers([message], caller):
                for frame in _frames(found):
                    await session.deliver(frame)

        task = asyncio.create_task(answer())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def settle(self, seconds: float) -> None:
        """Wait until all that is being answered has been."""
        if self._work:
            await asyncio.wait(self._work, timeout=seconds)

    @property
    def access(self) -> Access:
        """Who may ask."""
        return self._access

    @property
    def sessions(self) -> Sessions:
        """Those of all sockets."""
        return self._sessions

    @property
    def patience(self) -> Patience:
        """How long to wait for what."""
        return self._patience

    def caller(self, websocket: WebSocket, owner: str) -> Caller:
        """Who sends what comes on a socket."""
        return Caller.of(websocket, owner, self._configuration)


class _Conversation:
    """One socket, from the handshake on."""

    def __init__(self, sockets: Sockets, websocket: WebSocket) -> None:
        self._sockets, self._websocket = sockets, websocket
        self._session: Session | None = None
        self._work: set[asyncio.Task[None]] = set()

    async def hold(self) -> None:
        """Read and answer until the end.

        Raises:
            WebSocketDisconnect: the client left.
        """
        try:
            while (frame := await self._frame()) is not None:
                try:
                    for message in await content_of(frame):
                        await self._take(message)
                except _KeyRefusedError as refused:
                    await self._part(refused.error)
                    return
                except CutawayError as error:
                    await self._send(_frames(Answer.failed(error))[0])
            await self._websocket.close(_NORMAL, "idle")
        finally:
            if self._session is not None:
                self._session.detach(self._send)

    async def _frame(self) -> str | bytes | None:
        """The next frame; None if none came for too long."""
        waits = self._session is None and self._sockets.access.wants_key
        patience = self._sockets.patience
        while True:
            try:
                async with asyncio.timeout(patience.authentication if waits else patience.idle):
                    event = await self._websocket.receive()
            except TimeoutError:
                if self._work:
                    continue
                return None
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event.get("code") or _NORMAL)
            text: str | None = event.get("text")
            return text if text is not None else bytes(event.get("bytes") or b"")

    async def _take(self, message: object) -> None:
        """Begin to answer a message."""
        if isinstance(message, dict) and message.get("taskType") == "authentication":
            await self._authenticate(read(message))
            return
        session = self._session or self._begin(None)
        if not session.attached:
            await session.attach(self._send)
        if len(self._work) >= _MOST_AT_ONCE:
            await self._send(_frames(failed(refusals.queue_full(), message))[0])
            return
        caller = self._sockets.caller(self._websocket, session.owner)
        task = self._sockets.answer_later(session, message, caller)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _authenticate(self, request: object) -> None:
        if not isinstance(request, Authentication):
            return
        session = self._begin(request.key, request.session_uuid)
        item = {"taskType": "authentication", "connectionSessionUUID": session.uuid}
        await self._send(json.dumps({"data": [item]}))
        await session.attach(self._send)

    def _begin(self, key: str | None, earlier: str | None = None) -> Session:
        """Let the caller in by its key, or by the one that came with the handshake.

        Raises:
            _KeyRefusedError: there is none, or it is wrong.
        """
        access = self._sockets.access
        try:
            owner = access.owner(key or access.bearer(self._websocket.headers))
        except CutawayError as error:
            raise _KeyRefusedError(error) from error
        self._websocket.state.trust()
        self._session = self._session or self._sockets.sessions.open(owner, earlier)
        return self._session

    async def _part(self, error: CutawayError) -> None:
        """Tell why the key isn't taken, as every client reads it, and close once it has."""
        item = Answer.failed(error, task_type="authentication").errors[0]
        await self._send(json.dumps({"errors": [item], "error": item}))
        try:
            async with asyncio.timeout(self._sockets.patience.farewell):
                while (await self._websocket.receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            await self._websocket.close(_POLICY, "the key was refused")

    async def _send(self, frame: str) -> bool:
        """Send a frame; whether the client was still there."""
        try:
            await self._websocket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError):  # the latter if it was closed from here
            return False
        return True


class _KeyRefusedError(Exception):
    """A client's key is none, or wrong."""

    def __init__(self, error: CutawayError) -> None:
        super().__init__(error)
        self.error = error


def _frames(answer: Answer) -> list[str]:
    """The frames of an answer: results and errors never share one."""
    parts: list[Mapping[str, Any]] = [{"data": [item]} for item in answer.data]
    parts += [{"errors": [item]} for item in answer.errors]
    return [written(part).decode() for part in parts]
