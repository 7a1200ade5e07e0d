"""Which runtime is chosen, and what each does beside giving a matte."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from cutaway import Settings
from cutaway.engine.runtimes import load_network
from cutaway.engine.runtimes.choice import ACCELERATORS, NAMES, Found, choose, look_for
from cutaway.engine.runtimes.onnx import OnnxRuntime, fault_of
from cutaway.errors import Cancelled, NotEnoughMemory, RuntimeUnavailable
from cutaway.progress import Cancellation
from tests.fakes.networks import make_deep_network, make_greedy_network, make_network
from tests.shared.engine.runtimes import Watched, needs_openvino

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cutaway.engine.runtimes.choice import Asked, RuntimeName

CUDA = ACCELERATORS["cuda"]
WARM = np.zeros((1, 3, 320, 320), np.float32)


def only(*here: RuntimeName) -> Callable[[RuntimeName], Found]:
    """A machine that has these runtimes and no other."""

    def look(name: RuntimeName) -> Found:
        if name in here:
            return Found("1.0")
        return Found(fault="onnxruntime is absent" if name in ACCELERATORS else "absent")

    return look


@pytest.mark.parametrize(
    ("here", "asked", "chosen"),
    [
        (NAMES, "auto", "cuda"),
        (("directml", "openvino", "onnxruntime", "opencv"), "auto", "directml"),
        (("openvino", "onnxruntime", "opencv"), "auto", "openvino"),
        (("coreml", "onnxruntime", "opencv"), "auto", "onnxruntime"),
        (("opencv",), "auto", "opencv"),
        (NAMES, "coreml", "coreml"),
        (NAMES, "onnxruntime", "onnxruntime"),
    ],
)
def test_the_best_runtime_that_is_here_is_chosen_or_the_one_that_is_named(
    here: tuple[RuntimeName, ...], asked: Asked, chosen: RuntimeName
) -> None:
    assert choose(asked, only(*here)) == chosen


@pytest.mark.parametrize("asked", [name for name in NAMES if name != "opencv"])
def test_a_named_runtime_that_is_absent_is_refused_and_another_way_told(asked: RuntimeName) -> None:
    with pytest.raises(
        RuntimeUnavailable, match=f"{asked} can't be used: .*absent.*auto"
    ) as caught:
        choose(asked, only("opencv"))
    assert ("pip install" in caught.value.next_step) == (asked in {"openvino", "onnxruntime"})


@pytest.mark.parametrize(
    ("asked", "package"), [("cuda", "onnxruntime-gpu"), ("directml", "onnxruntime-directml")]
)
def test_a_device_that_onnxruntime_is_not_made_for_is_refused_with_the_package_that_is(
    asked: RuntimeName, package: str
) -> None:
    if ACCELERATORS[asked].provider in providers():
        pytest.skip(f"this onnxruntime is made for {asked}")
    with pytest.raises(RuntimeUnavailable, match=f"not made for it.*{package}"):
        choose(asked)


def test_every_runtime_can_be_set() -> None:
    assert set(get_args(Settings.model_fields["runtime"].annotation)) == {"auto", *NAMES}


def test_what_is_here_is_told_with_its_version() -> None:
    assert look_for("onnxruntime") == Found(version("onnxruntime"))
    assert look_for("opencv").version
    assert not look_for("opencv").fault


def test_a_device_is_tried_before_it_is_said_to_be_here() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):  # the processor comes last anyway
        assert fault_of(replace(CUDA, name="directml", provider="CPUExecutionProvider")) == ""


def test_a_device_that_does_not_take_a_network_leaves_it_to_the_processor_and_says_so(
    tmp_path: Path,
) -> None:
    nowhere = replace(CUDA, provider="NoExecutionProvider")
    with pytest.warns(UserWarning, match="NoExecutionProvider"):  # onnxruntime's own
        runtime = OnnxRuntime(make_network(tmp_path / "n.onnx"), 1, accelerator=nowhere)
    assert runtime.name == "onnxruntime"
    assert "CUDA did not take the network, which ran on the processor" in runtime.warnings[0]
    assert runtime.run(WARM, Cancellation()).shape == (320, 320)


def test_a_device_that_takes_a_network_names_the_runtime(tmp_path: Path) -> None:
    here = replace(CUDA, provider="CPUExecutionProvider")
    with pytest.warns(UserWarning, match="Duplicate"):
        runtime = OnnxRuntime(make_network(tmp_path / "n.onnx"), 1, accelerator=here)
    assert (runtime.name, runtime.warnings) == ("cuda", ())


@pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])
def test_a_network_that_asks_for_too_much_memory_is_told_from_a_wrong_one(
    tmp_path: Path, runtime: RuntimeName
) -> None:
    network = load_network(make_greedy_network(tmp_path / "n.onnx"), asked=runtime)
    with pytest.raises(NotEnoughMemory, match=r"while the network ran.*smaller model"):
        network.run(WARM, Cancellation())


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=needs_openvino)])
def test_a_cancel_ends_a_large_network_in_the_midst_of_its_layers(
    tmp_path: Path, runtime: RuntimeName
) -> None:
    network = load_network(make_deep_network(tmp_path / "n.onnx", 40), asked=runtime)
    cancellation = Watched()
    cancellation.cancel_once_it_runs()
    with pytest.raises(Cancelled):  # a network that has run to its end gives a matte
        network.run(np.zeros((1, 3, 1024, 1024), np.float32), cancellation)


def providers() -> list[str]:
    import onnxruntime

    found: list[str] = onnxruntime.get_available_providers()
    return found


@needs_openvino
def test_openvino_keeps_what_it_made_of_a_network_and_nothing_of_other_versions(
    tmp_path: Path,
) -> None:
    network, compiled = make_network(tmp_path / "n.onnx"), tmp_path / "compiled"
    (compiled / "2020.1").mkdir(parents=True)
    for _ in range(2):
        loaded = load_network(network, 1, asked="openvino", compiled=compiled)
        assert loaded.run(WARM, Cancellation()).shape == (320, 320)
    (kept,) = compiled.iterdir()
    assert kept.name in look_for("openvino").version
    assert len(list(kept.iterdir())) == 1


@needs_openvino
def test_openvino_makes_a_network_anew_where_what_it_kept_is_damaged(tmp_path: Path) -> None:
    network, compiled = make_network(tmp_path / "n.onnx"), tmp_path / "compiled"
    load_network(network, 1, asked="openvino", compiled=compiled)
    (kept,) = compiled.rglob("*.blob")
    kept.chmod(0o600)
    kept.write_bytes(kept.read_bytes()[:200])
    loaded = load_network(network, 1, asked="openvino", compiled=compiled)
    assert loaded.run(WARM, Cancellation()).shape == (320, 320)


@needs_openvino
def test_openvino_runs_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    network = make_network(tmp_path / "n.onnx")
    loaded = load_network(network, 1, asked="openvino", compiled=tmp_path / "file" / "compiled")
    assert loaded.run(WARM, Cancellation()).shape == (320, 320)


@needs_openvino
def test_to_use_openvino_is_told_to_no_one(tmp_path: Path, isolated_home: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cutaway.engine.runtimes import load_network\n"
        "print(load_network(Path(sys.argv[1]), asked='openvino').name)\n"
        "print('openvino_telemetry' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(make_network(tmp_path / "n.onnx"))],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "CI": ""},
        check=True,
    )
    assert done.stdout.split() == ["openvino", "False"]
    assert not list(isolated_home.rglob("*telemetry*"))
    assert not (isolated_home / "intel").exists()
