"""Which service an address means, and where a key may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.runware.endpoint import Endpoint


@pytest.mark.parametrize(
    ("backend", "transport", "url", "kind"),
    [
        ("runware", None, "https://api.runware.ai/v1", "http"),
        ("Runware ", "http", "https://api.runware.ai/v1", "http"),
        ("runware", "websocket", "wss://ws-api.runware.ai/v1", "websocket"),
        ("https://api.runware.ai/v1", "websocket", "wss://ws-api.runware.ai/v1", "websocket"),
        ("wss://ws-api.runware.ai/v1", "http", "https://api.runware.ai/v1", "http"),
        ("http://127.0.0.1:8000", None, "http://127.0.0.1:8000/v1", "http"),
        ("http://127.0.0.1:8000/", None, "http://127.0.0.1:8000/v1", "http"),
        ("ws://localhost:8000/v2/x", None, "ws://localhost:8000/v2/x", "websocket"),
        ("https://example.com/v1?a=b#c", None, "https://example.com/v1?a=b", "http"),
        ("https://example.com/v1", "websocket", "wss://example.com/v1", "websocket"),
        ("ws://[::1]:9/v1", "http", "http://[::1]:9/v1", "http"),
    ],
)
def test_an_address_means_one_url_and_transport(
    backend: str, transport: str | None, url: str, kind: str
) -> None:
    endpoint = Endpoint.parse(backend, transport)
    assert (endpoint.url, endpoint.kind) == (url, kind)


@pytest.mark.parametrize(
    "backend",
    [
        "local",
        "",
        "ftp://example.com/v1",
        "https://",
        "https:///v1",
        "https://example.com:99999/v1",
        "https://example.com:0/v1",
        "https://[::1/v1",
        "https://a..b/v1",
        "https://example.com\\@evil.example/v1",
        "https://exam ple.com/v1",
        "https://example.com/v1\r\nX: y",
    ],
)
def test_what_is_no_whole_url_is_refused(backend: str) -> None:
    with pytest.raises(ConfigError, match="address can't be used"):
        Endpoint.parse(backend)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="user or password") as caught:
        Endpoint.parse("https://me:s3cret@example.com/v1")
    assert "s3cret" not in repr(caught.value)


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(ConfigError, match="no transport carrier-pigeon"):
        Endpoint.parse("runware", "carrier-pigeon")


@given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"https://{text}"))
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    try:
        endpoint = Endpoint.parse(text)
    except ConfigError:
        return
    assert endpoint.url.startswith(("http://", "https://", "ws://", "wss://"))
    assert "@" not in endpoint.origin


@pytest.mark.parametrize(
    ("backend", "account"),
    [
        ("runware", "runware"),
        ("wss://ws-api.runware.ai/v1", "runware"),
        ("https://example.com/v1", "https://example.com"),
        ("wss://example.com/v1", "https://example.com"),
        ("ws://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
    ],
)
def test_both_transports_of_a_service_share_an_account(backend: str, account: str) -> None:
    assert Endpoint.parse(backend).account == account


@pytest.mark.parametrize(
    "backend",
    [
        "runware",
        "wss://example.com",
        "http://localhost:1",
        "http://localhost.:1",
        "ws://127.9.9.9:1",
        "http://[::1]:1",
    ],
)
def test_a_key_goes_where_no_one_can_read_along(backend: str) -> None:
    Endpoint.parse(backend).check_key(allow_private_network=False)


@pytest.mark.parametrize(
    "backend",
    [
        "http://example.com",
        "ws://192.168.1.9",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://2130706433",
    ],
)
def test_a_key_goes_nowhere_else_unless_allowed(backend: str) -> None:
    endpoint = Endpoint.parse(backend)
    with pytest.raises(ConfigError, match="unencrypted"):
        endpoint.check_key(allow_private_network=False)
    endpoint.check_key(allow_private_network=True)
