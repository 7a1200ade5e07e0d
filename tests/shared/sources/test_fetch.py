from __future__ import annotations

import gzip
import socket
import tracemalloc
import zlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import httpx
import pytest

from cutaway import __version__
from cutaway.errors import Cancelled, ConnectionFailed, SourceError, TimedOut, TooLarge
from cutaway.progress import Cancellation, Progress
from cutaway.settings import Limits
from cutaway.sources import Loaded, SourceKind, read
from cutaway.sources import fetch as fetch_room
from tests.fakes.picture_server import (
    PictureServer,
    announcing,
    body,
    endless,
    gzipped_zeros,
    redirect,
    silent,
    stalling,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PICTURE = bytes(range(256)) * 3
LIMITS = Limits(max_bytes=1000, allow_private_network=True)


@pytest.fixture
def reached() -> Event:
    return Event()


@pytest.fixture
def release() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


@contextmanager
def running(work: Callable[[], object]) -> Iterator[Callable[[], BaseException | None]]:
    """Do `work` in a thread; what is given tells how it failed."""
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(work)
        yield lambda: future.exception(timeout=20)


def test_a_picture_comes_with_the_name_its_url_ends_in(server: PictureServer) -> None:
    server.answers["/a/my%20cat.png?size=2"] = body(PICTURE)
    loaded = read(f" {server.url('/a/my%20cat.png?size=2')}\n", LIMITS)
    assert loaded == Loaded(PICTURE, "my cat.png", SourceKind.URL)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", None),
        ("/a/..%2f..", None),
        ("/%2Fetc%2Fpasswd", "passwd"),
        ("/a%00%0Ab.png", "ab.png"),
    ],
)
def test_a_name_from_a_url_is_fit_for_a_file(
    server: PictureServer, path: str, name: str | None
) -> None:
    server.answers[path] = body(PICTURE)
    assert read(server.url(path), LIMITS).name == name


def test_the_request_says_who_asks_and_wants_nothing_packed(server: PictureServer) -> None:
    server.answers["/a.png"] = body(PICTURE)
    read(server.url("/a.png"), LIMITS)
    headers = server.requests[0].headers
    assert headers["User-Agent"] == f"cutaway/{__version__}"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Authorization"] is None


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_the_first_name_kept(server: PictureServer, code: int) -> None:
    server.answers["/cat.png"] = redirect("/moved/1", code)
    server.answers["/moved/1"] = redirect(server.url("/2", host="localhost"), code)
    server.answers["/2"] = body(PICTURE)
    assert read(server.url("/cat.png"), LIMITS) == Loaded(PICTURE, "cat.png", SourceKind.URL)


def test_five_redirects_are_followed_and_not_a_sixth(server: PictureServer) -> None:
    for step in range(6):
        server.answers[f"/{step}"] = redirect(f"/{step + 1}")
    server.answers["/6"] = body(PICTURE)
    assert read(server.url("/1"), LIMITS).data == PICTURE
    with pytest.raises(SourceError, match="more than 5 redirects"):
        read(server.url("/0"), LIMITS)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://host/a", "http://a..b/", "https://h:99999/", "x:y"]
)
def test_a_redirect_to_anything_but_http_is_refused(server: PictureServer, location: str) -> None:
    server.answers["/a.png"] = redirect(location)
    with pytest.raises(SourceError, match=r"no http\(s\) URL"):
        read(server.url("/a.png"), LIMITS)


def test_a_redirect_that_leads_nowhere_is_refused(server: PictureServer) -> None:
    server.answers["/a.png"] = status(302)
    with pytest.raises(SourceError, match="status 302"):
        read(server.url("/a.png"), LIMITS)


