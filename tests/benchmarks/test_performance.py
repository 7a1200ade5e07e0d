"""The table and the plot of time and memory, made of figures that are known."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks import performance
from tests.benchmarks.peers import Seconds
from tests.benchmarks.performance import FLOOR, ROWS, Figures
from tests.benchmarks.plot import Curve, draw
from tests.pages import table

if TYPE_CHECKING:
    from numpy.typing import NDArray


def cells(page: str, row: str) -> list[str]:
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {row} |"))
    return line.strip("| ").split(" | ")[1:]


def test_the_readmes_table_has_the_benchmarks_rows():
    shown = [row[0] for row in table("README.md", "## Performance")]
    assert shown == [row.shown for row in (*ROWS, FLOOR)]


def test_a_share_is_our_median_divided_by_theirs():
    figures = Figures()
    for wall in (0.5, 0.6, 9.0):
        figures.add("plain", "ours", 12, Seconds(wall, 0))
    for wall in (1.0, 3.0, 3.1):
        figures.add("plain", "theirs", 12, Seconds(wall, 0))

    page = performance.page(figures, [12])

    assert cells(page, "End to end, plain") == ["**0.20** (0.60 s / 3.0 s)"]


def test_the_cores_seconds_can_count_instead_of_the_clocks():
    figures = Figures(cores=True)
    figures.add("encode", "ours", 1, Seconds(9, 0.012))
    figures.add("encode", "theirs", 1, Seconds(9, 0.1))

    page = performance.page(figures, [1])

    assert cells(page, "Encode it as PNG") == ["**0.12** (12 ms / 0.10 s)"]


def test_what_one_side_was_not_given_has_no_share():
    figures = Figures()
    figures.note("matting memory", "ours", 24, 1.25e9)

    page = performance.page(figures, [24])

    assert cells(page, "Peak memory, alpha matting") == ["1.2 GB / not run"]


def test_the_floor_is_what_no_one_can_leave_out():
    figures = Figures()
    for name, wall in {"plain": 0.6, "decode": 0.1, "infer": 0.3, "encode": 0.1}.items():
        figures.add(name, "ours", 12, Seconds(wall, 0))

    assert cells(performance.page(figures, [12]), FLOOR.shown) == ["**1.2** (0.60 s / 0.50 s)"]


def test_a_plot_is_a_light_card_with_each_side_in_its_colour():
    curves = [
        Curve("rembg", "plain", [(1, 0.5), (24, 5.5)]),
        Curve("Cutaway", "plain", [(1, 0.3), (24, 0.6)]),
    ]

    picture = pixels(draw(curves, "Seconds", "Less is better"))

    assert picture[0, 0, 3] == 0
    assert picture[4, picture.shape[1] // 2].min() > 240
    for curve in curves:
        wanted = np.frombuffer(bytes.fromhex(curve.colour[1:]), np.uint8)
        assert np.abs(picture[..., :3] - wanted.astype(int)).max(axis=2).min() < 16, curve.side


@pytest.mark.parametrize("seconds", [(1.0, 1.0, 1.0), (0.5, 1.0, 1.01)])
def test_names_of_lines_that_end_together_are_told_apart(seconds: tuple[float, ...]):
    tasks = ("plain", "clean edges", "alpha matting")
    curves = [
        Curve("Cutaway", task, [(1, 0.5), (24, end)])
        for task, end in zip(tasks, seconds, strict=True)
    ]

    picture = pixels(draw(curves, "", ""))

    written = picture[:, 1200:1600, 0].min(axis=1) < 128
    assert np.count_nonzero(written[1:] > written[:-1]) == len(tasks)


def pixels(file: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGBA"))
