"""Networks stay loaded for the next picture, but neither too many nor for ever."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cutaway import catalogue
from cutaway.engine.network import NetworkEngine
from cutaway.engine.runtimes import load_network
from cutaway.engine.warm import WarmNetworks
from cutaway.errors import Cancelled, ModelDamaged, NotEnoughMemory
from cutaway.progress import Progress
from tests.fakes.networks import make_deep_network, make_network
from tests.pictures import portrait
from tests.shared.engine.runtimes import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIGABYTE = 10**9


class Loader:
    """Loads a small network, and tells what was loaded and what of it is still held.

    Attributes:
        loaded: The names of what was loaded, in order.
        let_go: Set when any of it is let go.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: dict[str, weakref.ref[object]] = {}
        self.loaded: list[str] = []
        self.let_go = threading.Event()

    def use(self, warm: WarmNetworks, name: str, needs: int = 0) -> None:
        """Find a subject with the network of that name."""
        with warm.lent(name, partial(self.load, name), needs) as engine:
            engine.find_subject(portrait(), Progress())

    def load(self, name: str) -> NetworkEngine:
        """Load the network, by a name of its own."""
        runtime = load_network(self._path, 1, asked="onnxruntime")
        self.loaded.append(name)
        self._held[name] = weakref.ref(runtime)
        weakref.finalize(runtime, self.let_go.set)
        return NetworkEngine(catalogue.find("u2netp"), runtime)

    @property
    def held(self) -> set[str]:
        """The names of what is still in memory."""
        return {name for name, one in self._held.items() if one()}


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    return Loader(make_network(tmp_path / "network.onnx"))


@pytest.fixture
def warm() -> Iterator[WarmNetworks]:
    networks = WarmNetworks()
    yield networks
    networks.close()


def test_a_network_is_loaded_once_for_many_pictures(loader: Loader, warm: WarmNetworks) -> None:
    for _ in range(3):
        loader.use(warm, "a")
    assert loader.loaded == ["a"]


def test_two_are_kept_and_the_one_whose_use_is_longest_ago_makes_room(
    loader: Loader, warm: WarmNetworks
) -> None:
    for name in "abac":
        loader.use(warm, name)
    assert loader.held == {"a", "c"}
    assert loader.loaded == ["a", "b", "c"]


def test_all_are_let_go_when_the_client_closes_and_come_back_when_asked_for(
    loader: Loader, warm: WarmNetworks
) -> None:
    loader.use(warm, "a")
    warm.close()
    assert loader.held == set()
    loader.use(warm, "a")
    assert loader.held == {"a"}


def test_nothing_waits_where_nothing_is_kept(loader: Loader) -> None:
    before = set(threading.enumerate())
    warm = WarmNetworks()
    with warm.lent("a", partial(loader.load, "a"), 0):
        warm.close()
    assert loader.held == set()
    assert set(threading.enumerate()) <= before


def test_all_are_let_go_once_nothing_has_used_them_for_a_while(loader: Loader) -> None:
    loader.use(WarmNetworks(idle=0.01), "a")
    assert loader.let_go.wait(timeout=30)


def test_one_at_work_is_not_idle(loader: Loader) -> None:
    warm = WarmNetworks(idle=0.01)
    with warm.lent("b", partial(loader.load, "b"), 0):
        loader.use(warm, "a")
        assert not loader.let_go.wait(timeout=0.1)
    assert loader.let_go.wait(timeout=30)


def test_one_that_is_too_large_for_the_free_memory_is_refused_with_figures_before_it_loads(
    loader: Loader,
) -> None:
    warm = WarmNetworks(free=lambda: 2 * GIGABYTE)
    with pytest.raises(NotEnoughMemory, match=r"needs about 3\.6 GB .* 2\.0 GB are free"):
        loader.use(warm, "a", 3_600_000_000)
    with pytest.raises(NotEnoughMemory):
        warm.check("a", 3_600_000_000)
    assert loader.loaded == []


def test_others_make_room_for_one_that_needs_their_memory(loader: Loader) -> None:
    warm = WarmNetworks(free=lambda: (4 - 2 * len(loader.held)) * GIGABYTE)
    loader.use(warm, "a", GIGABYTE)
    warm.check("b", 3 * GIGABYTE)
    loader.use(warm, "b", 3 * GIGABYTE)
    assert loader.held == {"b"}
    warm.close()


def test_where_the_free_memory_is_unknown_nothing_is_refused(loader: Loader) -> None:
    warm = WarmNetworks(free=lambda: None)
    loader.use(warm, "a", 1000 * GIGABYTE)
    assert loader.loaded == ["a"]
    warm.close()


def test_one_that_can_not_be_loaded_is_not_kept(loader: Loader, warm: WarmNetworks) -> None:
    def fail() -> NetworkEngine:
        raise ModelDamaged("it broke")

    with pytest.raises(ModelDamaged), warm.lent("a", fail, 0):
        pass
    loader.use(warm, "a")
    assert loader.loaded == ["a"]


def test_a_network_sees_one_picture_at_a_time_and_waiting_for_it_can_be_cancelled(
    tmp_path: Path,
) -> None:
    network = load_network(make_deep_network(tmp_path / "n.onnx", 80), asked="onnxruntime")
    engine = NetworkEngine(catalogue.find("birefnet-general-lite"), network)
    first, second = Watched(), Watched()

    def work_until_cancelled() -> None:
        with pytest.raises(Cancelled):
            engine.find_subject(portrait(), Progress(cancellation=first))

    working = threading.Thread(target=work_until_cancelled)
    working.start()
    first.runs.wait()
    threading.Timer(0.1, second.cancel).start()
    with pytest.raises(Cancelled):
        engine.find_subject(portrait(), Progress(cancellation=second))
    assert working.is_alive()
    assert not second.runs.is_set()
    first.cancel()
    working.join()


def test_who_uses_one_network_does_not_wait_while_another_is_loaded(loader: Loader) -> None:
    warm = WarmNetworks(free=lambda: None)
    loader.use(warm, "small")
    loading, go_on = threading.Event(), threading.Event()

    def load_slowly() -> NetworkEngine:
        loading.set()
        assert go_on.wait(30)
        return loader.load("large")

    def use_the_large_one() -> None:
        with warm.lent("large", load_slowly, 0):
            pass

    user = threading.Thread(target=use_the_large_one)
    user.start()
    assert loading.wait(30)
    loader.use(warm, "small")
    warm.check("small", 0)
    go_on.set()
    user.join(30)
    loader.use(warm, "large")
    assert loader.loaded == ["small", "large"]
    warm.close()
