from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import AddressRefused, ConnectionFailed, CutawayError, SourceError
from cutaway.settings import Limits
from cutaway.sources import read
from cutaway.sources.fetch import fetch
from cutaway.sources.guard import Guard, is_public
from tests.fakes.picture_server import PictureServer, body, redirect

if TYPE_CHECKING:
    from cutaway.sources.guard import Address

LIMITS = Limits(max_bytes=1000)
PICTURE = bytes(range(256))
HERE = ip_address("127.0.0.1")


class Names:
    """A name server of the test's own: a list of answers, the last of which stays.

    The names end in `.invalid`, which the system resolves to nothing.
    """

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(f"{host}:{port}")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def only_here(address: Address) -> bool:
    """Stand in for `is_public`, which no address of this machine's own can satisfy."""
    return address == HERE


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",  # noqa: S104  (not bound to)
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_an_address_that_is_not_public_is_told(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.254",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_a_public_address_is_told(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_carried_in_another_is_judged_like_itself(address: IPv4Address) -> None:
    number = int(address)
    for carrier in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert is_public(IPv6Address(carrier)) == is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0",
        "0.0.0.0",  # noqa: S104  (not bound to)
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "user@127.0.0.1",
        "example.com@127.0.0.1",
    ],
)
def test_loopback_is_refused_however_it_is_spelt(server: PictureServer, host: str) -> None:
    server.answers["/a.png"] = body(PICTURE)
    with pytest.raises(AddressRefused, match="not a public address") as caught:
        read(server.url("/a.png", host=host), LIMITS)
    assert "--allow-private-network" in caught.value.next_step
    assert not server.requests


@pytest.mark.parametrize(
    "host",
    ["0177.0.0.1", "%31%32%37.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021"],
)
def test_loopback_in_a_spelling_that_may_be_no_name_is_not_reached(
    server: PictureServer, host: str
) -> None:
    server.answers["/a.png"] = body(PICTURE)
    with pytest.raises((ConnectionFailed, SourceError)):
        read(server.url("/a.png", host=host), LIMITS)
    assert not server.requests


def test_a_private_server_is_reached_where_that_is_allowed(server: PictureServer) -> None:
    server.answers["/a.png"] = body(PICTURE)
    limits = Limits(allow_private_network=True)
    assert read(server.url("/a.png", host="localhost"), limits).data == PICTURE


@given(
    st.text(st.characters(), max_size=60),
    st.sampled_from(("http://", "https://", "http://u:p@h:80/", "http://a")),
)
def test_an_arbitrary_url_raises_nothing_but_our_errors(text: str, start: str) -> None:
    with pytest.raises(CutawayError) as caught:
        fetch(start + text, LIMITS, guard=Guard(resolve=Names(["127.0.0.1"])))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "addresses",
    [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"], ["::ffff:127.0.0.1"]],
)
def test_a_name_with_one_private_address_is_refused_whatever_else_it_has(
    addresses: list[str],
) -> None:
    with pytest.raises(AddressRefused):
        fetch("http://cat.invalid/", LIMITS, guard=Guard(resolve=Names(addresses)))


def test_a_name_without_an_address_is_a_failed_connection() -> None:
    with pytest.raises(ConnectionFailed, match="no address"):
        fetch("http://cat.invalid/", LIMITS, guard=Guard(resolve=Names([])))


def test_the_connection_goes_to_the_address_that_was_checked(server: PictureServer) -> None:
    """The system knows no such name, and the second answer would be refused."""
    names = Names([str(HERE)], ["127.0.0.2"])
    server.answers["/a.png"] = body(PICTURE)
    url = server.url("/a.png", host="cat.invalid")
    assert fetch(url, LIMITS, guard=Guard(names, only_here)) == PICTURE
    assert names.asked == [f"cat.invalid:{server.port}"]
    assert server.requests[0].headers["Host"] == f"cat.invalid:{server.port}"


def test_a_name_that_changes_between_two_hops_is_checked_again(server: PictureServer) -> None:
    names = Names([str(HERE)], ["10.0.0.1"])
    server.answers["/a.png"] = redirect("/b.png")
    server.answers["/b.png"] = body(PICTURE)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        fetch(server.url("/a.png", host="cat.invalid"), LIMITS, guard=Guard(names, only_here))
    assert [request.target for request in server.requests] == ["/a.png"]


def test_a_redirect_to_a_private_address_is_refused(server: PictureServer) -> None:
    server.answers["/a.png"] = redirect("http://169.254.169.254/latest/meta-data/")
    guard = Guard(permit=only_here)
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
        fetch(server.url("/a.png"), LIMITS, guard=guard)


def test_no_connection_is_shared_between_hops(server: PictureServer) -> None:
    """Two names may share an address, but not each other's certificate check."""
    server.answers["/a.png"] = redirect(server.url("/b.png", host="dog.invalid"))
    server.answers["/b.png"] = body(PICTURE)
    guard = Guard(Names([str(HERE)]), only_here)
    assert fetch(server.url("/a.png", host="cat.invalid"), LIMITS, guard=guard) == PICTURE
    assert len({request.port for request in server.requests}) == 2


def test_the_next_address_is_tried_where_one_does_not_answer(server: PictureServer) -> None:
    server.answers["/a.png"] = body(PICTURE)
    guard = Guard(Names(["::1", str(HERE), "127.0.0.3"]), lambda address: address.is_loopback)
    assert fetch(server.url("/a.png", host="cat.invalid"), LIMITS, guard=guard) == PICTURE


def test_an_allowed_origin_may_be_private_and_no_other(server: PictureServer) -> None:
    server.answers["/a.png"] = body(PICTURE)
    guard = Guard(
        Names([str(HERE)]), allowed_origins=frozenset({f"http://cat.invalid:{server.port}"})
    )
    assert fetch(server.url("/a.png", host="CAT.invalid"), LIMITS, guard=guard) == PICTURE
    with pytest.raises(AddressRefused):
        fetch(server.url("/a.png", host="dog.invalid"), LIMITS, guard=guard)
    with pytest.raises(AddressRefused):
        fetch("http://cat.invalid/a.png", LIMITS, guard=guard)


def test_a_proxy_of_the_environment_is_not_used(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PictureServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        monkeypatch.setenv("ALL_PROXY", proxy.url(""))
        server.answers["/a.png"] = body(PICTURE)
        guard = Guard(Names([str(HERE)]), only_here)
        assert fetch(server.url("/a.png", host="cat.invalid"), LIMITS, guard=guard) == PICTURE
        assert not proxy.requests


def test_a_failed_connection_tells_that_proxies_are_not_used(server: PictureServer) -> None:
    guard = Guard(Names(["::1"]), lambda address: address.is_loopback)
    with pytest.raises(ConnectionFailed) as caught:
        fetch(server.url("/a.png", host="cat.invalid"), LIMITS, guard=guard)
    assert "proxy" in caught.value.next_step
