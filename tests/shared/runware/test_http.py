"""What is particular to HTTP: connections, redirects, sizes, TLS, and which errors mean what."""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from cutaway._version import __version__
from cutaway.errors import (
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    CutawayError,
    ProtocolError,
    TimedOut,
    TransportError,
)
from cutaway.runware.client import Runware
from cutaway.runware.credential import Credential
from cutaway.runware.endpoint import Endpoint
from cutaway.runware.http_transport import HttpTransport
from cutaway.runware.tasks import poll
from tests.fakes.certificates import loopback_certificate
from tests.fakes.impostor import impostor
from tests.fakes.runware_faults import Answer, Drop, DropMidAnswer, Hold, Throttle
from tests.fakes.runware_http2 import Http2Service
from tests.fakes.runware_service import RunwareService
from tests.shared.runware.faces import FAST, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cutaway.runware.replies import Reply

PICTURE = picture()


@pytest.fixture
def client(service: RunwareService) -> Iterator[Runware]:
    with Runware(service.key, url=service.http_url, pace=FAST) as client:
        yield client


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loopback_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, which this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def exchanges(url: str, *patience: float, **choices: Any) -> list[Reply | CutawayError]:
    """What one transport gives for several messages, one after the other."""

    async def outcome(transport: HttpTransport, seconds: float) -> Reply | CutawayError:
        try:
            return await transport.exchange(poll(str(uuid.uuid4())), seconds)
        except CutawayError as error:
            return error

    async def talk() -> list[Reply | CutawayError]:
        transport = HttpTransport(Endpoint.parse(url), Credential("key"), **choices)
        try:
            return [await outcome(transport, seconds) for seconds in patience]
        finally:
            await transport.aclose()

    return asyncio.run(talk())


def test_a_task_is_one_post_with_the_key_in_a_header(client: Runware, service: RunwareService):
    client.submit(PICTURE)
    (request,) = service.requests
    assert request.headers["authorization"] == f"Bearer {service.key}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"cutaway/{__version__}"
    assert service.key not in json.dumps(request.message)


def test_without_a_key_none_is_sent():
    with RunwareService(key=None) as service, Runware(url=service.http_url, pace=FAST) as client:
        client.submit(PICTURE)
        assert "authorization" not in service.requests[0].headers


def test_connections_are_kept_for_the_next_task(client: Runware, service: RunwareService):
    for _ in range(3):
        client.submit(PICTURE)
    assert service.connections == 1


def test_no_redirect_is_followed(service: RunwareService):
    with RunwareService(key=None) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            service.faults.append(Answer(b"", status, headers={"Location": elsewhere.http_url}))
        got = exchanges(service.http_url, *[30.0] * 5)
        assert {type(outcome) for outcome in got} == {ProtocolError}
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Drop(), ConnectionLost),
        (Drop(accepted=True), ConnectionLost),
        (DropMidAnswer(), ConnectionLost),
        (Answer(b"<html>Hello</html>", content_type="text/html"), ProtocolError),
        (Answer(b'{"data": [{"taskUU'), ProtocolError),
        (Answer(b"", content_type=None), ProtocolError),
        (Answer(b"no gzip", headers={"Content-Encoding": "gzip"}), ProtocolError),
    ],
)
def test_what_goes_wrong_after_the_sending_leaves_the_task_in_doubt(
    service: RunwareService, fault: Answer, error: type[CutawayError]
):
    service.faults.append(fault)
    assert [type(outcome) for outcome in exchanges(service.http_url, 30.0)] == [error]


def test_where_no_one_listens_nothing_was_sent():
    (error,) = exchanges("http://127.0.0.1:1", 30.0)
    assert type(error) is ConnectionFailed


def test_where_the_name_is_unknown_nothing_was_sent():
    (error,) = exchanges("https://nowhere.invalid", 30.0)
    assert type(error) is ConnectionFailed


def test_after_an_answer_that_never_came_the_next_message_takes_another_line(
    service: RunwareService,
):
    hold = Hold()
    service.faults.append(hold)
    late, good = exchanges(service.http_url, 0.2, 30.0)
    assert isinstance(late, TimedOut)
    assert not isinstance(good, CutawayError)
    assert service.connections == 2
    hold.release.set()


