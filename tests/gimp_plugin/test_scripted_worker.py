"""The worker that other tests script says what a real one would say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.fakes.gimp_worker import ScriptedWorker
from tests.gimp_plugin.plug_in_end import PlugInEnd, layer
from tests.pictures import portrait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is started by a shell")

PICTURE = layer(portrait())
FLAT = layer(np.full((40, 40, 3), 9, np.uint8))


def scripted(folder: Path, script: dict[str, Any]) -> ScriptedWorker:
    return ScriptedWorker(folder / "worker", script, sys.executable)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlugInEnd]:
    with PlugInEnd(HOME=str(tmp_path_factory.mktemp("home"))) as real:
        yield real


def with_own_alpha(dtype: type) -> NDArray[Any]:
    colour: Any = portrait().astype(dtype) * (np.iinfo(dtype).max // 255)
    alpha = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (240, 320), dtype)
    return layer(colour, alpha)


def test_it_answers_in_the_words_of_a_real_one(real: PlugInEnd, tmp_path: Path):
    script: dict[str, Any] = {"pictures": [{"progress": [["refining", 0.5]]}, {"error": {}}]}
    with PlugInEnd(scripted(tmp_path, script).python) as fake:
        told = []
        for worker in (real, fake):
            facts = worker.ask({"kind": "facts"})
            ready = worker.begin(model="classical", fill="white")
            good, bad = worker.remove(PICTURE, "matte"), worker.remove(FLAT, "matte")
            words = [worker.hello, facts, facts["models"][0], ready, good.found, good.end, bad.end]
            told.append([sorted(one) for one in words])
            assert good.progress
        assert told[0] == told[1]
        assert real.hello == fake.hello
        assert fake.end() == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("want", ["matte", "visible", "cutout"])
def test_its_strips_have_the_size_of_a_real_ones(
    real: PlugInEnd, tmp_path: Path, dtype: type, want: str
):
    picture = with_own_alpha(dtype)
    real.begin(model="classical")
    with PlugInEnd(scripted(tmp_path, {}).python) as fake:
        fake.begin()
        mine, other = (worker.remove(picture, want).strips for worker in (real, fake))
    assert {place: len(strip) for place, strip in mine.items()} == {
        place: len(strip) for place, strip in other.items()
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("matte", [100, "gradient"])
def test_its_matte_is_the_one_that_it_was_told(tmp_path: Path, dtype: type, matte: int | str):
    most = int(np.iinfo(dtype).max)
    row = np.full(320, 100 * most // 255) if matte == 100 else np.arange(320) * most // 319
    picture = with_own_alpha(dtype)
    with PlugInEnd(scripted(tmp_path, {"pictures": [{"matte": matte}]}).python) as fake:
        fake.begin()
        np.testing.assert_array_equal(
            fake.remove(picture, "matte").plane(picture), np.tile(row, (240, 1))
        )
        visible = fake.remove(picture, "visible").plane(picture)
        (strip,) = fake.remove(picture, "cutout").strips.values()
    expected = (picture[..., 3].astype(np.uint64) * row.astype(np.uint64) + most // 2) // most
    np.testing.assert_array_equal(visible, expected)
    colours: Any = np.frombuffer(strip[: picture.nbytes], dtype).reshape(picture.shape)
    np.testing.assert_array_equal(colours[..., 3], expected)
    np.testing.assert_array_equal(colours[..., :3], picture[..., :3])
    changed = np.frombuffer(strip[picture.nbytes :], np.uint8).reshape(2, 240, 320)
    np.testing.assert_array_equal(changed[0], np.tile(255 * (row < most), (240, 1)))
    assert not changed[1].any()


def test_one_that_hangs_tells_of_it_and_of_its_end(tmp_path: Path):
    worker = scripted(tmp_path, {"pictures": [{"hang": True}]})
    with worker.watched() as events, PlugInEnd(worker.python) as fake:
        fake.begin(feather=5)
        fake.send(PICTURE, "matte")
        events.wait_for("hanging")
        assert fake.end() == 3
        events.wait_until_gone()
    told = [event["event"] for event in worker.log]
    assert told == ["started", "frame", "frame", "frame", "hanging", "end", "exit"]
    assert worker.log[1]["options"] == {"feather": 5}


def test_one_may_break_off(tmp_path: Path):
    worker = scripted(tmp_path, {"pictures": [{"stop": 1}]})
    with PlugInEnd(worker.python) as fake:
        fake.begin()
        fake.send(layer(portrait(50, 600)), "matte")
        assert [fake.hear()[0]["kind"] for _ in range(2)] == ["found", "rows"]
        assert fake.incoming.read() == b""
        assert fake.process.wait(30) == 1
    worker.play({"pictures": [{"exit": 7, "after": "header"}]})
    with PlugInEnd(worker.python) as fake:
        fake.begin()
        fake.announce(PICTURE, "matte")
        assert fake.process.wait(30) == 7
    assert worker.log[-1] == {"event": "exit", "status": 7}
