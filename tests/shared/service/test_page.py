"""The web page, driven in a real browser against a real service."""

from __future__ import annotations

import base64
import io
import re
import signal
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser import browser
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.service.running import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Browser
    from tests.shared.service.running import Service

PICTURE = as_file(portrait(160, 120), "PNG")
SIZE = "160 \N{MULTIPLICATION SIGN} 120"
CONTROLS = "a, input, select, button"
DROP = """
    const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
    const [kind, part] = arguments[1] === "paste"
      ? [ClipboardEvent, { clipboardData: data }] : [DragEvent, { dataTransfer: data }];
    const event = new kind(arguments[1], { bubbles: true, cancelable: true, ...part });
    document.body.dispatchEvent(event);
"""
LATE = """
    const real = window.fetch;
    window.polls = 0;
    window.fetch = async (address, options) => {
      if (address !== "v1") return real(address, options);
      const [task] = JSON.parse(options.body);
      if (task.taskType === "getResponse") window.polls += 1;
      if (task.taskType !== "removeBackground") return real(address, options);
      const body = JSON.stringify([{ ...task, deliveryMethod: "async" }]);
      await real(address, { ...options, body });
      const errors = [{ code: "timeout", message: "It takes long" }];
      return Response.json({ data: [], errors }, { status: 408 });
    };
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture
def page(window: Browser, service: Service) -> Iterator[Browser]:
    """The page as it is when it has just been opened; it must not complain of anything."""
    opened(window, service)
    yield window
    assert window.complaints() == []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(PICTURE)
    return path


def opened(window: Browser, service: Service) -> Browser:
    """The page, once it knows the models; its window large, light and without old downloads."""
    window.driver.set_window_size(1280, 900)
    window.prefer("light")
    for old in window.downloads.iterdir():
        old.unlink()
    window.driver.get(service.page)
    window.wait(lambda: window["model"].get_attribute("value"), "the models")
    return window


def done(page: Browser) -> bool:
    return page["download"].is_displayed()


def problem(page: Browser) -> str:
    return page["problem"].text


def downloaded(page: Browser) -> tuple[str, Image.Image]:
    """What the page gives when its result is downloaded: the file's name, and the picture."""
    page["download"].click()
    [path] = page.wait(lambda: [one for one in page.downloads.iterdir() if one.suffix in KINDS])
    picture = Image.open(io.BytesIO(path.read_bytes()))
    assert picture.format == KINDS[path.suffix]
    return path.name, picture


KINDS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}


def test_a_chosen_picture_is_shown_before_and_after_and_its_cutout_can_be_downloaded(
    page: Browser, photo: Path
) -> None:
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")

    assert page["before"].is_displayed()
    assert page["after"].is_displayed()
    assert re.fullmatch(rf"photo-cutout\.png · {SIZE} · \d+ kB · [\d.]+ s", page["facts"].text)
    name, cutout = downloaded(page)
    assert (name, cutout.mode, cutout.size) == ("photo-cutout.png", "RGBA", (160, 120))
    assert overlap(np.asarray(cutout.getchannel("A")), ellipse(160, 120)) > 0.95


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(page: Browser, way: str) -> None:
    page.run(DROP, base64.b64encode(PICTURE).decode(), way)
    page.wait(lambda: done(page), "the result")
    assert page["facts"].text.startswith(f"dropped-cutout.png · {SIZE} · ")


def test_the_slider_is_moved_by_keys_and_tells_where_it_is(page: Browser, photo: Path) -> None:
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")
    slider = page["split"]

    slider.send_keys(Keys.ARROW_LEFT * 10)

    assert page.run(
        "return document.getElementById('frame').style.getPropertyValue('--split')"
    ) == ("40%")
    assert slider.get_attribute("aria-valuetext") == "40 percent original"
    slider.send_keys(Keys.HOME)
    shown = "return getComputedStyle(document.getElementById('before')).clipPath"
    assert page.run(shown) == "inset(0px 100% 0px 0px)"
    slider.send_keys(Keys.END)
    assert page.run(shown) in {"inset(0px)", "inset(0px 0% 0px 0px)"}


