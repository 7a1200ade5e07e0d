from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cutaway import catalogue
from cutaway.engine.network import NetworkEngine
from cutaway.engine.runtimes import load_network
from cutaway.errors import Cancelled, ModelDamaged, NoSubjectFound, RuntimeUnavailable
from cutaway.progress import Cancellation, Progress, Step
from tests.fakes.networks import BRIGHTNESS, make_birefnet, make_network
from tests.pictures import ellipse, overlap, portrait
from tests.shared.engine.runtimes import RUNTIMES, needs_openvino

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.engine.runtimes.choice import RuntimeName


def resized(mask: np.ndarray, size: int) -> np.ndarray:
    rows = np.arange(size) * mask.shape[0] // size
    columns = np.arange(size) * mask.shape[1] // size
    nearest: np.ndarray = mask[rows][:, columns]
    return nearest


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_network_like_u2net_finds_the_subject_in_any_runtime(
    tmp_path: Path, runtime: RuntimeName
):
    network = load_network(make_network(tmp_path / "n.onnx"), asked=runtime)
    engine = NetworkEngine(catalogue.find("u2netp"), network)
    matte = engine.find_subject(portrait(), Progress())
    assert matte.alpha.shape == (320, 320)
    assert matte.alpha.dtype == np.float32
    assert matte.alpha.min() == 0
    assert matte.alpha.max() == 1
    assert overlap(matte.alpha, resized(ellipse(320, 240), 320)) > 0.97
    assert matte.confidence > 0.9


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_network_like_birefnet_gets_its_picture_prepared_and_its_answer_bent(
    tmp_path: Path, runtime: RuntimeName
):
    network = load_network(make_birefnet(tmp_path / "n.onnx"), asked=runtime)
    engine = NetworkEngine(catalogue.find("birefnet-cod"), network)
    greys = np.array([0, 100, 128, 150, 230])
    picture = np.repeat(greys, 80)[None, :, None] * np.ones((300, 1, 3), int)
    matte = engine.find_subject(picture.astype(np.uint8), Progress())
    assert matte.alpha.shape == (1024, 1024)
    middles = matte.alpha[512, np.arange(5) * 1024 // 5 + 102]
    shares = 1 / (1 + np.exp(-BRIGHTNESS * (greys / 255 - 0.5)))
    assert np.abs(middles - shares).max() < (0.02 if runtime == "openvino" else 1 / 255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_a_picture_of_any_shape_can_be_shown_to_a_network(tmp_path: Path, shape):
    engine = NetworkEngine(catalogue.find("u2netp"), load_network(make_network(tmp_path / "n")))
    picture = np.zeros((*shape, 3), np.uint8)
    picture[-1, -1] = 255
    picture[0, 0] = 0
    if shape == (1, 1):
        with pytest.raises(NoSubjectFound):
            engine.find_subject(picture, Progress())
    else:
        assert engine.find_subject(picture, Progress()).alpha.max() == 1


def test_a_network_that_sees_nothing_says_so_instead_of_stretching_noise(tmp_path: Path):
    network = make_network(tmp_path / "n.onnx", gain=0.01)
    engine = NetworkEngine(catalogue.find("u2netp"), load_network(network))
    with pytest.raises(NoSubjectFound, match="no subject was found"):
        engine.find_subject(portrait(), Progress())


@pytest.mark.parametrize("blank", ["white", "black", "noise", "gradient"])
def test_the_genuine_u2netp_finds_no_subject_in_a_blank_picture(u2netp_weights: Path, blank: str):
    pictures = {
        "white": np.full((200, 300, 3), 255),
        "black": np.zeros((200, 300, 3)),
        "noise": np.random.default_rng(0).integers(0, 256, (320, 320, 3)),
        "gradient": np.broadcast_to(np.linspace(0, 255, 300)[:, None], (200, 300, 3)),
    }
    engine = NetworkEngine(catalogue.find("u2netp"), load_network(u2netp_weights))
    with pytest.raises(NoSubjectFound):
        engine.find_subject(pictures[blank].astype(np.uint8), Progress())


def test_a_cancel_before_the_network_runs_interrupts_it(tmp_path: Path):
    engine = NetworkEngine(catalogue.find("u2netp"), load_network(make_network(tmp_path / "n")))
    cancellation = Cancellation()

    def cancel_at_the_start(_: Step) -> None:
        cancellation.cancel()

    with pytest.raises(Cancelled):
        engine.find_subject(portrait(), Progress(cancel_at_the_start, cancellation))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08\x12\x07pytorch"])
def test_a_file_that_is_no_network_is_refused_in_any_runtime(
    tmp_path: Path, runtime: RuntimeName, content: bytes
):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises((ModelDamaged, RuntimeUnavailable), match=r"bad\.onnx"):
        load_network(path, asked=runtime)


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=needs_openvino)])
def test_weights_of_another_models_size_are_told_apart(tmp_path: Path, runtime: RuntimeName):
    engine = NetworkEngine(
        replace(catalogue.find("u2netp"), input_size=300),
        load_network(make_network(tmp_path / "n.onnx"), asked=runtime),
    )
    with pytest.raises(ModelDamaged, match="Check that the weights belong to the named model"):
        engine.find_subject(portrait(), Progress())


def test_opencvs_runtime_serves_where_the_others_are_absent(tmp_path: Path):
    code = (
        "import sys; sys.modules['onnxruntime'] = sys.modules['openvino'] = None\n"
        "from pathlib import Path\n"
        "from cutaway.engine.runtimes import load_network\n"
        "print(load_network(Path(sys.argv[1])).name)"
    )
    network = make_network(tmp_path / "n.onnx")
    done = subprocess.run(
        [sys.executable, "-c", code, str(network)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.strip() == "opencv"


@pytest.mark.parametrize(
    ("runtime", "mean", "greatest"),
    [
        ("opencv", 0.01, 2),
        # It runs in bfloat16 where the processor is quick in that.
        pytest.param("openvino", 0.5, 100, marks=needs_openvino),
    ],
)
def test_another_runtime_gives_the_matte_of_onnxruntime_with_the_genuine_u2netp(
    u2netp_weights: Path, runtime: RuntimeName, mean: float, greatest: float
):
    mattes = [
        NetworkEngine(
            catalogue.find("u2netp"), load_network(u2netp_weights, asked=name)
        ).find_subject(portrait(), Progress())
        for name in ("onnxruntime", runtime)
    ]
    apart = 255 * np.abs(mattes[0].alpha - mattes[1].alpha)
    assert apart.mean() < mean
    assert apart.max() < greatest
