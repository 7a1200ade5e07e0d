"""The server's end of a WebSocket whose bytes can be cut anywhere.

It stands on the sans-I/O half of `websockets`: frames are made and read there, and each byte goes
through this module's hands.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

__all__ = ["ServerSocket", "reset"]

_CHUNK = 1 << 16


class ServerSocket:
    """One WebSocket over a connection whose opening request was read already; threads may share it.

    Extensions are declined, and messages may be of any size.
    """

    def __init__(self, connection: socket.socket, reader: BufferedIOBase, request: bytes) -> None:
        self._connection = connection
        self._reader = reader
        self._protocol = ServerProtocol(max_size=None)
        self._lock = threading.RLock()
        self._deaf = self._broken = False
        self._protocol.receive_data(request)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
        self._flush()

    def messages(self) -> Iterator[str]:
        """Every text message until the other side, or a fault, ends the connection."""
        parts: list[bytes] = []
        for frame in self._frames():
            if frame.opcode in {Opcode.TEXT, Opcode.CONT}:
                parts.append(bytes(frame.data))
                if frame.fin:
                    yield b"".join(parts).decode()
                    parts.clear()

    def send(self, text: str) -> None:
        """Send a message.

        Raises:
            ConnectionError: the connection is closed, or closing.
        """
        with self._lock:
            self._begin(text)
            self._flush()

    def send_part(self, text: str) -> None:
        """Send half of a message's frame, and reset the connection."""
        with self._lock:
            self._begin(text)
            frame = b"".join(self._protocol.data_to_send())
            self._connection.sendall(frame[: len(frame) // 2])
        self.reset()

    def close(self, code: int) -> None:
        """Begin the closing handshake."""
        with self._lock:
            self._deaf = True
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(code)
                self._flush()

    def reset(self) -> None:
        """End the connection with a TCP reset, as soon as its thread has let go of it."""
        self._deaf = self._broken = True
        reset(self._connection)

    def _frames(self) -> Iterator[Frame]:
        """What comes, up to the point where this side ends the connection."""
        while self._protocol.state is not State.CLOSED:
            data = self._reader.read1(_CHUNK)
            if self._broken:
                return
            with self._lock:
                frames = self._fed(data)
            for frame in frames:
                if not self._deaf:
                    yield frame
            if not data:
                return

    def _begin(self, text: str) -> None:
        if self._broken or self._protocol.state is not State.OPEN:
            raise ConnectionResetError
        self._protocol.send_text(text.encode())

    def _fed(self, data: bytes) -> list[Frame]:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._flush()
        return [event for event in self._protocol.events_received() if isinstance(event, Frame)]

    def _flush(self) -> None:
        """Send what the protocol has to say; an empty piece is the end of it."""
        for data in self._protocol.data_to_send():
            if data:
                self._connection.sendall(data)
            else:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)


def reset(connection: socket.socket) -> None:
    """Have a connection reset when it is closed, and wake whoever reads from it."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
