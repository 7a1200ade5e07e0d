"""That an address in the name's place takes nothing from TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cutaway.errors import ConnectionFailed, SourceError
from cutaway.settings import Limits
from cutaway.sources.fetch import fetch
from cutaway.sources.guard import Guard
from tests.fakes.picture_server import PictureServer, body, redirect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMITS = Limits(max_bytes=1000)
PICTURE = bytes(range(256))
GUARD = Guard(lambda _host, _port: ["127.0.0.1"], lambda address: address.is_loopback)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for cat.invalid, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cat.invalid")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cat.invalid")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "cat.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def asked_names() -> list[str]:
    return []


@pytest.fixture
def secure(certificate: Path, asked_names: list[str]) -> Iterator[PictureServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked_names.append(name)
    with PictureServer(context) as running:
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_the_certificate_is_asked_for_and_checked_by_name(
    secure: PictureServer, asked_names: list[str]
) -> None:
    secure.answers["/a.png"] = body(PICTURE)
    assert fetch(secure.url("/a.png", host="cat.invalid"), LIMITS, guard=GUARD) == PICTURE
    assert asked_names == ["cat.invalid"]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["dog.invalid", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(secure: PictureServer, host: str) -> None:
    with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
        fetch(secure.url("/a.png", host=host), LIMITS, guard=GUARD)
    assert not secure.requests


@pytest.mark.usefixtures("trusted")
def test_a_redirect_to_another_name_checks_that_name_too(secure: PictureServer) -> None:
    secure.answers["/a.png"] = redirect(secure.url("/b.png", host="dog.invalid"))
    secure.answers["/b.png"] = body(PICTURE)
    with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
        fetch(secure.url("/a.png", host="cat.invalid"), LIMITS, guard=GUARD)
    assert len(secure.requests) == 1


def test_a_certificate_nobody_vouches_for_is_refused(secure: PictureServer) -> None:
    with pytest.raises(ConnectionFailed, match=r"(?i)certificate"):
        fetch(secure.url("/a.png", host="cat.invalid"), LIMITS, guard=GUARD)
    assert not secure.requests


@pytest.mark.usefixtures("trusted")
def test_a_redirect_from_https_to_http_is_refused(
    secure: PictureServer, server: PictureServer
) -> None:
    secure.answers["/a.png"] = redirect(server.url("/a.png", host="cat.invalid"))
    with pytest.raises(SourceError, match="from https to http"):
        fetch(secure.url("/a.png", host="cat.invalid"), LIMITS, guard=GUARD)
    assert not server.requests
