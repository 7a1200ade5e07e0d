from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.cli.inputs import find_inputs
from cutaway.cli.outputs import Place, plan
from cutaway.options import ImageFormat, Output
from tests.fakes.file_server import FileServer
from tests.shared.cli.running import Words, cli, json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "--allow-private-network"


@pytest.fixture
def server(picture: bytes) -> Iterator[FileServer]:
    with FileServer() as server:
        for path in ("/a/my%20photo.jpg?token=secret", "/", "/..%2F..%2Fetc%2Fpasswd.png"):
            server.put(path, picture)
        yield server


def test_a_url_is_cut_out_into_the_working_folder_by_its_last_part(
    folder: Path, server: FileServer, quick: Words
) -> None:
    done = cli("remove", f"{server.url}/a/my%20photo.jpg?token=secret", HERE, *quick)
    assert done.exit_code == 0
    assert (folder / "my photo-cutout.png").exists()
    assert done.stdout.startswith(f"{server.url}/a/my%20photo.jpg -> my photo-cutout.png (96x72, ")


def test_a_url_without_a_last_part_gives_a_plain_name(
    folder: Path, server: FileServer, quick: Words
) -> None:
    assert cli("remove", f"{server.url}/", HERE, *quick).exit_code == 0
    assert (folder / "cutout.png").exists()


def test_a_url_cannot_choose_another_folder(folder: Path, server: FileServer, quick: Words) -> None:
    assert cli("remove", f"{server.url}/..%2F..%2Fetc%2Fpasswd.png", HERE, *quick).exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["passwd-cutout.png"]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_urls_secrets_are_never_shown(
    folder: Path, server: FileServer, flags: list[str], quick: Words
) -> None:
    address = server.url.removeprefix("http://")
    url = f"http://user:secret@{address}/missing.jpg?token=secret"
    done = cli("remove", url, HERE, *quick, *flags)
    assert done.exit_code == 1
    assert "secret" not in done.output
    assert f"http://{address}/missing.jpg" in done.output
    assert list(folder.iterdir()) == []


def test_a_private_address_is_refused_unless_allowed(folder: Path, server: FileServer) -> None:
    done = cli("remove", f"{server.url}/", "--json", "--model", "classical")
    (told,) = json_lines(done.stdout)
    assert (done.exit_code, told["error"]["code"]) == (1, "address-refused")
    assert server.requests == []
    assert list(folder.iterdir()) == []


def test_a_malformed_url_fails_alone(photo: Path, quick: Words) -> None:
    done = cli("remove", "http://[", photo, HERE, *quick)
    assert done.exit_code == 1
    assert photo.with_name("photo-cutout.png").exists()


@given(st.text(max_size=300))
def test_whatever_a_url_is_called_its_result_has_a_plain_name_in_the_working_folder(
    name: str,
) -> None:
    inputs = find_inputs([f"https://example.com/{quote(name, safe='')}"])
    (task,) = plan(inputs, Place(), Output.CUTOUT, ImageFormat.PNG)
    assert task.target is not None
    assert task.target.parent == Path()
    assert task.target.name.isprintable()
    assert not task.target.name.startswith((".", " "))
    assert len(os.fsencode(task.target.name)) <= 255
