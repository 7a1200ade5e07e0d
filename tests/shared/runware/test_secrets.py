"""The key goes to the service and nowhere else: all that can be captured is searched for it."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import httpx
import pytest

from cutaway.errors import CutawayError
from cutaway.runware.client import AsyncRunware, Runware
from cutaway.runware.credential import Credential
from cutaway.runware.retries import Pace
from tests.fakes.certificates import loopback_certificate
from tests.fakes.runware_faults import Answer, Close, Drop, DropMidAnswer, Refuse, Twice
from tests.fakes.runware_http2 import Http2Service
from tests.fakes.runware_service import RunwareService
from tests.shared.runware.faces import FACES, FAST, TRANSPORTS, Face, address, open_face, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "k3f9aTOPSECRETc0ffeeX"
PIECES = {KEY[start : start + 8] for start in range(len(KEY) - 7)}
"""A log that is cut short tells a piece."""

PICTURE = picture()
TROUBLE = [
    Drop(accepted=True),
    DropMidAnswer(),
    Close(1012),
    Twice(),
    Refuse(503),
    Refuse(401, "invalidApiKey", named=False),
    Answer(b"<html>Bad gateway</html>", 502, "text/html"),
    Refuse(400, "invalidKind", f"you sent Bearer {KEY}"),
    Answer(f"<html>{KEY}</html>".encode(), 400, "text/html"),
]


class Listener(logging.Handler):
    """Takes down all that is logged, but what the service itself says of its WebSockets."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "websockets.server":
            self._said.append(f"{self.format(record)} {record.args}")


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """All that is said in the test, on any way; what it adds is searched too, at its end."""
    said: list[str] = []
    listener, root = Listener(said), logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    logging.getLogger("any.library").debug("a secret of its own")
    assert "a secret of its own" in said.pop()
    yield said
    root.setLevel(level)
    root.removeHandler(listener)
    said += capfd.readouterr()
    assert [text for text in said for piece in PIECES if piece in text] == []


def submitted(client: Face, said: list[str]) -> None:
    """Submit a picture, and take down all that an error of it says."""
    try:
        said.append(repr(client.submit(PICTURE)))
    except CutawayError as error:
        said += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("key", ["", KEY])
@pytest.mark.parametrize("fault", [None, *TROUBLE], ids=lambda fault: type(fault).__name__)
def test_the_key_is_told_to_no_one_else(told, transport, key, fault):
    with RunwareService(key=key or "another") as service:
        service.faults.append(fault)
        with Runware(KEY, url=address(service, transport), pace=FAST) as client:
            submitted(client, told)
            told += [repr(client), str(client)]
        came = [received.message for received in service.requests]
        told += [repr(message) for message in came if message["taskType"] != "authentication"]
        keys = [message.get("apiKey") for message in came[:1]]
        keys += [received.headers.get("authorization") for received in service.requests[:1]]
    assert keys in ([KEY, None], [None, f"Bearer {KEY}"])  # where it should be


def test_over_http2_the_key_is_told_to_no_one_else(told, tmp_path, monkeypatch):
    certificate = loopback_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with (
        Http2Service(certificate) as service,
        Runware(KEY, url=service.url, pace=FAST) as client,
    ):
        submitted(client, told)
        submitted(client, told)
    assert service.protocols == ["h2"]
    assert service.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_over_http2_it_would_be_told_else(caplog, tmp_path, monkeypatch):
    certificate = loopback_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    caplog.set_level(logging.DEBUG)
    with Http2Service(certificate) as service:
        with Runware(KEY, url=service.url, pace=FAST) as client:
            client.submit(PICTURE)
        assert KEY not in caplog.text
        with httpx.Client(http2=True) as bare:
            message = [{"taskUUID": "a"}]
            bare.post(service.url, json=message, headers={"Authorization": f"Bearer {KEY}"})
    assert KEY in caplog.text  # so the silence was ours, and it has ended with the client


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("face", FACES)
def test_where_no_one_listens_the_key_is_told_to_no_one(told, transport, face):
    url = {"http": "http://127.0.0.1:1/v1", "websocket": "ws://127.0.0.1:1/v1"}[transport]
    pace = Pace(sends=2, first_retry=0.001)
    with open_face(face, KEY, url=url, pace=pace) as client:
        submitted(client, told)


def test_nothing_shows_the_key_it_holds(told):
    with Runware(KEY) as waiting:
        awaiting = AsyncRunware(KEY)
        held = [*vars(waiting).values(), *vars(awaiting).values(), Credential(KEY)]
        told += [repr(one) for one in (waiting, awaiting, *held)]
        told += [str(one) for one in held]
        told.append(f"{Credential(KEY)!r:>40} {Credential(KEY)}")


def test_a_key_from_the_environment_is_in_no_argument_of_a_process(told, tmp_path):
    script = (
        "import os, sys\n"
        "from cutaway.runware.client import Runware\n"
        "with Runware(url='http://127.0.0.1:1/v1') as client: print(repr(client), sys.argv)\n"
        "print(open('/proc/self/cmdline').read() if os.path.exists('/proc') else '')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"RUNWARE_API_KEY": KEY, "HOME": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "Runware('http://127.0.0.1:1'" in done.stdout
    told += [done.stdout, done.stderr]
