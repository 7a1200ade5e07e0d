"""Networks on this machine, through the client and the command: large ones, and the same twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from cutaway import Client, Settings, Step, catalogue
from cutaway.engine.network import NetworkEngine
from cutaway.engine.runtimes import load_network
from cutaway.engine.runtimes.choice import look_for
from cutaway.errors import Cancelled, NoSubjectFound, RuntimeUnavailable
from cutaway.progress import Progress
from tests.fakes.networks import make_birefnet, make_deep_network, make_network
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.cli.running import cli, process_command
from tests.shared.engine.runtimes import RUNTIMES, Watched, needs_openvino

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway.engine.runtimes.choice import RuntimeName

LARGE = "birefnet-general-lite"
THREADED = ("onnxruntime", pytest.param("openvino", marks=needs_openvino))


def bright_on_dark() -> NDArray[np.uint8]:
    """A picture for `make_birefnet`, whose subject is what is bright."""
    return portrait(480, 360, subject=(230, 220, 200), background=(40, 30, 35))


def test_a_network_like_birefnet_cuts_out_its_subject_on_the_command_line(tmp_path: Path) -> None:
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    photo.write_bytes(as_file(bright_on_dark()))
    weights = make_birefnet(tmp_path / "stand-in.onnx")
    chosen = ("--model", LARGE, "--weights", weights)
    done = cli("remove", photo, *chosen, "--output", "mask", "-o", mask)
    assert done.exit_code == 0, done.stderr
    assert LARGE in done.stdout
    with Image.open(mask) as found:
        assert overlap(np.asarray(found), ellipse(480, 360)) > 0.98


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_network_like_birefnet_cuts_out_its_subject_in_any_runtime(
    tmp_path: Path, runtime: RuntimeName
) -> None:
    weights = make_birefnet(tmp_path / "stand-in.onnx")
    with Client(Settings.load(runtime=runtime), weights=weights) as client:
        cutout = client.remove_background(bright_on_dark(), model=LARGE)
    assert (cutout.model, cutout.size) == (LARGE, (480, 360))
    assert overlap(np.asarray(cutout.mask), ellipse(480, 360)) > 0.98


def test_a_cancel_reaches_a_large_network_while_it_runs(tmp_path: Path) -> None:
    weights = make_deep_network(tmp_path / "deep.onnx", 40)
    cancellation = Watched()
    cancellation.cancel_once_it_runs()
    steps: list[Step] = []
    with Client(weights=weights) as client, pytest.raises(Cancelled):
        client.remove_background(
            bright_on_dark(), model=LARGE, on_progress=steps.append, cancellation=cancellation
        )
    assert steps[-1] == Step("finding the subject", 0.0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what `ulimit -v` leaves")
def test_a_model_that_needs_more_memory_than_is_free_is_refused_with_figures(
    tmp_path: Path,
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(as_file(bright_on_dark()))
    weights = make_birefnet(tmp_path / "stand-in.onnx")
    command = process_command("remove", photo, "--model", "birefnet-cod", "--weights", weights)
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 6000000 && exec "$@"', "bash", *command],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "CUTAWAY_RUNTIME": "onnxruntime"},
        check=False,
    )
    assert done.returncode == 1
    assert re.search(
        r"birefnet-cod was not loaded: it needs about 5\.8 GB of memory, and \d\.\d GB are free",
        done.stderr,
    )
    assert "smaller model" in done.stderr


def test_what_would_be_refused_is_told_before_there_is_a_picture(tmp_path: Path) -> None:
    if not look_for("cuda").fault:
        pytest.skip("CUDA is here")
    weights = make_network(tmp_path / "network.onnx")
    with Client(Settings.load(runtime="cuda"), weights=weights) as client:
        for asking in (client.check, partial(client.remove_background, portrait())):
            with pytest.raises(RuntimeUnavailable, match="the runtime cuda can't be used"):
                asking(model="u2netp")


@needs_openvino
def test_weights_that_are_replaced_are_not_taken_for_the_old_ones(tmp_path: Path) -> None:
    weights = tmp_path / "network.onnx"
    settings = Settings.load(runtime="openvino")
    for gain, outcome in ((3.0, nullcontext()), (0.01, pytest.raises(NoSubjectFound))):
        os.utime(make_network(weights, gain=gain), (1e9, 1e9))
        with Client(settings, weights=weights) as client, outcome:
            client.remove_background(portrait(), model="u2netp")


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose sums depend on the order of their parts."""
    return make_deep_network(tmp_path_factory.mktemp("weights") / "deep.onnx", 2)


@pytest.fixture
def model_weights(request: pytest.FixtureRequest, model: str) -> Path:
    """The file of the test's model: u2netp's own, or the stand-in for a large one's."""
    path: Path = request.getfixturevalue("u2netp_weights" if model == "u2netp" else "stand_in")
    return path


def mattes(weights: Path, model: str, runtime: RuntimeName) -> list[NDArray[np.float32]]:
    """What one, two and three threads make of a picture."""
    engines = [
        NetworkEngine(catalogue.find(model), load_network(weights, threads, asked=runtime))
        for threads in (1, 2, 3)
    ]
    return [engine.find_subject(portrait(), Progress()).alpha for engine in engines]


@pytest.mark.parametrize("runtime", THREADED)
@pytest.mark.parametrize("model", ["u2netp", LARGE])
def test_a_matte_does_not_depend_on_the_number_of_threads(
    model_weights: Path, model: str, runtime: RuntimeName
) -> None:
    alone, *others = mattes(model_weights, model, runtime)
    assert np.ptp(alone) == 1
    assert max(np.abs(alone - other).max() for other in others) <= 1 / 255


@pytest.mark.parametrize("runtime", THREADED)
@pytest.mark.parametrize("model", ["u2netp", LARGE])
def test_the_same_picture_gives_the_same_bytes(
    model_weights: Path, model: str, runtime: RuntimeName
) -> None:
    settings = Settings.load(runtime=runtime)
    files = set()
    for pictures in ([portrait()], [portrait(), portrait()]):
        with Client(settings, weights=model_weights) as client:
            for removal in client.remove_many(pictures, model=model, jobs=2):
                assert removal.cutout is not None
                files.add(removal.cutout.to_bytes(format="PNG"))
    assert len(files) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores can't be taken away here")
@pytest.mark.parametrize("finish", ["--clean-edges", "--alpha-matting"])
def test_a_cutout_does_not_depend_on_the_number_of_cores(tmp_path: Path, finish: str) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(as_file(portrait(900, 700)))
    weights = make_network(tmp_path / "network.onnx")
    arguments = ["remove", photo, finish, "--model", "u2netp", "--weights", weights, "-o"]
    words = [str(argument) for argument in arguments]
    cores = sorted(os.sched_getaffinity(0))
    alphas = []
    for few in (cores[:1], cores):
        target = tmp_path / f"{len(few)}.png"
        code = f"import os; os.sched_setaffinity(0, {few}); from cutaway.cli import main; main()"
        subprocess.run([sys.executable, "-c", code, *words, target], check=True)
        with Image.open(target) as cutout:
            alphas.append(np.asarray(cutout.getchannel("A"), np.int16))
    assert np.ptp(alphas[0]) == 255
    assert np.abs(alphas[0] - alphas[-1]).max() <= 1
