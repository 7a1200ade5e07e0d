"""A Chromium without a window that a test drives, where there is one (`tests.chromium`)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.chromium import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["Browser", "browser"]

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that shows one page.

    Attributes:
        driver: Selenium's own face of it.
        downloads: Where it puts what is downloaded.
    """

    driver: Chrome
    downloads: Path

    def __getitem__(self, name: str) -> WebElement:
        """The element of that id."""
        return self.driver.find_element(By.ID, name)

    def wait(self, until: Callable[[], Any], what: str = "") -> Any:
        """Wait until something is true, and give it."""
        return WebDriverWait(self.driver, _PATIENCE, 0.05).until(lambda _: until(), what)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> WebElement:
        """The element that has the focus."""
        return self.driver.switch_to.active_element

    def prefer(self, scheme: str) -> None:
        """Have the person prefer light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def complaints(self) -> list[str]:
        """What the page's console has told since this was last asked."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its profile and downloads in `folder`; the test is skipped without one."""
    programs = installed()
    if programs is None:
        pytest.skip(
            "no Chromium with its driver here; on a Debian, as root, this brings them: "
            "python -m tests.chromium"
        )
    program, driver = programs
    downloads = folder / "downloads"
    downloads.mkdir()
    options = ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    for flag in _flags(folder):
        options.add_argument(flag)
    opened = Chrome(options, ChromeService(driver))
    try:
        yield Browser(opened, downloads)
    finally:
        opened.quit()


def _flags(folder: Path) -> Iterator[str]:
    yield from ("--headless=new", "--hide-scrollbars", "--disable-gpu", "--no-proxy-server")
    yield from ("--disable-dev-shm-usage", "--force-device-scale-factor=1", "--lang=en")
    yield f"--user-data-dir={folder / 'profile'}"
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        yield "--no-sandbox"  # as root it would not start with one; it shows our own page only
