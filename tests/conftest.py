"""What every test stands on: a home of its own, and the real pictures where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import pytest

from tests.fakes.keyring_store import KeyringStore

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
_OURS = ("CUTAWAY_", "U2NET_", "REMBG_", "HF_", "XDG_", "RUNWARE_", "GIMP2_", "GIMP3_")


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home without models, config, caches or keyring, for this process and those it starts."""
    for name in list(os.environ):
        if name.startswith(_OURS) and name != "CUTAWAY_TEST_DATA":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return home


@pytest.fixture
def keyring_store(isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyringStore]:
    """The system keyring, empty, for this process and those it starts."""
    before = keyring.get_keyring()
    store = KeyringStore(isolated_home / "keyring.json")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    keyring.set_keyring(store.keyring())
    yield store
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real weights and pictures; they can't be shipped, so tests may skip."""
    folder = Path(os.environ.get("CUTAWAY_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "pairs").is_dir():
        pytest.skip(f"no real pictures in {folder}: CUTAWAY_TEST_DATA can name another folder")
    return folder


@pytest.fixture(scope="session")
def u2netp_weights(test_data: Path) -> Path:
    """The genuine u2netp in half precision."""
    return test_data / "weights" / "u2netp-fp16.onnx"
