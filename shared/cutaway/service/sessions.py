"""Sessions on WebSockets: what is sent in one, and what is kept while its socket is away."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Send = Callable[[str], Awaitable[bool]]

__all__ = ["Session", "Sessions"]

_KEPT_FOR = 120.0
"""Seconds that a session without a socket can be taken up again."""

_KEPT = 32 << 20
"""Characters of answers that one session keeps; with more, the oldest are let go of."""

_KEPT_BY_ALL = 256 << 20


class Session:
    """A caller's place to which answers go, whichever socket it has just now.

    Attributes:
        uuid: By which its caller takes it up again.
        owner: Whose it is.
    """

    def __init__(self, owner: str, sessions: Sessions) -> None:
        self.uuid, self.owner = str(uuid4()), owner
        self._sessions = sessions
        self._send: Send | None = None
        self._end: asyncio.TimerHandle | None = None
        self._waiting: deque[str] = deque()
        self._length = 0

    async def attach(self, send: Send) -> None:
        """Let answers go out by `send` from now on, first those that have waited.

        Args:
            send: Sends a frame; it tells whether the socket was still there.
        """
        self._send = send
        if self._end is not None:
            self._end.cancel()
        waiting, self._waiting = self._waiting, deque()
        self._count(-self._length)
        while waiting and self._send == send:
            await self.deliver(waiting.popleft())
        for frame in waiting:  # the socket is gone again
            self._keep(frame)

    def detach(self, send: Send) -> None:
        """Keep answers from now on, unless another socket has taken this one's place."""
        if self._send == send:
            self._send = None
            self._end = self._sessions.forget_later(self)

    @property
    def attached(self) -> bool:
        """Whether it has a socket."""
        return self._send is not None

    async def deliver(self, frame: str) -> None:
        """Send a frame, or keep it for the next socket."""
        send = self._send
        if send is None or not await send(frame):
            self._keep(frame)

    def drop(self) -> None:
        """Let go of what is kept."""
        self._waiting.clear()
        self._count(-self._length)

    def _keep(self, frame: str) -> None:
        if not self._sessions.knows(self):
            return
        self._waiting.append(frame)
        self._count(len(frame))
        while self._waiting and (self._length > _KEPT or self._sessions.kept > _KEPT_BY_ALL):
            self._count(-len(self._waiting.popleft()))

    def _count(self, more: int) -> None:
        self._length += more
        self._sessions.kept += more


class Sessions:
    """All sessions of a service.

    Attributes:
        kept: Characters of all answers that wait for a socket.
    """

    def __init__(self, kept_for: float = _KEPT_FOR) -> None:
        self.kept = 0
        self._kept_for = kept_for
        self._by_uuid: dict[str, Session] = {}

    def open(self, owner: str, earlier: str | None = None) -> Session:
        """Begin a session, or take up an earlier one of the same owner by its UUID."""
        known = self._by_uuid.get((earlier or "").lower())
        if known is not None and known.owner == owner:
            return known
        session = Session(owner, self)
        self._by_uuid[session.uuid] = session
        return session

    def knows(self, session: Session) -> bool:
        """Whether it can still be taken up again."""
        return self._by_uuid.get(session.uuid) is session

    def forget_later(self, session: Session) -> asyncio.TimerHandle:
        """Let go of a session once its time without a socket is over, unless that is cancelled."""
        return asyncio.get_running_loop().call_later(self._kept_for, self._forget, session)

    def _forget(self, session: Session) -> None:
        self._by_uuid.pop(session.uuid, None)
        session.drop()
