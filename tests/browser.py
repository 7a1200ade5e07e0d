"""Chromium without a window, and its driver, for the tests of the service's web page.

They are this machine's own, whatever brought them. On a Debian, as root, this does:

    python -m tests.browser

Tests bring nothing: without the two they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["CANNOT", "Browser", "browser"]

CANNOT = 77
"""The exit code that says: not on this machine. It is no failure."""

_PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
_PROGRAMS = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
_PATIENCE = 30.0
_SECONDS = 600


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
    programs = _programs()
    if programs is None:
        pytest.skip(
            "no Chromium with its driver here; on a Debian, as root, this brings them: "
            "python -m tests.browser"
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


def _programs() -> tuple[str, str] | None:
    """Chromium and its driver, if both are here."""
    program, driver = (next(filter(None, map(shutil.which, names)), None) for names in _PROGRAMS)
    return (program, driver) if program and driver else None


def main() -> int:
    """Bring both, where apt can; the exit code."""
    if _programs() is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        if not root or not shutil.which("apt-get"):
            sys.stdout.write("The tests in a browser will be skipped: to bring one takes apt\n")
            return CANNOT
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *_PACKAGES]
        for command in (["apt-get", "update"], install):
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                timeout=_SECONDS,
                check=False,
            )
            if done.returncode:
                sys.stdout.write(f"The tests in a browser will be skipped: {done.stderr[-500:]}\n")
                return CANNOT
    sys.stdout.write(f"{' '.join(_programs() or ())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
