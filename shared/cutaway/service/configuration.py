"""What a service is told once, when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path  # noqa: TC003  (`field` is told of it)
from typing import TYPE_CHECKING

import platformdirs

from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.runware.credential import Credential

__all__ = ["Configuration"]

_MIB, _GIB = 1 << 20, 1 << 30
_DAY = 86_400.0
_LEAST = {
    "max_queue": 1,
    "max_body": 1,
    "per_key": 1,
    "workers": 1,
    "keep": 60.0,  # the shortest life that the API lets a result's URL have
    "keep_uploads": 60.0,
    "max_storage": 1,
    "sync_patience": 0.0,
    "price": Decimal(0),
}


def _folder() -> Path:
    return platformdirs.user_state_path("cutaway") / "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """How one service runs.

    Attributes:
        host: The address to listen at.
        port: The port to listen at, 0..65535; 0 takes any that is free.
        key: What every caller has to know; None lets everybody in.
        folder: Where tasks and pictures are kept, for this user's eyes only.
        public_url: What the URLs of pictures begin with; None takes each request's own `Host`.
        price: US dollars that one removal is said to cost.
        allow_fallback: Take another model where the one asked for is not on this machine.
        allow_private_network: Fetch from and deliver to private and loopback addresses too.
        max_queue: Tasks that may wait.
        max_body: Bytes of a request's body or of a WebSocket's message.
        per_key: Tasks that one key may have, waiting or worked on.
        workers: Removals at a time; None lets the machine decide.
        keep: Seconds that results, inputs and outcomes can be had, at least 60.
        keep_uploads: Seconds that an uploaded picture is kept after its last use, at least 60.
        max_storage: Bytes of pictures in `folder`.
        sync_patience: Seconds that a caller waits for a result; then the task goes on without.

    Raises:
        ConfigError: a number is out of its range, or the public URL isn't one.
    """

    host: str = "127.0.0.1"
    port: int = 8585
    key: Credential | None = None
    folder: Path = field(default_factory=_folder)
    public_url: str | None = None
    price: Decimal = Decimal(0)
    allow_fallback: bool = False
    allow_private_network: bool = False
    max_queue: int = 64
    max_body: int = 96 * _MIB
    per_key: int = 32
    workers: int | None = None
    keep: float = _DAY
    keep_uploads: float = 30 * _DAY
    max_storage: int = 10 * _GIB
    sync_patience: float = 110.0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise _refused(name, f"it is {value}, and must be {least} or more")
        if not 0 <= self.port < 1 << 16:
            raise _refused("port", f"it is {self.port}, and must be 0..65535")
        if self.public_url is not None and not _is_url(self.public_url):
            raise _refused("public_url", "it must begin with http:// or https:// and a host")


def _is_url(text: str) -> bool:
    scheme, mark, rest = text.partition("://")
    whole = scheme in {"http", "https"} and bool(mark) and rest[:1] not in {"", "/", "?", "#"}
    return whole and text.isprintable() and not set(" ?#") & set(text)


def _refused(name: str, why: str) -> ConfigError:
    return ConfigError(f"the service's {name} can't be used", why, "Change it and start again")
