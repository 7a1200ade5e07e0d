"""Small networks with the signatures of real ones, made when a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "BRIGHTNESS",
    "make_birefnet",
    "make_deep_network",
    "make_greedy_network",
    "make_network",
]

BRIGHTNESS = 20.0
"""What `make_birefnet`'s logit grows by from black to white; it is 0 at middle grey."""

_OPSET = 17
_IR = 9
_LARGE = 1024
_CHANNELS = 16


def make_network(path: Path, *, size: int = 320, gain: float = 3.0) -> Path:
    """Write a network that keeps what differs in colour from the top left pixel.

    Like U-2-Net it takes `input.1`, float32 (1, 3, size, size), and has several outputs, of which
    the first, the lowest by number, is the matte, 0..1. With `gain` 0 it sees nothing anywhere.
    """
    inputs = ["beyond noise", "zero", "one"]
    nodes = [
        helper.make_node("Slice", ["input.1", "first", "second", "axes"], ["corner"]),
        helper.make_node("Sub", ["input.1", "corner"], ["difference"]),
        helper.make_node("Conv", ["difference", "weights"], ["signed"], kernel_shape=[1, 1]),
        helper.make_node("Abs", ["signed"], ["distance"]),
        helper.make_node("Sub", ["distance", "one"], ["beyond noise"]),
        *(helper.make_node("Clip", inputs, [name]) for name in ("1959", "1960")),
    ]
    constants = {
        "first": np.array([0, 0]),
        "second": np.array([1, 1]),
        "axes": np.array([2, 3]),
        "weights": np.full((1, 3, 1, 1), gain, np.float32),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
    }
    return _write(path, nodes, constants, "input.1", ["1959", "1960"], size)


def make_birefnet(path: Path) -> Path:
    """Write a network that keeps what is bright, if its picture was prepared as BiRefNet's are.

    Like rembg's files of BiRefNet it takes `input_image`, float32 (1, 3, 1024, 1024), normalised by
    ImageNet's mean and deviation, and gives `output_image`, which is to go through a sigmoid.
    """
    deviation = np.array([0.229, 0.224, 0.225], np.float32)
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    constants: dict[str, NDArray[np.generic]] = {
        "weights": (BRIGHTNESS * deviation / 3).reshape(1, 3, 1, 1),
        "bias": np.array([BRIGHTNESS * (mean.mean() - 0.5)], np.float32),
    }
    node = helper.make_node(
        "Conv", ["input_image", "weights", "bias"], ["output_image"], kernel_shape=[1, 1]
    )
    return _write(path, [node], constants, "input_image", ["output_image"], _LARGE)


def make_deep_network(path: Path, layers: int) -> Path:
    """Write a network with BiRefNet's signature that takes its time: 0.05 s a layer or so."""
    chance = np.random.default_rng(0)
    kernels = {"first": (_CHANNELS, 3, 3, 3), "more": (_CHANNELS, _CHANNELS, 3, 3)}
    constants = {name: chance.normal(0, 0.1, shape) for name, shape in kernels.items()}
    constants["last"] = chance.normal(0, 1, (1, _CHANNELS, 1, 1))
    nodes = [_convolution("input_image", "first", "0")]
    for layer in range(layers):
        nodes.append(helper.make_node("Tanh", [f"{layer}"], [f"{layer} bent"]))
        nodes.append(_convolution(f"{layer} bent", "more", f"{layer + 1}"))
    nodes.append(helper.make_node("Conv", [f"{layers}", "last"], ["output_image"]))
    weights = {name: value.astype(np.float32) for name, value in constants.items()}
    return _write(path, nodes, weights, "input_image", ["output_image"], _LARGE)


def make_greedy_network(path: Path) -> Path:
    """Write a network that asks for more memory than any machine has, once it runs."""
    nodes = [
        helper.make_node("Expand", ["input.1", "more"], ["too much"]),
        helper.make_node("ReduceMax", ["too much"], ["output"], axes=[0, 1], keepdims=1),
    ]
    return _write(
        path, nodes, {"more": np.array([1 << 40, 3, 320, 320])}, "input.1", ["output"], 320
    )


def _convolution(source: str, weights: str, result: str) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weights], [result], pads=[1, 1, 1, 1])


def _write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.generic]],
    source: str,
    results: Sequence[str],
    size: int,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, [1, 3, size, size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, size, size])
            for name in results
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