def test_an_answer_may_be_packed_but_only_so_large(service: RunwareService):
    body = json.dumps({"data": [{"taskUUID": "a", "filler": "0" * 5000}]}).encode()
    packed = Answer(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    service.faults.extend([packed, packed])
    (good,) = exchanges(service.http_url, 30.0)
    assert not isinstance(good, CutawayError)
    (refused,) = exchanges(service.http_url, 30.0, largest=5000)
    assert isinstance(refused, ProtocolError)
    assert "5,000 bytes" in refused.why


@pytest.mark.parametrize(
    ("headers", "retry_after", "should_retry"),
    [
        ({"Retry-After": "7"}, 7.0, None),
        ({"Retry-After-Ms": "70", "Retry-After": "7"}, 0.07, None),
        ({"X-Should-Retry": "false"}, None, False),
        ({"Retry-After": "soon"}, None, None),
    ],
)
def test_hints_in_the_headers_are_passed_on(
    service: RunwareService,
    headers: dict[str, str],
    retry_after,
    should_retry,
):
    service.faults.append(Answer(b"{}", 429, headers=headers))
    (reply,) = exchanges(service.http_url, 30.0)
    assert not isinstance(reply, CutawayError)
    assert (reply.status, reply.retry_after, reply.should_retry) == (429, retry_after, should_retry)


def test_a_throttled_task_is_sent_again(client: Runware, service: RunwareService):
    service.faults.extend([Throttle("0"), Throttle(None)])
    result = client.submit(PICTURE)
    assert service.submissions(str(result.task_uuid)) == 3


def test_no_proxy_stands_before_this_machine(
    service: RunwareService, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (reply,) = exchanges(service.http_url, 30.0)
    assert not isinstance(reply, CutawayError)


def test_the_environments_proxy_is_used_for_other_machines(
    service: RunwareService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", service.origin)
    exchanges("http://service.invalid/v1", 30.0)
    assert service.requests[0].headers["host"] == "service.invalid"


@pytest.mark.parametrize(
    ("name", "value"), [("https_proxy", "gopher://127.0.0.1"), ("SSL_CERT_FILE", "/no/such/file")]
)
def test_an_environment_that_can_not_be_used_is_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    with (
        Runware("key", url="https://service.invalid/v1") as client,
        pytest.raises(ConfigError, match="variables of the environment"),
    ):
        client.submit(PICTURE)


def test_over_tls_http2_is_spoken_and_its_connection_kept(trusted: Path):
    with Http2Service(trusted) as service, Runware("key", url=service.url, pace=FAST) as client:
        results = [client.submit(picture(number) + bytes(300_000)) for number in range(3)]
        assert service.protocols == ["h2"]
        assert {arrived.headers["authorization"] for arrived in service.requests} == {"Bearer key"}
        names = [arrived.message["taskUUID"] for arrived in service.requests]
        assert [result.task_uuid for result in results] == names


def test_many_large_tasks_at_once_get_through_http2(trusted: Path):
    with (
        Http2Service(trusted, at_once=6) as service,
        Runware("key", url=service.url, pace=FAST) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        big = PICTURE + bytes(300_000)
        results = list(pool.map(client.submit, [big] * 6))
        assert set(service.protocols) == {"h2"}
    assert {r.task_uuid for r in results} == {a.message["taskUUID"] for a in service.requests}
    assert len(service.requests) == 6


def test_a_certificate_that_no_one_vouches_for_is_refused_at_once(certificate: Path):
    with (
        Http2Service(certificate) as service,
        Runware("key", url=service.url) as client,
        pytest.raises(TransportError, match=r"(?i)certificate"),
    ):
        client.submit(PICTURE)
    assert not service.requests


def test_an_impostors_certificate_is_refused(tmp_path: Path, trusted: Path):
    del trusted
    with impostor(tmp_path) as url:
        (error,) = exchanges(url, 30.0)
    assert type(error) is TransportError
    assert "SSL_CERT_FILE" in error.next_step
