"""A service on loopback that speaks the Runware API over HTTP and WebSocket, well or badly.

    with RunwareService() as service:
        service.faults.extend([None, Drop(accepted=True)])   # the second task's answer is lost
        ...  # talk to service.http_url or service.ws_url with service.key
        assert service.submissions(task_uuid) == 1
        assert list(service.billed) == [task_uuid]
        service.wait_until(lambda: not service.open_connections)

Sockets are real and nothing sleeps: what waits, waits for an event. Faults are in
`tests.fakes.runware_faults`.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections import deque
from typing import TYPE_CHECKING, Self

from tests.fakes.runware_account import Account
from tests.fakes.runware_faults import PATIENCE, Hold
from tests.fakes.runware_pictures import cut_out
from tests.fakes.runware_transports import Download, Received, Server, Session
from tests.fakes.runware_websocket import reset

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from decimal import Decimal

    from tests.fakes.runware_faults import Fault
    from tests.fakes.runware_reading import Removal
    from tests.fakes.runware_transports import Message
    from tests.fakes.runware_websocket import ServerSocket

__all__ = ["Download", "Received", "RunwareService", "Session"]

_REMOVALS = {"removeBackground", "imageBackgroundRemoval"}


class RunwareService:
    """The service, on 127.0.0.1 at a free port, while the `with` block runs.

    Both transports have the same port, so the URL of one leads to the other with its scheme.

    Attributes:
        key: The key that it demands; with `RunwareService(key=None)` it demands none.
        account: What it keeps and billed.
        requests: Every task object that came, in order.
        downloads: Every result that was asked for, in order.
        faults: What goes wrong with the next task objects (None: nothing); neither authentication
            nor ping takes one.
        fault_for: Asked for every task object that takes none from the queue.
        download_faults: The same for downloads of results: `Answer`, `Drop` or `DropMidAnswer`.
        handshake_faults: The same for WebSockets that are to be opened: `Answer` or `Drop`.
        sessions: What WebSockets have begun, by UUID.
        connections: How many TCP connections were made.
        open_connections: How many are open.
    """

    def __init__(
        self, *, key: str | None = "", cut: Callable[[bytes, Removal], bytes] = cut_out
    ) -> None:
        self.key = key or secrets.token_urlsafe(24)
        self.account = Account(cut, lambda name: f"{self.origin}/results/{name}")
        self.requests: list[Received] = []
        self.downloads: list[Download] = []
        self.faults: deque[Fault | None] = deque()
        self.fault_for: Callable[[Received], Fault | None] = lambda _: None
        self.download_faults: deque[Fault | None] = deque()
        self.handshake_faults: deque[Fault | None] = deque()
        self.sessions: dict[str, Session] = {}
        self.connections = 0
        self._demands_key = key is not None
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._ending = False
        self._aside: list[threading.Thread] = []
        self._holds: list[Hold] = []
        self._failures: list[BaseException] = []
        self._server = Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def origin(self) -> str:
        """Its URL without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def http_url(self) -> str:
        """Where it takes tasks over HTTP."""
        return f"{self.origin}/v1"

    @property
    def ws_url(self) -> str:
        """Where it takes tasks over WebSocket."""
        return f"ws{self.http_url.removeprefix('http')}"

    @property
    def billed(self) -> dict[str, Decimal]:
        """What each accepted task costs, by its UUID."""
        return self.account.billed

    @property
    def open_connections(self) -> int:
        """How many connections are open now, as far as the service has noticed."""
        return len(self._open)

    def submissions(self, task_uuid: str) -> int:
        """How often a removal with that UUID came, accepted or not."""
        return sum(
            received.task_uuid == task_uuid and received.task_type in _REMOVALS
            for received in self.requests
        )

    def received(self, task_type: str) -> list[Received]:
        """The task objects of one type that came, in order."""
        return [received for received in self.requests if received.task_type == task_type]

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds; looked at whenever a message or a connection comes or goes.

        Raises:
            AssertionError: it never did.
        """
        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE), "the service waited in vain"

    def close_sockets(self, code: int = 1001) -> None:
        """Begin to close every WebSocket of a session."""
        for session in list(self.sessions.values()):
            session.socket.close(code)

    def reset_connections(self) -> None:
        """Break every open connection."""
        with self._changed:
            for connection in self._open:
                reset(connection)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ending = True
        for hold in self._holds:
            hold.release.set()
        self._server.shutdown()
        self._thread.join()
        self.reset_connections()
        self._server.server_close()
        for thread in self._aside:
            thread.join()
        if kind is None and self._failures:
            raise self._failures[0]

    def opened(self, connection: socket.socket) -> int:
        """Note a new connection, and number it."""
        with self._changed:
            self._open.add(connection)
            self.connections += 1
            if self._ending:
                reset(connection)
            self._changed.notify_all()
            return self.connections

    def closed(self, connection: socket.socket) -> None:
        """Note the end of a connection."""
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def noticed(self) -> None:
        """Have those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def aside(self, thread: threading.Thread) -> None:
        """Start what must not hold up its connection; it is over when the service is."""
        self._aside.append(thread)
        thread.start()

    def failed(self, problem: BaseException) -> None:
        """Note that the service itself is at fault; the `with` block will raise it."""
        self._failures.append(problem)

    def take(self, received: Received) -> Fault | None:
        """Note a task object, and choose what goes wrong with it."""
        with self._changed:
            self.requests.append(received)
            queued = self.faults and received.task_type not in {"authentication", "ping"}
            fault = self.faults.popleft() if queued else self.fault_for(received)
            if isinstance(fault, Hold):
                self._holds.append(fault)
            self._changed.notify_all()
            return fault

    def take_download(self, download: Download) -> Fault | None:
        """Note a download, and choose what goes wrong with it."""
        with self._changed:
            self.downloads.append(download)
            self._changed.notify_all()
            return self.download_faults.popleft() if self.download_faults else None

    def take_handshake(self) -> Fault | None:
        """Choose what goes wrong with the opening of a WebSocket."""
        with self._changed:
            return self.handshake_faults.popleft() if self.handshake_faults else None

    def admits(self, key: object) -> bool:
        """Whether a key will do."""
        return not self._demands_key or key == self.key

    def session(self, wanted: object, connection: ServerSocket) -> tuple[Session, list[Message]]:
        """The session for a socket, an earlier one if it is wanted, and what that one missed."""
        with self._changed:
            known = self.sessions.get(wanted) if isinstance(wanted, str) else None
            if known:
                return known, known.resume(connection)
            made = Session(str(uuid.uuid4()), connection)
            self.sessions[made.uuid] = made
            return made, []
