"""Make docs/service.png: the service's web page, in a real browser, with the sample cut out.

python -m tests.data.make_service_picture
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver.common.keys import Keys

from tests.browser import browser
from tests.conftest import ROOT
from tests.shared.service.running import served

WIDTH, HEIGHT = 1280, 790
PICTURE = ROOT / "docs" / "service.png"


def main() -> None:
    """Make it anew."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with served(folder) as service, browser(folder) as page:
            page.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
            )
            page.driver.get(service.page)
            page.wait(lambda: page["model"].get_attribute("value"), "the models")
            page["file"].send_keys(str(ROOT / "docs" / "sample.jpg"))
            page.wait(page["download"].is_displayed, "the result")
            page["split"].send_keys(Keys.ARROW_LEFT * 4)
            page.run("document.activeElement.blur()")
            page.driver.save_screenshot(str(PICTURE))
    with Image.open(PICTURE) as picture:
        picture.convert("RGB").save(PICTURE, optimize=True)
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
