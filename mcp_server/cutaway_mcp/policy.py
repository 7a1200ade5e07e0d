"""What the operator of the server allows: fixed when it starts, and never widened by a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

__all__ = ["LOCAL", "Policy"]

LOCAL = "local"
"""The backend that removes backgrounds on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the server may do.

    Attributes:
        allow_dirs: Folders it may read from and write to, with all below them. None given: the
            working folder, unless that is the root or the home folder.
        read_only: Whether nothing is ever written: only looking and listing is offered.
        network: Whether anything but this machine may be asked: URLs and remote backends.
        backend: Where removals run if a call doesn't say: `local`, `runware` or a service's URL.
        allow_backends: Where else a call may have them run; `local` always is allowed.
        max_cost: US dollars that one picture may cost at most; None for no limit but the settings'.
        image_responses: Whether answers may hold pictures to look at.
        output_dir: Where results go whose path isn't given, instead of beside their inputs; it is
            an allowed folder too.
        output_max_size: Bytes that all files in `output_dir` may have together; None for no limit.
        allow_private_network: Whether pictures may come from private addresses, and over http.
        warm: Whether the local engine is loaded at once, not at the first call.
    """

    allow_dirs: tuple[Path, ...] = ()
    read_only: bool = False
    network: bool = True
    backend: str = LOCAL
    allow_backends: frozenset[str] = frozenset()
    max_cost: Decimal | None = None
    image_responses: bool = True
    output_dir: Path | None = None
    output_max_size: int | None = None
    allow_private_network: bool = False
    warm: bool = False

    @property
    def backends(self) -> tuple[str, ...]:
        """Every backend that may be used, the usual one first."""
        allowed = {LOCAL, *self.allow_backends} - {self.backend}
        every = (self.backend, *sorted(allowed))
        return every if self.network else (LOCAL,)

    @property
    def remote(self) -> bool:
        """Whether a picture may leave this machine at all."""
        return self.backends != (LOCAL,)
