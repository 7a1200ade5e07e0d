"""What the tests in GIMP stand on: one GIMP for all of them, clean for each."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.gimp_plugin.console import Console, until
from tests.gimp_plugin.screen import Screen
from tests.gimp_plugin.workplace import installed
from tests.gimp_root import gimp_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.gimp_plugin.workplace import Workplace

Gimp = TypeVar("Gimp", bound=Console)


@pytest.fixture(scope="session")
def workplace() -> Iterator[Workplace]:
    """A folder in GIMP's root where Cutaway is installed."""
    with installed(gimp_root()) as workplace:
        yield workplace


@pytest.fixture(scope="session")
def running_console(workplace: Workplace) -> Iterator[Callable[[], Console]]:
    """Give the GIMP without a window that all tests share."""
    with kept_running(lambda: Console(workplace)) as running:
        yield running


@pytest.fixture(scope="session")
def running_screen(workplace: Workplace) -> Iterator[Callable[[], Screen]]:
    """Give the one with a window."""
    with kept_running(lambda: Screen(workplace)) as running:
        yield running


@pytest.fixture
def gimp(running_console: Callable[[], Console]) -> Iterator[Console]:
    """A GIMP without a window; what a test leaves behind is its failure."""
    with lent(running_console()) as console:
        yield console


@pytest.fixture
def screen(running_screen: Callable[[], Screen]) -> Iterator[Screen]:
    """A GIMP with a window; what a test leaves behind is its failure."""
    with lent(running_screen()) as screen:
        yield screen


@contextmanager
def kept_running(start: Callable[[], Gimp]) -> Iterator[Callable[[], Gimp]]:
    """Give a GIMP that runs; it is started when it is first asked for, and where one has ended."""
    with ExitStack() as stack:
        started: list[Gimp] = []

        def running() -> Gimp:
            if not started or not started[-1].is_alive:
                console = start()
                stack.callback(console.close)
                started.append(console)
            return started[-1]

        yield running


@contextmanager
def lent(console: Gimp) -> Iterator[Gimp]:
    """Lend a GIMP to one test. If the test doesn't leave it clean, no other will get it."""
    yield console
    try:
        console.clear()
        until(lambda: not console.processes())
        assert console.complaints() == []
    except BaseException:
        console.close()
        raise
