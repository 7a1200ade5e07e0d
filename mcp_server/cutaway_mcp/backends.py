"""The clients that remove backgrounds, one for each backend that a call may name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from cutaway_mcp.failures import quoted, refusal
from cutaway_mcp.policy import LOCAL

if TYPE_CHECKING:
    from cutaway import AsyncClient, Settings
    from cutaway_mcp.policy import Policy

__all__ = ["Clients"]


class Clients:
    """Makes a client when a backend is first used, and keeps it warm until the server ends.

    Safe to share among threads: making a client loads much, and is best not done on an event loop.

    Args:
        settings: What this machine's user has set.
        policy: What the operator allows.
        client: One that is there already; it stands for the backend of its settings, and whoever
            made it closes it.
    """

    def __init__(
        self, settings: Settings, policy: Policy, client: AsyncClient | None = None
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._given = client
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str | None], AsyncClient] = {}

    def named(self, backend: str | None) -> str:
        """The backend that a call means: the server's usual one if it names none.

        Raises:
            ToolError: the operator has not allowed it.
        """
        wanted = backend or self._policy.backends[0]
        if wanted in self._policy.backends:
            return wanted
        if not self._policy.network:
            raise refusal(
                f"the backend {quoted(wanted)} can't be used",
                "the server was started with --no-network",
                f"Use the backend {LOCAL}",
            )
        raise refusal(
            f"the backend {quoted(wanted)} can't be used",
            "pictures may leave this machine only where its operator allows it",
            f"Use {' or '.join(self._policy.backends)}, or have the operator start the server "
            f"with --allow-backend {quoted(wanted)}",
        )

    def get(self, backend: str | None = None, delivery: str | None = None) -> AsyncClient:
        """The client of a backend.

        Args:
            backend: As `named` takes it.
            delivery: Whether to wait for a remote result (sync) or ask for it (async); as the
                settings say, if not given.

        Raises:
            ToolError: the operator has not allowed the backend.
            ConfigError: its settings can't be used.
        """
        name = self.named(backend)
        key = (name, None if name == LOCAL else delivery)
        if self._given is not None and _serves(self._given.settings, *key):
            return self._given
        with self._lock:
            if key not in self._made:
                from cutaway import AsyncClient

                self._made[key] = AsyncClient(self._settings_for(*key))
            return self._made[key]

    def check(self) -> None:
        """Make sure that every backend that may be used has settings that can be.

        Raises:
            ConfigError: one can't, such as a misspelt name or URL.
        """
        for backend in self._policy.backends:
            self._settings_for(backend, None)

    async def aclose(self) -> None:
        """Let models and connections go; a later call makes what it needs again."""
        while self._made:
            _, client = self._made.popitem()
            await client.aclose()

    def _settings_for(self, backend: str, delivery: str | None) -> Settings:
        changes: dict[str, Any] = {"backend": backend}
        if delivery is not None:
            changes["delivery"] = delivery
        costs = [one for one in (self._settings.max_cost, self._policy.max_cost) if one is not None]
        changes["max_cost"] = min(costs, default=None)
        changes["allow_private_network"] = self._policy.allow_private_network
        return type(self._settings).load(**{**dict(self._settings), **changes})


def _serves(settings: Settings, backend: str, delivery: str | None) -> bool:
    return settings.backend == backend and delivery in {None, settings.delivery}
