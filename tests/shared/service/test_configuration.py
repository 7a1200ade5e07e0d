from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from cutaway.errors import ConfigError
from cutaway.runware.credential import Credential
from cutaway.service.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path


def test_a_service_that_is_told_nothing_listens_on_loopback_and_lets_nobody_inside_be_reached():
    plain = Configuration()
    assert (plain.host, plain.port, plain.key) == ("127.0.0.1", 8585, None)
    assert not plain.allow_private_network
    assert not plain.allow_fallback
    assert plain.price == 0


def test_the_folder_is_the_users_own_state(isolated_home: Path):
    folder = Configuration().folder
    assert folder == platformdirs.user_state_path("cutaway") / "service"
    assert isolated_home in folder.parents


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"max_queue": 0},
        {"max_body": 0},
        {"per_key": 0},
        {"workers": 0},
        {"keep": 59.9},
        {"keep": float("nan")},
        {"keep_uploads": 1.0},
        {"max_storage": 0},
        {"sync_patience": -1.0},
        {"price": Decimal("-0.01")},
        {"public_url": "pictures.example"},
        {"public_url": "ftp://pictures.example"},
        {"public_url": "https:///path"},
        {"public_url": "https://pictures.example/?a=b"},
        {"public_url": "https://pictures.example/a b"},
    ],
    ids=str,
)
def test_a_number_out_of_its_range_or_a_wrong_url_is_refused_by_its_name(wrong: dict[str, Any]):
    with pytest.raises(ConfigError) as caught:
        Configuration(**wrong)
    assert next(iter(wrong)) in caught.value.what


def test_any_free_port_and_a_public_url_below_a_path_are_fine():
    configured = Configuration(port=0, public_url="https://pictures.example/cutaway", workers=1)
    assert configured.public_url == "https://pictures.example/cutaway"


def test_its_text_shows_no_key():
    assert "s3cret" not in repr(Configuration(key=Credential("s3cret")))
