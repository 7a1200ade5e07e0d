from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cutaway.engine.download import Patience, pull
from cutaway.engine.store import InstalledModel, ModelStore
from cutaway.errors import (
    ConnectionFailed,
    DownloadRefused,
    LicenceNotAccepted,
    ModelDamaged,
    OutputError,
)
from cutaway.progress import Progress
from tests.fakes.file_server import FileServer, Hold, Reply
from tests.fakes.impostor import impostor
from tests.fakes.pulling import BODY, PATH, SHA256, SIZE, TINY, Pulling, ranges
from tests.fakes.tiny_model import body_of, tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Have the system refuse this process longer files, as a full disk would."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_model_is_fetched_checked_and_found_from_then_on(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    installed = pulling()
    own = store.place(TINY).file
    assert installed == InstalledModel(TINY, own, "cutaway", SHA256) == store.locate(TINY)
    assert own.read_bytes() == BODY
    assert pulling() == installed
    assert len(server.requests) == 1


def test_nothing_but_the_model_and_its_lock_stays_in_its_folder(
    pulling: Pulling, store: ModelStore
) -> None:
    pulling()
    place = store.place(TINY)
    assert set(place.file.parent.iterdir()) == {place.file, place.lock}


def test_the_share_that_has_come_grows_to_one(pulling: Pulling) -> None:
    pulling()
    assert pulling.shares == sorted(pulling.shares)
    assert pulling.shares[0] == 0
    assert pulling.shares[-1] == 1
    assert len(set(pulling.shares)) > 2
    assert list(pulling.progress.seconds) == ["download"]


def test_a_slash_at_the_end_of_the_address_does_not_matter(
    server: FileServer, store: ModelStore
) -> None:
    pull(TINY, store, base_url=f"{server.url}/", progress=Progress())
    assert [request.path for request in server.requests] == [PATH]


def test_a_copy_that_rembg_has_is_not_fetched_again(
    pulling: Pulling, server: FileServer, tmp_path: Path
) -> None:
    copy = tmp_path / "home" / ".u2net" / "tiny.onnx"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(BODY)
    assert pulling().path == copy
    assert server.requests == []


def test_a_redirect_is_followed(pulling: Pulling, server: FileServer) -> None:
    server.put("/elsewhere", BODY)
    server.script(PATH, Reply(status=302, location="/elsewhere?signature=secret"))
    server.put("/elsewhere?signature=secret", BODY)
    assert pulling().sha256 == SHA256


def test_endless_redirects_are_refused(pulling: Pulling, server: FileServer) -> None:
    server.script(PATH, Reply(status=302, location=PATH))
    with pytest.raises(DownloadRefused, match="redirect"):
        pulling()


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_any_other_status_is_told_with_the_address(
    pulling: Pulling, server: FileServer, status: int
) -> None:
    server.script(PATH, Reply(status=status))
    with pytest.raises(DownloadRefused, match=rf"{server.url}{PATH} answered {status}"):
        pulling()
    assert len(server.requests) == 1


def test_passwords_and_signatures_in_an_address_are_not_told(
    server: FileServer, store: ModelStore
) -> None:
    server.script(PATH, Reply(status=302, location="/gone?signature=secret"))
    base_url = server.url.replace("//", "//user:secret@")
    with pytest.raises(DownloadRefused) as caught:
        pull(TINY, store, base_url=base_url, progress=Progress())
    assert "/gone answered 404" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_that_is_none_is_refused(store: ModelStore) -> None:
    for address in ("ftp://127.0.0.1", "http://[::none", "models"):
        with pytest.raises(DownloadRefused, match="CUTAWAY_MODELS_URL"):
            pull(TINY, store, base_url=address, progress=Progress())


def test_a_body_without_a_length_is_taken(pulling: Pulling, server: FileServer) -> None:
    server.script(PATH, Reply(length=False))
    assert pulling().sha256 == SHA256
    assert len(server.requests) == 1