def test_credentials_go_to_their_own_origin_and_to_no_other(server: PictureServer) -> None:
    server.answers["/a"] = redirect("/b")
    server.answers["/b"] = redirect(server.url("/c", host="localhost", user="eve:eve"))
    server.answers["/c"] = redirect(server.url("/d"))
    server.answers["/d"] = body(PICTURE)
    read(server.url("/a", user="me:p%40ss"), LIMITS)
    mine = f"Basic {b64encode(b'me:p@ss').decode()}"
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == [mine, mine, None, None]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (204, "browser"),
        (401, "permission"),
        (403, "permission"),
        (404, "no picture now"),
        (429, "later"),
        (503, "later"),
    ],
)
def test_a_status_other_than_200_is_told(server: PictureServer, code: int, advice: str) -> None:
    server.answers["/a.png"] = status(code)
    with pytest.raises(SourceError, match=str(code)) as caught:
        read(server.url("/a.png"), LIMITS)
    assert advice in caught.value.next_step


def test_a_web_page_is_no_picture(server: PictureServer) -> None:
    server.answers["/a.png"] = body(b"<html>", kind="text/HTML; charset=utf-8")
    with pytest.raises(SourceError, match="web page"):
        read(server.url("/a.png"), LIMITS)


def test_a_picture_without_a_type_is_read(server: PictureServer) -> None:
    server.answers["/a.png"] = body(PICTURE, kind=None)
    assert read(server.url("/a.png"), LIMITS).data == PICTURE


def test_an_empty_answer_is_refused(server: PictureServer) -> None:
    server.answers["/a.png"] = body(b"")
    with pytest.raises(SourceError, match=r"a\.png is empty"):
        read(server.url("/a.png"), LIMITS)


def test_an_announced_length_over_the_limit_is_refused_before_the_body(
    server: PictureServer,
) -> None:
    server.answers["/a.png"] = announcing(1001, b"")
    with pytest.raises(TooLarge, match="1,001 bytes, and 1,000 are allowed"):
        read(server.url("/a.png"), LIMITS)


def test_a_body_that_never_ends_is_cut_at_the_limit(server: PictureServer) -> None:
    server.answers["/a.png"] = endless
    with pytest.raises(TooLarge, match="more than the 1,000 bytes"):
        read(server.url("/a.png"), LIMITS)


def test_a_body_shorter_than_announced_is_a_broken_connection(server: PictureServer) -> None:
    server.answers["/a.png"] = announcing(500, PICTURE[:100])
    with pytest.raises(ConnectionFailed, match="was not fetched"):
        read(server.url("/a.png"), LIMITS)


@pytest.mark.parametrize(
    ("pack", "encoding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (bytes, "Identity")]
)
def test_a_body_packed_unasked_is_unpacked(
    server: PictureServer, pack: Callable[[bytes], bytes], encoding: str
) -> None:
    server.answers["/a.png"] = body(pack(PICTURE), encoding=encoding)
    assert read(server.url("/a.png"), LIMITS).data == PICTURE


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (gzip.compress(PICTURE), "br"),
        (gzip.compress(gzip.compress(PICTURE)), "gzip, gzip"),
        (b"not packed at all", "gzip"),
        (gzip.compress(PICTURE)[:-9], "gzip"),
    ],
)
def test_a_body_packed_badly_is_refused(server: PictureServer, data: bytes, encoding: str) -> None:
    server.answers["/a.png"] = body(data, encoding=encoding)
    with pytest.raises(SourceError, match=r"pack|early"):
        read(server.url("/a.png"), LIMITS)


