"""Which paths the server uses: real ones in allowed folders, and nothing else."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver.exceptions import ToolError

from cutaway_mcp.folders import Folders, usual_folders
from tests.mcp_server.calling import call, facts_of, in_memory, refused
from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

SECRET = as_file(portrait(seed=7))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is not allowed, with a picture in it: `secret.png`."""
    other = (tmp_path / "outside").resolve()
    other.mkdir()
    (other / "secret.png").write_bytes(SECRET)
    return other


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def link(allowed: Path, outside: Path) -> str:
    (allowed / "link.png").symlink_to(outside / "secret.png")
    return str(allowed / "link.png")


def linked_folder(allowed: Path, outside: Path) -> str:
    (allowed / "inner").symlink_to(outside)
    return str(allowed / "inner" / "secret.png")


def hard_way_round(allowed: Path, outside: Path) -> str:
    (allowed / "deep").mkdir()
    (allowed / "deep" / "way").symlink_to(outside)
    return f"{allowed}/deep/way/../outside/secret.png"


def fifo(allowed: Path, _: Path) -> str:
    os.mkfifo(allowed / "pipe.png")
    return str(allowed / "pipe.png")


def unix_socket(allowed: Path, _: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        # its name is too long for a socket's, but not from within
        handle = os.open(allowed, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{handle}/s.png")
        os.close(handle)
    return str(allowed / "s.png")


def link_to_device(allowed: Path, _: Path) -> str:
    (allowed / "zero.png").symlink_to("/dev/zero")
    return str(allowed / "zero.png")


def link_to_itself(allowed: Path, _: Path) -> str:
    (allowed / "loop.png").symlink_to(allowed / "loop.png")
    return str(allowed / "loop.png")


BAD_INPUTS: list[Callable[[Path, Path], str]] = [
    lambda _, outside: str(outside / "secret.png"),
    lambda allowed, _: f"{allowed}/../outside/secret.png",
    lambda allowed, _: f"{allowed}/nothing/../../outside/secret.png",
    lambda allowed, _: f"{allowed}-and-more/secret.png",
    lambda *_: "cat.png",
    lambda *_: "./cat.png",
    lambda *_: "~root/cat.png",
    lambda *_: "",
    lambda allowed, _: f"{allowed}/cat.png\0.jpg",
    lambda allowed, _: f"{allowed}/\0",
    lambda *_: r"\\server\share\cat.png",
    lambda *_: "//server/share/cat.png",
    lambda allowed, _: f"/{allowed}/cat.png",
    lambda *_: r"\\.\PhysicalDrive0",
    lambda *_: "/proc/self/environ",
    lambda allowed, _: f"/proc/self/root{allowed}/../outside/secret.png",
    lambda *_: "/dev/zero",
    lambda *_: "/dev/stdin",
    lambda *_: "/sys/kernel/notes",
    lambda allowed, _: str(allowed),
    lambda allowed, _: f"{allowed}/missing.png",
    lambda allowed, _: f"{allowed}/cat.png/cat.png",
    lambda allowed, _: f"{allowed}/{'x' * 5000}.png",
    link,
    linked_folder,
    hard_way_round,
    fifo,
    unix_socket,
    link_to_device,
    link_to_itself,
]


@pytest.mark.parametrize("make", BAD_INPUTS)
async def test_an_input_that_is_no_file_in_an_allowed_folder_is_refused(
    folder: Path, outside: Path, make: Callable[[Path, Path], str]
) -> None:
    text = make(folder, outside)
    before = contents(folder), contents(outside)
    async with in_memory("2026-07-28", folder) as client:
        await refused(client, input=text)
        await refused(client, "view_image", path=text)
    assert (contents(folder), contents(outside)) == before


def dangling(allowed: Path, outside: Path) -> str:
    (allowed / "out.png").symlink_to(outside / "new.png")
    return str(allowed / "out.png")


def into_linked_folder(allowed: Path, outside: Path) -> str:
    (allowed / "inner").symlink_to(outside)
    return str(allowed / "inner" / "out.png")


def over_fifo(allowed: Path, _: Path) -> str:
    os.mkfifo(allowed / "out.png")
    return str(allowed / "out.png")


def over_folder(allowed: Path, _: Path) -> str:
    (allowed / "out.png").mkdir()
    return str(allowed / "out.png")


def over_source_code(allowed: Path, _: Path) -> str:
    (allowed / "main.py").write_text("import this", encoding="utf-8")
    return str(allowed / "main.py")


BAD_OUTPUTS: list[Callable[[Path, Path], str]] = [
    lambda _, outside: str(outside / "out.png"),
    lambda allowed, _: f"{allowed}/../outside/out.png",
    lambda *_: "out.png",
    lambda *_: "/dev/shm/out.png",  # noqa: S108  (it must not get there)
    lambda allowed, _: f"{allowed}/out.png\0",
    lambda allowed, _: f"{allowed}/missing/out.png",
    lambda allowed, _: f"{allowed}/{'x' * 300}/out.png",
    lambda allowed, _: f"{allowed}/{'x' * 300}.png",
    lambda allowed, _: f"{allowed}/cat.png/out.png",
    lambda allowed, _: f"{allowed}/out",
    lambda allowed, _: f"{allowed}/out.gif",
    lambda allowed, _: f"{allowed}/cat.png",
    lambda allowed, _: f"{allowed}/./inner/../cat.png",
    dangling,
    into_linked_folder,
    over_fifo,
    over_folder,
    over_source_code,
]


@pytest.mark.parametrize("make", BAD_OUTPUTS)
async def test_an_output_that_is_no_picture_file_in_an_allowed_folder_is_refused(
    folder: Path, outside: Path, make: Callable[[Path, Path], str]
) -> None:
    text = make(folder, outside)
    before = contents(folder), contents(outside)
    async with in_memory("2026-07-28", folder) as client:
        path = str(folder / "cat.png")
        await refused(client, input=path, output_path=text, overwrite=True)
    assert (contents(folder), contents(outside)) == before


async def test_links_that_stay_in_the_allowed_folders_are_followed(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "way").symlink_to(folder / "real")
    (folder / "way" / "dog.png").symlink_to(folder / "cat.png")
    async with in_memory("2026-07-28", folder) as client:
        facts = facts_of(await call(client, input=str(folder / "way" / "dog.png")))
    assert facts["output_path"] == str(folder / "way" / "dog-cutout.png")
    assert (folder / "real" / "dog-cutout.png").is_file()


@pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/self/../version", "/dev/null"])
def test_what_is_the_kernel_s_is_never_read_be_the_root_itself_allowed(path: str) -> None:
    folders = Folders([Path("/")])
    with pytest.raises(ToolError, match="allowed folder"):
        folders.readable(path)
    with pytest.raises(ToolError, match="allowed folder"):
        folders.writable(path, overwrite=True)


def bomb() -> bytes:
    """A whole PNG whose header announces 100,000 megapixels."""
    header = struct.pack(">IIBBBBB", 400_000, 250_000, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bomb(), "pixels"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no known type"),
        (b"Just some text, with a picture's name.\n", "no known type"),
        (b"", "empty"),
        (SECRET[:200], "damaged"),
    ],
    ids=["bomb", "svg", "text", "empty", "cut off"],
)
async def test_a_file_that_is_no_sound_picture_is_refused(
    folder: Path, data: bytes, reason: str
) -> None:
    (folder / "odd.png").write_bytes(data)
    async with in_memory("2026-07-28", folder) as client:
        text = await refused(client, input=str(folder / "odd.png"))
    assert reason in text
    assert sorted(contents(folder)) == ["cat.png", "odd.png"]


def swap_file(folder: Path, outside: Path) -> None:
    (folder / "inner" / "dog.png").unlink()
    (folder / "inner" / "dog.png").symlink_to(outside / "secret.png")


def swap_folder(folder: Path, outside: Path) -> None:
    (folder / "inner").rename(folder / "moved")
    (folder / "inner").symlink_to(outside)
    (outside / "dog.png").write_bytes(SECRET)


def swap_for_pipe(folder: Path, _: Path) -> None:
    (folder / "inner" / "dog.png").unlink()
    os.mkfifo(folder / "inner" / "dog.png")


@pytest.mark.parametrize("swap", [swap_file, swap_folder, swap_for_pipe])
def test_a_file_that_is_replaced_between_judging_and_opening_is_not_read(
    folder: Path, outside: Path, swap: Callable[[Path, Path], None]
) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "dog.png").write_bytes(b"dog")
    folders = Folders([folder])
    path = folders.readable(str(folder / "inner" / "dog.png"))
    swap(folder, outside)
    with pytest.raises(ToolError), folders.opened(path) as file:
        file.read()