def test_wrong_bytes_are_thrown_away_and_both_sums_told(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    wrong = body_of(SIZE, seed=3)
    server.script(PATH, Reply(body=wrong), Reply())
    with pytest.raises(ModelDamaged) as caught:
        pulling()
    assert SHA256 in caught.value.why
    assert str(tiny_model(wrong).sha256) in caught.value.why
    assert "cutaway models pull tiny" in caught.value.next_step
    assert set(store.place(TINY).file.parent.iterdir()) == {store.place(TINY).lock}
    assert pulling().sha256 == SHA256


def test_a_damaged_file_is_replaced(pulling: Pulling, store: ModelStore) -> None:
    own = store.place(TINY).file
    own.parent.mkdir(parents=True)
    own.write_bytes(body_of(SIZE, seed=5))
    with pytest.raises(ModelDamaged):
        store.locate(TINY)
    assert pulling().path == own
    assert own.read_bytes() == BODY


def test_an_md5_is_enough_to_fetch_and_our_own_sum_is_kept(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(body=BODY[::-1]), Reply())
    with pytest.raises(ModelDamaged, match=rf"MD5 is \w+, not {TINY.md5}"):
        pulling(sha256=None)
    assert pulling(sha256=None).sha256 == SHA256


def test_a_body_that_does_not_end_is_cut_off(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    pulling.patience = Patience(read=1.0)
    endless = Reply(body=body_of(SIZE * 3), length=False, hold_after=SIZE * 2, hold=Hold())
    server.script(PATH, endless)
    with pytest.raises(DownloadRefused, match=f"more than {int(SIZE * 1.1)} bytes"):
        pulling()
    assert not store.place(TINY).part.exists()


def test_a_length_beyond_three_gigabytes_is_refused_even_for_a_rough_size(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(headers={"Content-Length": str((3 << 30) + 1)}))
    with pytest.raises(DownloadRefused, match=str((3 << 30) + 1)):
        pulling(size_exact=False)


def test_a_rough_size_does_not_refuse_the_file(pulling: Pulling) -> None:
    assert pulling(size=SIZE // 2, size_exact=False).sha256 == SHA256
    assert max(pulling.shares) == 1


def test_where_nobody_listens_no_connection_is_told(store: ModelStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionFailed, match="Check the network"):
        pull(TINY, store, base_url=f"http://127.0.0.1:{port}", progress=Progress())


def test_certificates_that_cannot_be_read_are_told(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    with pytest.raises(ConnectionFailed, match="SSL_CERT_FILE"):
        pulling()


def test_a_server_whose_certificate_nobody_vouches_for_is_not_trusted(
    store: ModelStore, tmp_path: Path
) -> None:
    failing = pytest.raises(ConnectionFailed, match="certificate verify failed")
    with impostor(tmp_path) as address, failing:
        pull(TINY, store, base_url=address, progress=Progress())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's length")
def test_a_disk_that_takes_no_more_is_told_with_the_room_there_is(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    place = store.place(TINY)
    with files_no_longer_than(100_000), pytest.raises(OutputError) as caught:
        pulling()
    assert str(place.file) in caught.value.what
    assert "File too large" in caught.value.why
    assert "free there" in caught.value.why
    assert "CUTAWAY_MODELS_DIR" in caught.value.next_step
    assert not place.file.exists()
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=100000-"]


def test_a_folder_that_cannot_be_made_is_told(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    store = ModelStore(tmp_path / "a file" / "models", {}, tmp_path)
    with pytest.raises(OutputError, match="CUTAWAY_MODELS_DIR"):
        pull(TINY, store, base_url=server.url, progress=Progress())
    assert server.requests == []


def test_a_restricted_model_is_fetched_only_once_its_licence_is_accepted(
    server: FileServer, store: ModelStore
) -> None:
    model = replace(TINY, commercial=False, licence="For study only")

    def fetch(*, accept_licence: bool = False) -> InstalledModel:
        return pull(
            model,
            store,
            base_url=server.url,
            progress=Progress(),
            accept_licence=accept_licence,
        )

    with pytest.raises(LicenceNotAccepted, match="For study only"):
        fetch()
    assert server.requests == []
    assert fetch(accept_licence=True).sha256 == SHA256
    assert store.remove(model)
    assert fetch().sha256 == SHA256
