from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import browser
from tests.chromium import CANNOT, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which no program is found."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_a_browser_its_tests_are_skipped_with_the_way_to_bring_one(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"python -m tests\.chromium"):
        browser(tmp_path).__enter__()


def test_to_bring_a_browser_where_there_is_no_apt_is_no_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main() == CANNOT
    assert "will be skipped" in capsys.readouterr().out