NAMES = ["..", ".", "inner", "to_outside", "to_inner", "to_file", "cat.png", "loop", "secret.png"]


@given(st.lists(st.sampled_from(NAMES), max_size=8), st.booleans())
def test_whatever_is_read_lies_in_the_allowed_folder(names: list[str], slashes: bool) -> None:  # noqa: FBT001  (drawn)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        allowed, inner, other = top / "allowed", top / "allowed" / "inner", top / "outside"
        for path in (inner, other):
            path.mkdir(parents=True)
        (inner / "cat.png").write_bytes(b"cat")
        (other / "secret.png").write_bytes(b"secret")
        (allowed / "to_outside").symlink_to(other)
        (allowed / "to_inner").symlink_to("inner")
        (inner / "to_file").symlink_to("../../outside/secret.png")
        (inner / "loop").symlink_to("loop")
        folders = Folders([allowed])
        text = ("//" if slashes else "/").join([str(allowed), *names])
        try:
            path = folders.readable(text)
            with folders.opened(path) as file:
                assert file.read() == b"cat"
        except ToolError:
            return
        assert path.is_relative_to(allowed)


def test_the_working_folder_is_allowed_if_none_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert usual_folders() == (folder,)


@pytest.mark.parametrize("place", ["/", "~"])
async def test_the_root_and_the_home_folder_are_not_allowed_by_themselves(
    place: str, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(isolated_home if place == "~" else place)
    assert usual_folders() == ()
    async with in_memory("legacy") as client:
        assert "--allow-dir" in await refused(client, input=str(isolated_home / "cat.png"))
        assert "--allow-dir" in str(client.instructions)


async def test_the_home_folder_is_allowed_if_it_is_named(isolated_home: Path) -> None:
    (isolated_home / "cat.png").write_bytes(SECRET)
    async with in_memory("2026-07-28", isolated_home) as client:
        facts = facts_of(await call(client, input="~/cat.png"))
    assert facts["output_path"] == str(isolated_home / "cat-cutout.png")


async def test_a_server_that_only_reads_makes_no_folder(folder: Path) -> None:
    results = folder / "results"
    async with in_memory("2026-07-28", folder, read_only=True, output_dir=results) as client:
        assert (await call(client, "view_image", path=str(folder / "cat.png"))).content
    assert not results.exists()
