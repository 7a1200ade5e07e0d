from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import gimp_root
from tests.gimp_root import GIMPS, PYTHON_27, mirrors

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "http://mirror.test/debian"


def named_in(apt: Path, file: str, text: str) -> list[str]:
    """The mirrors that apt's sources name if they are in this one file."""
    (apt / file).parent.mkdir(exist_ok=True)
    (apt / file).write_text(text, encoding="utf-8")
    return list(mirrors(apt))


@pytest.mark.parametrize(
    "line",
    [
        f"deb {ADDRESS} bookworm main",
        f"deb {ADDRESS}/ bookworm main contrib # the nearest",
        f"deb  [arch=amd64 signed-by=/usr/share/keyrings/x.gpg]\t{ADDRESS} bookworm contrib main",
        f"# deb http://other.test/debian bookworm main\n\n  deb {ADDRESS} bookworm main",
        f"deb-src http://sources.test/debian bookworm main\ndeb {ADDRESS} bookworm main",
        f"deb cdrom:[Debian 12]/ bookworm main\ndeb {ADDRESS} bookworm main",
        f"deb http://tools.test/apt stable stable\ndeb {ADDRESS} bookworm main",
        f"deb http://security.test/debian bookworm-security main\ndeb {ADDRESS} bookworm main",
        f"deb http://flat.test ./\ndeb {ADDRESS} bookworm main",
    ],
)
@pytest.mark.parametrize("file", ["sources.list", "sources.list.d/debian.list"])
def test_a_line_of_apts_sources_names_the_mirror(tmp_path: Path, file: str, line: str):
    assert named_in(tmp_path, file, f"{line}\n") == [ADDRESS]


@pytest.mark.parametrize(
    "stanza",
    [
        f"Types: deb\nURIs: {ADDRESS}\nSuites: bookworm bookworm-updates\nComponents: main",
        f"# by hand\nTypes: deb deb-src\nURIs: {ADDRESS}/\nSuites: sid\n# and\nComponents: main",
        f"types: deb\nuris:\n {ADDRESS}\nsuites: bookworm\ncomponents:\n contrib\n main",
        f"Enabled: yes\nTypes: deb\nURIs: {ADDRESS}\nSuites: bookworm\nComponents: main",
    ],
)
def test_a_stanza_of_apts_sources_names_the_mirror(tmp_path: Path, stanza: str):
    security = "Types: deb\nURIs: http://s.test/d\nSuites: bookworm-security\nComponents: main\n"
    off = "Types: deb\nURIs: http://o.test/d\nSuites: bookworm\nComponents: main\nEnabled: no\n"
    sources = "Types: deb-src\nURIs: http://c.test/d\nSuites: bookworm\nComponents: main\n"
    text = "\n".join([security, off, sources, f"{stanza}\n"])
    assert named_in(tmp_path, "sources.list.d/debian.sources", text) == [ADDRESS]


def test_every_address_of_a_stanza_is_a_mirror(tmp_path: Path):
    text = f"Types: deb\nURIs: {ADDRESS} http://b.test/d\nSuites: bookworm\nComponents: main\n"
    found = named_in(tmp_path, "sources.list.d/debian.sources", text)
    assert found == [ADDRESS, "http://b.test/d"]


def test_without_sources_there_is_no_mirror(tmp_path: Path):
    assert list(mirrors(tmp_path)) == []


@given(text=st.text(alphabet=st.sampled_from("deb[]: \n#\t./httpURIsTyp=ma"), max_size=200))
def test_no_text_breaks_the_reading_of_sources(tmp_path_factory: pytest.TempPathFactory, text: str):
    apt = tmp_path_factory.mktemp("apt")
    for file in ("sources.list", "sources.list.d/debian.sources"):
        assert all(address.startswith("http") for address in named_in(apt, file, text))


def test_a_root_is_named_for_all_that_it_is_made_of():
    folders = {recipe.folder.name for recipe in (*GIMPS.values(), PYTHON_27)}
    assert len(folders) == len(GIMPS) + 1
    assert {name.rpartition("-")[0] for name in folders} == {"gimp-3.0", "gimp-3.2", "python-2.7"}


def test_where_there_is_no_root_a_test_is_skipped_with_the_command_that_brings_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gimp_root, "CACHE", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"python -m tests\.gimp_root"):
        gimp_root.gimp_root()


def test_what_runs_in_a_root_sees_nothing_of_this_machines_environment_and_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
):
    root = gimp_root.python27_root()
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")

    done = root.run("sh", "-c", "cat; env; sleep 1000 & ls /proc", stdin="hello\n")

    assert done.returncode == 0
    assert done.stdout.startswith("hello\n")
    assert "LD_LIBRARY_PATH" not in done.stdout
    assert len([line for line in done.stdout.split() if line.isdecimal()]) <= 3
