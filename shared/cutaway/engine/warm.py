"""Networks that stay loaded between removals: few, and not for long after the last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cutaway.catalogue import size_text
from cutaway.errors import NotEnoughMemory
from cutaway.machine import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cutaway.engine.network import NetworkEngine

__all__ = ["WarmNetworks"]

_AT_MOST = 2
_IDLE = 600.0


class WarmNetworks:
    """The networks that were used last, each in its engine; safe to share among threads.

    One that is let go while it works is gone once it is done.

    Args:
        at_most: How many are kept.
        idle: Seconds without any use after which all are let go.
        free: Tells how many bytes of memory are free; None if that can't be known.
    """

    def __init__(
        self,
        at_most: int = _AT_MOST,
        idle: float = _IDLE,
        free: Callable[[], int | None] = free_memory,
    ) -> None:
        self._at_most = at_most
        self._idle = idle
        self._free = free
        self._loading, self._lock = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[str, NetworkEngine] = OrderedDict()
        self._at_work = 0
        self._timer: threading.Timer | None = None

    @contextmanager
    def lent(
        self, name: str, load: Callable[[], NetworkEngine], needs: int
    ) -> Iterator[NetworkEngine]:
        """An engine to work with while the block runs, loaded if it isn't kept.

        Args:
            name: What it is kept by.
            load: Makes it, in turn with any other that is to be loaded.
            needs: Bytes of memory that it takes to load it and to work.

        Raises:
            NotEnoughMemory: `needs` is more than is free, though all others were let go.
        """
        engine = self._taken(name)
        if engine is None:
            engine = self._loaded(name, load, needs)
        try:
            yield engine
        finally:
            # The caller's own hold must not outlast what is kept.
            del engine
            with self._lock:
                self._at_work -= 1
                if self._kept and not self._at_work:
                    self._start_timer()

    def check(self, name: str, needs: int) -> None:
        """Raise `NotEnoughMemory` if that network could not be loaded now.

        What those that are kept would make room for is not known before.
        """
        with self._lock:
            if not self._kept:
                self._make_room(name, needs)

    def close(self) -> None:
        """Let all go; one that is asked for later is loaded again."""
        with self._lock:
            self._stop_timer()
            self._kept.clear()

    def _taken(self, name: str) -> NetworkEngine | None:
        """The engine of that name, counted as at work, if it is kept."""
        with self._lock:
            return self._counted(name) if name in self._kept else None

    def _loaded(self, name: str, load: Callable[[], NetworkEngine], needs: int) -> NetworkEngine:
        """The same after it was loaded, by this thread or by one before."""
        with self._loading:
            engine = self._taken(name)
            if engine is not None:
                return engine
            with self._lock:
                self._make_room(name, needs)
            engine = load()  # large ones take long: who uses another one need not wait
            with self._lock:
                self._kept[name] = engine
                return self._counted(name)

    def _counted(self, name: str) -> NetworkEngine:
        """A kept engine, from now on at work and the last that was used; under the lock."""
        self._kept.move_to_end(name)
        self._stop_timer()
        self._at_work += 1
        return self._kept[name]

    def _make_room(self, name: str, needs: int) -> None:
        """Let go those whose use is longest ago, as many as it takes."""
        while self._kept and (len(self._kept) >= self._at_most or self._lacks(needs)):
            self._kept.popitem(last=False)
        if self._lacks(needs):
            raise NotEnoughMemory(
                f"the model {name} was not loaded",
                f"it needs about {size_text(needs)} of memory, and {size_text(self._free() or 0)} "
                "are free",
                "Close other programs, or choose a smaller model, such as u2netp or classical",
            )

    def _lacks(self, needs: int) -> bool:
        free = self._free()
        return free is not None and free < needs

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = threading.Timer(self._idle, self._let_idle_go)
        self._timer.daemon = True  # a process that ends need not wait for it
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _let_idle_go(self) -> None:
        with self._lock:
            if not self._at_work:
                self._kept.clear()
