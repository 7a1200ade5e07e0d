"""Who is let in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cutaway.errors import ConfigError
from cutaway.runware.credential import Credential
from cutaway.service.access import Access, check_binding, is_loopback
from cutaway.service.configuration import Configuration
from cutaway.service.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-key"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(folder=tmp_path)


@pytest.fixture
def keyed(configuration: Configuration) -> Configuration:
    return replace(configuration, key=Credential(KEY))


def code(refusal: pytest.ExceptionInfo[Refusal]) -> str:
    return refusal.value.fault.code


def test_only_the_key_is_let_in(keyed: Configuration) -> None:
    access = Access(keyed)

    assert access.owner(KEY) == access.owner(f" {KEY}\n")
    for wrong in ("", "a-ke", "a-key2", "A-KEY", "\udcff", "schlüssel"):
        with pytest.raises(Refusal) as refused:
            access.owner(wrong)
        assert code(refused) == "invalidApiKey"
    with pytest.raises(Refusal) as refused:
        access.owner(None)
    assert code(refused) == "missingApiKey"


def test_the_owner_tells_nothing_of_the_key_and_is_another_for_another(
    keyed: Configuration,
) -> None:
    owner = Access(keyed).owner(KEY)

    assert KEY not in owner
    assert owner == Access(keyed).owner(KEY)
    assert owner != Access(replace(keyed, key=Credential("b-key"))).owner("b-key")


def test_without_a_key_all_are_one_owner(configuration: Configuration) -> None:
    access = Access(configuration)

    assert access.owner(None) == access.owner("any") == ""


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY} "])
def test_a_bearer_is_read_in_any_case(keyed: Configuration, header: str) -> None:
    access = Access(keyed)

    assert access.owner(access.bearer({"authorization": header}))


@pytest.mark.parametrize("header", ["Basic YTpi", KEY, "", "Bearer"])
def test_another_scheme_is_no_key(keyed: Configuration, header: str) -> None:
    assert Access(keyed).bearer({"authorization": header}) is None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8585", "127.0.0.1:1", "[::1]:8585", "127.9.9.9", "box:8585"]
)
def test_this_machines_own_names_are_let_in_without_a_key(
    configuration: Configuration, host: str
) -> None:
    Access(replace(configuration, host="box")).check_caller({"host": host})


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "[", "10.0.0.1", "localhost@evil.example"],
)
def test_other_names_are_not(configuration: Configuration, host: str) -> None:
    with pytest.raises(Refusal) as refused:
        Access(configuration).check_caller({"host": host})

    assert code(refused) == "invalidHost"


def test_the_public_url_is_let_in_as_host_and_as_origin(configuration: Configuration) -> None:
    access = Access(replace(configuration, public_url="https://Cut.example/api"))

    access.check_caller({"host": "cut.example", "origin": "https://cut.example"})
    access.check_caller({"host": "127.0.0.1:8585", "origin": "https://cut.example"})


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://127.0.0.1:9999", "http://localhost:8585"]
)
def test_another_origin_is_not_let_in_without_a_key(
    configuration: Configuration, origin: str
) -> None:
    with pytest.raises(Refusal) as refused:
        Access(configuration).check_caller({"host": "127.0.0.1:8585", "origin": origin})

    assert code(refused) == "forbidden"


def test_with_a_key_any_host_and_origin_may_ask(keyed: Configuration) -> None:
    Access(keyed).check_caller({"host": "box.example", "origin": "https://app.example"})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_needs_no_key(configuration: Configuration, address: str) -> None:
    check_binding(configuration, address)


@pytest.mark.parametrize("address", ["10.0.0.1", "::", "192.168.1.2", "fe80::1%eth0"])
def test_other_addresses_need_one(
    configuration: Configuration, keyed: Configuration, address: str
) -> None:
    check_binding(keyed, address)
    with pytest.raises(ConfigError, match="without a key anybody there could use it"):
        check_binding(configuration, address)


def test_a_name_that_begins_like_an_address_is_not_loopback() -> None:
    assert not is_loopback("127.0.0.1.example")
    assert is_loopback("localhost.")