def test_what_is_no_picture_is_told_and_the_next_one_works(
    page: Browser, photo: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "letter.png"
    wrong.write_text("Dear reader", encoding="utf-8")
    page["file"].send_keys(str(wrong))
    page.wait(lambda: problem(page), "the problem")

    assert problem(page).startswith("The background was not removed\n")
    assert page["problem"].get_attribute("role") == "alert"
    assert not done(page)
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")
    assert problem(page) == ""
    assert [line for line in page.complaints() if "400 (Bad Request)" not in line] == []


def test_a_mask_as_webp_is_chosen_by_keys_alone(page: Browser, photo: Path) -> None:
    page.driver.find_element(By.CSS_SELECTOR, "[value=cutout]").send_keys(Keys.ARROW_LEFT)
    Select(page["format"]).select_by_value("WEBP")
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")

    name, mask = downloaded(page)

    assert name == "photo-mask.webp"
    assert mask.size == (160, 120)
    assert overlap(np.asarray(mask.convert("L")), ellipse(160, 120)) > 0.95


def test_a_picture_on_a_colour_may_be_a_jpg_of_a_chosen_quality(page: Browser, photo: Path) -> None:
    jpg = page.driver.find_element(By.CSS_SELECTOR, "[value=JPG]")
    assert not jpg.is_enabled()
    page.driver.find_element(By.CSS_SELECTOR, "[value=cutout]").send_keys(Keys.ARROW_RIGHT)
    Select(page["format"]).select_by_value("JPG")
    page["quality"].clear()
    page["quality"].send_keys("80")
    page.run("document.getElementById('colour').value = '#00ff00'")
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")

    name, picture = downloaded(page)

    assert name == "photo-cutout.jpg"
    red, green, blue = np.asarray(picture)[2, 2]
    assert green > 245
    assert max(red, blue) < 10


def test_a_number_out_of_its_range_is_pointed_at_and_nothing_is_sent(
    page: Browser, photo: Path
) -> None:
    page["matting"].send_keys(Keys.SPACE)
    page["erode"].clear()
    page["erode"].send_keys("300")
    page["file"].send_keys(str(photo))

    assert page.focused == page["erode"]
    page["erode"].clear()
    page["erode"].send_keys("3", Keys.ENTER)
    page.wait(lambda: done(page), "the result")


def test_a_picture_that_the_browser_cannot_show_has_its_result_stand_alone(
    page: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(as_file(portrait(160, 120), "TIFF"))
    page["file"].send_keys(str(path))
    page.wait(lambda: done(page), "the result")

    assert page["after"].is_displayed()
    assert not page["before"].is_displayed()
    assert not page["split"].is_displayed()


def test_a_task_that_takes_longer_than_a_request_may_is_waited_for(
    page: Browser, photo: Path
) -> None:
    page.run(LATE)
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")
    assert page.run("return window.polls") >= 1


def test_escape_stops_waiting(page: Browser, photo: Path, service: Service) -> None:
    service.process.send_signal(signal.SIGSTOP)
    try:
        page["file"].send_keys(str(photo))
        page.wait(page["cancel"].is_displayed, "the button")
        page.press(Keys.ESCAPE)
        page.wait(lambda: page["working"].text == "Cancelled.", "the end")
    finally:
        service.process.send_signal(signal.SIGCONT)
    assert problem(page) == ""
    assert not done(page)


def test_all_can_be_reached_by_the_tab_key_and_has_a_name(page: Browser, photo: Path) -> None:
    page["file"].send_keys(str(photo))
    page.wait(lambda: done(page), "the result")
    controls = page.driver.find_elements(By.CSS_SELECTOR, CONTROLS)
    unnamed = [one.get_attribute("id") for one in controls if not named(one)]
    assert unnamed == []

    page.run("document.activeElement.blur()")
    reached = []
    for _ in range(10):
        page.press(Keys.TAB)
        reached.append(page.focused.get_attribute("id"))
    links = ["", "split", "file", "download", "model", "", "format", "matting", "smooth", "remove"]
    assert reached == links


def named(control: object) -> bool:
    """Whether a control that is shown has a name for who can't see it."""
    return not control.is_displayed() or bool(control.accessible_name)  # type: ignore[attr-defined]


def test_a_narrow_window_shows_all_and_the_dark_one_is_dark(page: Browser) -> None:
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
    )
    wide = page.run("return document.documentElement.scrollWidth")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide == 320
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(page.run(ground)) > 230
    page.prefer("dark")
    assert max(page.run(ground)) < 40


def test_a_service_with_a_key_is_given_it_and_keeps_it_in_the_page_only(
    window: Browser, tmp_path: Path, photo: Path
) -> None:
    with served(tmp_path, key="open-sesame") as service:
        page = opened(window, service)
        page["key"].send_keys("wrong")
        page["file"].send_keys(str(photo))
        page.wait(lambda: problem(page), "the problem")
        assert page.focused == page["key"]

        page["key"].clear()
        page["key"].send_keys("open-sesame", Keys.ENTER)
        page.wait(lambda: done(page), "the result")

        assert page["key"].get_attribute("type") == "password"
        stored = (
            "return [document.cookie, localStorage.length, sessionStorage.length, location.href]"
        )
        assert page.run(stored) == ["", 0, 0, service.page]
        page.driver.refresh()
        page.wait(lambda: page["model"].get_attribute("value"), "the models")
        assert page["key"].get_attribute("value") == ""
        service.stop()
        page["file"].send_keys(str(photo))
        page.wait(lambda: "could not be reached" in problem(page), "the problem")
    window.complaints()


def test_the_docs_are_shown_without_scripts_and_tell_every_parameter(page: Browser) -> None:
    page.driver.find_element(By.LINK_TEXT, "The API").click()
    assert "alphaMattingErodeSize" in page.driver.find_element(By.TAG_NAME, "main").text
    assert page.driver.find_elements(By.TAG_NAME, "script") == []


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_runs_nothing_but_its_own_files(service: Service, path: str) -> None:
    response = service.get(path)

    policy = dict(
        part.split(" ", 1) for part in response.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", response.text)


def test_a_file_of_the_page_is_sent_again_only_when_it_has_changed(service: Service) -> None:
    first = service.get("/page/page.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = service.get("/page/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get("/page/../metrics.py").status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert service.get("/page/index.html").status_code == httpx.codes.METHOD_NOT_ALLOWED