def test_a_gzip_bomb_is_refused_in_bounded_memory(server: PictureServer) -> None:
    server.answers["/a.png"] = gzipped_zeros(64 << 20)
    limits = Limits(max_bytes=1 << 20, allow_private_network=True)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read(server.url("/a.png"), limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


def test_progress_follows_the_announced_length(server: PictureServer) -> None:
    server.answers["/a.png"] = body(bytes(3 << 20))
    shares: list[float] = []
    limits = Limits(allow_private_network=True)
    read(server.url("/a.png"), limits, Progress(lambda step: shares.append(step.share)))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert len(shares) > 10


def test_cancelling_breaks_off_a_body_that_stalls(
    server: PictureServer, reached: Event, release: Event
) -> None:
    server.answers["/a.png"] = stalling(PICTURE, reached, release)
    cancellation = Cancellation()
    received = Event()
    progress = Progress(lambda _: received.set() if reached.is_set() else None, cancellation)
    with running(lambda: read(server.url("/a.png"), LIMITS, progress)) as failure:
        assert received.wait(10)
        cancellation.cancel()
        assert isinstance(failure(), Cancelled)
    assert not release.is_set()


def test_cancelling_breaks_off_a_server_that_says_nothing(
    server: PictureServer, reached: Event, release: Event
) -> None:
    server.answers["/a.png"] = silent(reached, release)
    cancellation = Cancellation()
    progress = Progress(cancellation=cancellation)
    with running(lambda: read(server.url("/a.png"), LIMITS, progress)) as failure:
        assert reached.wait(10)
        cancellation.cancel()
        assert isinstance(failure(), Cancelled)
    assert not release.is_set()


def test_a_cancelled_fetch_does_not_begin(server: PictureServer) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        read(server.url("/a.png"), LIMITS, Progress(cancellation=cancellation))
    assert not server.requests


def test_a_server_that_does_not_answer_in_time_is_told(
    server: PictureServer, reached: Event, release: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_room, "_TIMEOUT", httpx.Timeout(0.1))
    server.answers["/a.png"] = silent(reached, release)
    with pytest.raises(TimedOut, match="did not answer in time"):
        read(server.url("/a.png"), LIMITS)


def test_a_port_where_nothing_listens_is_a_failed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionFailed, match="refused"):
        read(f"http://127.0.0.1:{port}/a.png", LIMITS)


def test_something_that_is_no_web_server_is_a_failed_connection(server: PictureServer) -> None:
    url = server.url("/a.png").replace("http:", "https:")
    with pytest.raises(ConnectionFailed):
        read(url, LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///a.png",
        "http://a..b/hunter2",
        "http://host:99999/hunter2",
        "http://host:0/hunter2",
        "http://user:hun/ter2@host/a.png",
        "http://[::1/hunter2",
        "http://host/\x00hunter2",
        "http://" + "a" * 70_000,
    ],
)
def test_a_url_that_is_not_whole_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SourceError, match=r"not a whole http\(s\) URL") as caught:
        read(url, LIMITS)
    assert "hunter2" not in str(caught.value)
    assert "ter2@" not in str(caught.value)


def test_no_message_shows_credentials_or_the_query(server: PictureServer) -> None:
    server.answers["/a.png?token=hunter2"] = redirect(server.url("/b.png?token=hunter2"))
    server.answers["/b.png?token=hunter2"] = redirect("ftp://user:hunter2@host/")
    for target in ("/a.png?token=hunter2", "/missing?token=hunter2#hunter2"):
        with pytest.raises(SourceError) as caught:
            read(server.url(target, user="me:hunter2"), LIMITS)
        assert str(server.port) in caught.value.what
        assert "hunter2" not in str(caught.value)


def test_a_line_break_in_a_url_stays_out_of_the_message(server: PictureServer) -> None:
    with pytest.raises(SourceError) as caught:
        read(server.url("/a%0Ab.png"), LIMITS)
    assert str(caught.value).isprintable()


def test_no_more_than_sixty_characters_of_a_url_are_shown(server: PictureServer) -> None:
    with pytest.raises(SourceError) as caught:
        read(server.url(f"/{'long' * 100}.png"), LIMITS)
    assert len(caught.value.what) < 80


def test_a_proxy_of_the_environment_is_used_where_private_networks_are_allowed(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url(""))
    server.answers["http://pictures.invalid/a.png"] = body(PICTURE)
    assert read("http://pictures.invalid/a.png", LIMITS).data == PICTURE


@pytest.mark.parametrize(
    ("variable", "value"), [("HTTP_PROXY", "nonsense://proxy"), ("SSL_CERT_FILE", "/missing.pem")]
)
def test_an_environment_that_allows_no_connection_is_told(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConnectionFailed, match="variables of the environment"):
        read("http://127.0.0.1/", LIMITS)
