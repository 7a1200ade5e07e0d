from __future__ import annotations

import base64
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import CutawayError, SourceError, TooLarge
from cutaway.settings import Limits
from cutaway.sources import SourceKind, kind_of, read
from cutaway.sources.text import data_uri_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits(max_bytes=1000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
HEADS = (
    PNG,
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01",
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0",
    b"RIFF\x24\0\0\0WEBPVP8L\x18\0\0\0",
    b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0",
    b"II*\0\x08\0\0\0\x0e\0\0\x01\x03\0\0\0",
    b"MM\0*\0\0\0\x08\0\x0e\x01\0\0\x03\0\0",
    b"\0\0\0\x20ftypavif\0\0\0\0avif",
    b"\0\0\0\x18ftypheic\0\0\0\0heic",
    b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14",
)
pictures = st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=200))
encoders: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from(
    (base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes)
)


def failure(text: str) -> CutawayError | None:
    try:
        read(text, LIMITS)
    except CutawayError as error:
        return error
    return None


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@given(
    pictures, encoders, st.sampled_from(("=", "")), st.sampled_from(("", " ", "\r\n\t", " " * 500))
)
def test_a_picture_in_base64_of_any_dress_is_told_and_read_back(
    picture: bytes, encode: Callable[[bytes], bytes], padding: str, margin: str
) -> None:
    text = encode(picture).decode()
    text = margin + text.replace("=", padding) + margin
    assert kind_of(text) is SourceKind.BASE64
    assert read(text, LIMITS).data == picture


@given(st.binary(max_size=200))
def test_base64_of_something_else_is_not_taken_for_a_picture(data: bytes) -> None:
    assert kind_of(as_base64(b"not a picture" + data)) is SourceKind.PATH


def test_base64_broken_in_the_middle_is_refused() -> None:
    text = as_base64(PNG * 3)
    with pytest.raises(SourceError, match="not base64"):
        read(f"{text[:90]}*{text[90:]}", LIMITS)


@pytest.mark.parametrize(
    "text", ["data:", "DATA:image/png;base64,AAAA", " data:,x", "data:garbage"]
)
def test_what_begins_as_a_data_uri_is_one(text: str) -> None:
    assert kind_of(text) is SourceKind.DATA_URI


@pytest.mark.parametrize("text", ["http://a/b.png", "HTTPS://a", "\nhttps://a/b\n", "http://"])
def test_what_begins_as_an_http_url_is_one(text: str) -> None:
    assert kind_of(text) is SourceKind.URL


@given(st.uuids(), st.sampled_from((str.lower, str.upper)))
def test_a_canonical_uuid_of_any_version_and_case_is_one(
    uuid: UUID, spell: Callable[[str], str]
) -> None:
    assert kind_of(spell(str(uuid))) is SourceKind.UUID


@pytest.mark.parametrize("text", [UUID(int=1).hex, f"{{{UUID(int=1)}}}", f"{UUID(int=1)}.png", ""])
def test_what_only_resembles_a_uuid_is_a_path(text: str) -> None:
    assert kind_of(text) is SourceKind.PATH


@pytest.mark.parametrize("text", ["C:\\photo.png", "D:photo.png", "/tmp/a b.jpg", "-", "~", "a\0b"])  # noqa: S108  (never opened)
def test_any_other_text_is_a_path(text: str) -> None:
    assert kind_of(text) is SourceKind.PATH


def test_an_existing_file_named_like_base64_is_read_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = as_base64(PNG).replace("/", "_")
    assert kind_of(name) is SourceKind.BASE64
    Path(name).write_bytes(PNG)
    assert read(name, LIMITS).data == PNG


def test_a_uuid_is_a_remote_picture_even_where_a_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = str(UUID(int=7))
    with pytest.raises(SourceError, match="Give a path or a URL"):
        read(name, LIMITS)
    Path(name).write_bytes(PNG)
    with pytest.raises(SourceError, match=rf"give \./{name}"):
        read(name, LIMITS)
    assert read(f"./{name}", LIMITS).data == PNG


@given(
    st.binary(min_size=1, max_size=200), st.sampled_from(("", "image/png", "image/x;name=a%2Cb"))
)
def test_data_uris_of_both_forms_give_their_bytes_back(data: bytes, kind: str) -> None:
    plain = f"data:{kind},{quote_from_bytes(data)}"
    packed = f"data:{kind};base64,{as_base64(data)}"
    folded = "\r\n  ".join(textwrap.wrap(packed, 76, break_on_hyphens=False))
    folded_plain = "\r\n\t".join(textwrap.wrap(plain, 70, break_on_hyphens=False))
    escaped = f"data:{kind};BASE64,{quote_from_bytes(as_base64(data).encode(), safe='')}"
    for uri in (plain, packed, folded, folded_plain, escaped):
        loaded = read(f" {uri}\n", LIMITS)
        assert (loaded.data, loaded.name, loaded.kind) == (data, None, SourceKind.DATA_URI)


def test_an_escape_that_spans_a_stretch_of_decoding_is_kept() -> None:
    data = b"a" * 65_534 + b"\xff\x00" * 40_000
    uri = "data:," + data.decode("latin-1").replace("\xff", "%FF").replace("\0", "%00")
    assert data_uri_bytes(uri, Limits()) == data


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,iVBOR",
        "data:image/png;base64,iVBO%FF",
        "data:image/png,\ud800",
        "data:image/png;base64,",
        "data:,",
    ],
)
def test_a_malformed_or_empty_data_uri_is_refused(uri: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(uri, LIMITS)
    assert caught.value.next_step


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_is_measured_before_it_is_decoded(prefix: str) -> None:
    fits = prefix + as_base64(PNG + bytes(1000 - len(PNG)))
    assert len(read(fits, LIMITS).data) == 1000
    # Broken at its end: were it decoded, that would be the error.
    with pytest.raises(TooLarge, match=r"1,00\d bytes, and 1,000 are allowed.*CUTAWAY_MAX_BYTES"):
        read(prefix + as_base64(PNG + bytes(1002 - len(PNG))) + "!", LIMITS)


def test_a_percent_encoded_data_uri_is_measured_in_decoded_bytes() -> None:
    assert len(read("data:," + "%00" * 1000, LIMITS).data) == 1000
    with pytest.raises(TooLarge):
        read("data:," + "%00" * 1001, LIMITS)
    with pytest.raises(TooLarge):
        read("data:," + "\N{SNOWMAN}" * 400, LIMITS)
    # No text at its end: were it decoded, that would be the error.
    with pytest.raises(TooLarge):
        read("data:," + "%00" * 1001 + "\ud800", LIMITS)


@given(
    st.sampled_from(
        ("", "data:", "data:;base64,", "file://", "ftp://", "x:", "iVBORw0KGgo", "/9j/")
    ),
    st.text(st.characters(), max_size=100),
)
def test_arbitrary_text_raises_nothing_but_our_errors(start: str, text: str) -> None:
    error = failure(start + text)
    assert error is None or (error.next_step and str(error).isprintable())
