from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from cutaway.engine.store import InstalledModel, ModelStore
from cutaway.errors import LicenceNotAccepted, ModelDamaged, ModelNotInstalled, OutputError
from tests.fakes.tiny_model import body_of, tiny_model

if TYPE_CHECKING:
    from pathlib import Path

BODY = body_of(3000)
OTHER = body_of(3000, seed=1)
TINY = tiny_model(BODY)
MD5_ONLY = replace(TINY, sha256=None)
RESTRICTED = replace(TINY, commercial=False, licence="For study only")

# The collision of Wang, Feng, Lai and Yu (2004): two blocks, one MD5.
_COLLISION = (
    "d131dd02c5e6eec4693d9a0698aff95c2fcab5{}12467eab4004583eb8fb7f8955ad340609f4b30283e48883"
    "25{}415a085125e8f7cdc99fd91dbd{}80373c5bd8823e3156348f5bae6dacd436c919c6dd53e2{}87da03fd"
    "02396306d248cda0e99f33420f577ee8ce54b67080{}0d1ec69821bcb6a8839396f965{}6ff72a70"
)
GENUINE = bytes.fromhex(_COLLISION.format("87", "71", "f2", "b4", "a8", "2b"))
FORGED = bytes.fromhex(_COLLISION.format("07", "f1", "72", "34", "28", "ab"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def store(models_dir: Path, home: Path) -> ModelStore:
    return ModelStore(models_dir, {}, home)


def write(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def swap_unnoticed(path: Path, body: bytes) -> None:
    """Put other bytes there under the same length and time of change."""
    before = path.stat()
    path.write_bytes(body)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch_later(path: Path) -> None:
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_found_where_nothing_is_and_nothing_is_made(
    store: ModelStore, tmp_path: Path
) -> None:
    assert store.locate(TINY) is None
    assert store.best([TINY]) is None
    assert list(tmp_path.iterdir()) == []


def test_our_own_file_is_found_before_anyone_elses(
    store: ModelStore, models_dir: Path, home: Path
) -> None:
    write(home / ".u2net" / "tiny.onnx")
    own = write(models_dir / "tiny" / "Tiny-epoch_1.onnx")
    assert store.locate(TINY) == InstalledModel(TINY, own, "cutaway", TINY.sha256 or "")


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("U2NET_HOME", "named/tiny.onnx"),
        ("U2NET_HOME", "named/models/tiny/tiny.onnx"),
        ("REMBG_HOME", "named/tiny.onnx"),
        ("REMBG_HOME", "named/models/tiny/tiny.onnx"),
        ("XDG_DATA_HOME", "named/rembg/models/tiny/tiny.onnx"),
        ("XDG_DATA_HOME", "named/.u2net/tiny.onnx"),
        (None, "home/.rembg/models/tiny/tiny.onnx"),
        (None, "home/.u2net/tiny.onnx"),
    ],
)
def test_a_file_that_rembg_fetched_is_used_where_it_is(
    variable: str | None, place: str, tmp_path: Path
) -> None:
    path = write(tmp_path / place)
    environ = {variable: str(tmp_path / "named")} if variable else {}
    store = ModelStore(tmp_path / "models", environ, tmp_path / "home")
    assert store.locate(TINY) == InstalledModel(TINY, path, "rembg", TINY.sha256 or "")


@pytest.mark.parametrize("variable", ["HF_HOME", None])
def test_a_blob_of_hugging_faces_cache_is_used_under_its_sum(
    variable: str | None, tmp_path: Path
) -> None:
    hub = tmp_path / ("named" if variable else "home/.cache/huggingface") / "hub"
    blob = write(hub / "models--someone--tiny" / "blobs" / (TINY.sha256 or ""))
    environ = {variable: str(tmp_path / "named")} if variable else {}
    store = ModelStore(tmp_path / "models", environ, tmp_path / "home")
    assert store.locate(TINY) == InstalledModel(TINY, blob, "huggingface", TINY.sha256 or "")


def test_a_tilde_in_a_variable_is_the_home_folder(models_dir: Path, home: Path) -> None:
    path = write(home / "shared" / "tiny.onnx")
    found = ModelStore(models_dir, {"U2NET_HOME": "~/shared"}, home).locate(TINY)
    assert found
    assert found.path == path


def test_an_empty_variable_names_no_folder(
    models_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(home / "tiny.onnx").parent)
    assert ModelStore(models_dir, {"U2NET_HOME": "", "HF_HOME": ""}, home).locate(TINY) is None


@pytest.mark.parametrize("body", [OTHER, BODY[:-1], b""])
def test_a_foreign_file_that_is_not_the_published_one_is_passed_over(
    store: ModelStore, home: Path, body: bytes
) -> None:
    write(home / ".rembg" / "models" / "tiny" / "tiny.onnx", body)
    assert store.locate(TINY) is None
    good = write(home / ".u2net" / "tiny.onnx")
    found = store.locate(TINY)
    assert found
    assert found.path == good


def test_a_foreign_file_is_known_by_its_md5_where_only_that_is_published(
    store: ModelStore, home: Path
) -> None:
    write(home / ".u2net" / "tiny.onnx")
    found = store.locate(MD5_ONLY)
    assert found
    assert found.sha256 == TINY.sha256
    write(home / ".u2net" / "tiny.onnx", OTHER)
    touch_later(home / ".u2net" / "tiny.onnx")
    assert store.locate(MD5_ONLY) is None


def test_others_folders_are_never_written_to(store: ModelStore, home: Path, tmp_path: Path) -> None:
    write(home / ".u2net" / "tiny.onnx")
    before = contents(home)
    store.locate(TINY)
    store.verify(TINY)
    assert store.remove(TINY) is False
    assert contents(home) == before
    assert {path.name for path in tmp_path.iterdir()} == {"home", "models"}


def test_a_file_is_hashed_again_only_when_it_has_changed(store: ModelStore) -> None:
    own = write(store.place(TINY).file)
    assert store.locate(TINY)
    swap_unnoticed(own, OTHER)
    assert store.locate(TINY)
    touch_later(own)
    with pytest.raises(ModelDamaged):
        store.locate(TINY)


def test_verifying_hashes_even_what_seems_unchanged(store: ModelStore) -> None:
    own = write(store.place(TINY).file)
    assert store.verify(TINY) == store.locate(TINY)
    swap_unnoticed(own, OTHER)
    with pytest.raises(ModelDamaged) as caught:
        store.verify(TINY)
    assert str(TINY.sha256) in caught.value.why
    assert str(tiny_model(OTHER).sha256) in caught.value.why
    assert "cutaway models pull tiny" in caught.value.next_step
    with pytest.raises(ModelDamaged):
        store.locate(TINY)


def test_a_foreign_file_that_verifying_found_changed_is_no_longer_used(
    store: ModelStore, home: Path
) -> None:
    path = write(home / ".u2net" / "tiny.onnx")
    assert store.locate(TINY)
    swap_unnoticed(path, OTHER)
    with pytest.raises(ModelDamaged, match=r"tiny\.onnx"):
        store.verify(TINY)
    assert store.locate(TINY) is None


def test_our_own_file_that_was_cut_short_is_damaged(store: ModelStore) -> None:
    write(store.place(TINY).file, BODY[:1000])
    with pytest.raises(ModelDamaged, match=r"1000 bytes, not 3000.*cutaway models pull tiny"):
        store.require(TINY)
    with pytest.raises(ModelDamaged, match=str(TINY.sha256)):
        store.verify(TINY)


def test_our_own_file_that_cannot_be_read_is_damaged(store: ModelStore) -> None:
    store.place(TINY).file.mkdir(parents=True)
    rough = replace(TINY, size_exact=False)
    with pytest.raises(ModelDamaged, match="not the published file"):
        store.locate(rough)


def test_a_rough_size_is_not_held_against_a_file(store: ModelStore) -> None:
    write(store.place(TINY).file)
    assert store.locate(replace(TINY, size=5000, size_exact=False))


def test_an_md5_is_trusted_once_and_our_own_sum_from_then_on(store: ModelStore) -> None:
    model = replace(tiny_model(GENUINE), sha256=None)
    assert model.md5 == tiny_model(FORGED).md5
    own = write(store.place(model).file, GENUINE)
    assert store.locate(model)
    own.write_bytes(FORGED)
    for _ in range(2):
        touch_later(own)
        with pytest.raises(ModelDamaged, match=str(tiny_model(GENUINE).sha256)):
            store.locate(model)
    own.write_bytes(GENUINE)
    touch_later(own)
    assert store.locate(model)


@pytest.mark.parametrize("rubbish", [b"", b"[]", b"null", b'{"size": "x"}', b"\xff\xfe{"])
def test_a_spoilt_record_only_costs_hashing_again(
    store: ModelStore, models_dir: Path, home: Path, rubbish: bytes
) -> None:
    own = write(store.place(TINY).file)
    assert store.locate(TINY)
    (record,) = (models_dir / "checked").iterdir()
    swap_unnoticed(own, OTHER)
    record.write_bytes(rubbish)
    with pytest.raises(ModelDamaged):
        ModelStore(models_dir, {}, home).locate(TINY)


def test_with_a_models_folder_that_cannot_be_written_to_a_file_is_hashed_once_by_each_store(
    tmp_path: Path, home: Path
) -> None:
    foreign = write(home / ".u2net" / "tiny.onnx")
    write(tmp_path / "a file")
    store = ModelStore(tmp_path / "a file" / "models", {}, home)
    found = store.locate(TINY)
    assert found
    assert found.where == "rembg"
    swap_unnoticed(foreign, OTHER)
    assert store.locate(TINY) == found
    assert ModelStore(tmp_path / "a file" / "models", {}, home).locate(TINY) is None


def test_a_model_that_is_not_here_is_told_with_its_size_and_how_to_get_it(
    store: ModelStore,
) -> None:
    for ask in (store.require, store.verify):
        with pytest.raises(ModelNotInstalled, match=r"3.0 kB.*cutaway models pull tiny"):
            ask(TINY)


def test_removing_takes_our_own_file_and_its_remains_only(store: ModelStore, home: Path) -> None:
    write(home / ".u2net" / "tiny.onnx")
    place = store.place(TINY)
    for path in (place.file, place.part, place.origin):
        write(path)
    assert store.remove(TINY) is True
    assert not any(path.exists() for path in (place.file, place.part, place.origin))
    assert store.remove(TINY) is False
    found = store.locate(TINY)
    assert found
    assert found.where == "rembg"


def test_what_a_runtime_has_made_of_a_model_is_removed_with_it(store: ModelStore) -> None:
    place = store.place(TINY)
    write(place.file)
    write(place.compiled / "2026.4.1" / "1.blob")
    assert store.remove(TINY)
    assert not place.compiled.exists()


def test_a_model_is_not_removed_while_it_is_being_fetched(store: ModelStore) -> None:
    place = store.place(TINY)
    write(place.part)
    with FileLock(place.lock), pytest.raises(OutputError, match="being downloaded right now"):
        store.remove(TINY)
    assert place.part.exists()


def test_a_file_that_cannot_be_deleted_is_told(store: ModelStore) -> None:
    write(store.place(TINY).file / "in the way")
    with pytest.raises(OutputError, match="was not removed"):
        store.remove(TINY)


def test_auto_takes_the_best_that_is_installed(store: ModelStore) -> None:
    light, good, best = (
        replace(TINY, name=name, auto_rank=rank)
        for name, rank in (("light", 1), ("good", 2), ("best", 3))
    )
    asked_for = replace(TINY, name="special")
    offered = [good, best, light, asked_for]
    write(store.place(asked_for).file)
    assert store.best(offered) is None
    for model in (light, good):
        write(store.place(model).file)
    chosen = store.best(offered)
    assert chosen
    assert chosen.model is good


def test_auto_tells_that_its_choice_is_damaged_rather_than_take_another(store: ModelStore) -> None:
    good, light = replace(TINY, name="good", auto_rank=2), replace(TINY, name="light", auto_rank=1)
    write(store.place(good).file, OTHER)
    write(store.place(light).file)
    with pytest.raises(ModelDamaged):
        store.best([light, good])


def test_a_restricted_model_is_used_only_after_its_licence_was_accepted(
    store: ModelStore, models_dir: Path, home: Path
) -> None:
    write(home / ".u2net" / "tiny.onnx")
    with pytest.raises(LicenceNotAccepted, match=r"For study only.*--accept-licence"):
        store.require(RESTRICTED)
    store.licences.accept(RESTRICTED)
    assert store.require(RESTRICTED).where == "rembg"
    again = ModelStore(models_dir, {}, home)
    assert again.require(RESTRICTED).where == "rembg"


def test_an_acceptance_is_written_down_once_for_people_to_read(
    store: ModelStore, models_dir: Path
) -> None:
    other = replace(RESTRICTED, name="other")
    for model in (TINY, RESTRICTED, RESTRICTED, other):
        store.licences.accept(model)
    entries = json.loads((models_dir / "licences.json").read_text(encoding="utf-8"))
    assert [entry["model"] for entry in entries] == ["tiny", "other"]
    assert entries[0]["licence"] == "For study only"
    assert entries[0]["date"].count("-") == 2


def test_a_changed_licence_is_asked_for_again(store: ModelStore) -> None:
    store.licences.accept(RESTRICTED)
    with pytest.raises(LicenceNotAccepted):
        store.licences.check(replace(RESTRICTED, licence="For study on weekdays only"))


@pytest.mark.parametrize("rubbish", [b"", b"{}", b"3", b'["tiny"]', b"\xff"])
def test_a_spoilt_list_of_acceptances_accepts_nothing(
    store: ModelStore, models_dir: Path, rubbish: bytes
) -> None:
    write(models_dir / "licences.json", rubbish)
    with pytest.raises(LicenceNotAccepted):
        store.licences.check(RESTRICTED)
    store.licences.accept(RESTRICTED)
    store.licences.check(RESTRICTED)


def test_an_acceptance_that_cannot_be_written_down_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a file")
    store = ModelStore(tmp_path / "a file" / "models", {}, tmp_path)
    with pytest.raises(OutputError, match="CUTAWAY_MODELS_DIR"):
        store.licences.accept(RESTRICTED)
