"""A small network with the signature of a real one, made when a test needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_network"]

_OPSET = 17
_IR = 9


def make_network(path: Path, *, size: int = 320, logits: bool = False, gain: float = 3.0) -> Path:
    """Write a network that keeps what differs in colour from the top left pixel.

    Like U-2-Net it takes `input.1`, float32 (1, 3, size, size), and has several outputs, of which
    the first, the lowest by number, is the matte, 0..1; with `logits`, like BiRefNet, it has one
    output before the sigmoid. With `gain` 0 it sees nothing anywhere.
    """
    shape = [1, 1, size, size]
    outputs = ["output"] if logits else ["1959", "1960"]
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["input.1", "first", "second", "axes"], ["corner"]),
            helper.make_node("Sub", ["input.1", "corner"], ["difference"]),
            helper.make_node("Conv", ["difference", "weights"], ["signed"], kernel_shape=[1, 1]),
            helper.make_node("Abs", ["signed"], ["distance"]),
            helper.make_node("Sub", ["distance", "one"], ["beyond noise"]),
            *_heads(outputs, logits=logits),
        ],
        "stand-in",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [
            numpy_helper.from_array(np.array([0, 0], np.int64), "first"),
            numpy_helper.from_array(np.array([1, 1], np.int64), "second"),
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.full((1, 3, 1, 1), gain, np.float32), "weights"),
            numpy_helper.from_array(np.array(10.0, np.float32), "steepness"),
            numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
            numpy_helper.from_array(np.array(1.0, np.float32), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _heads(outputs: list[str], *, logits: bool) -> list[onnx.NodeProto]:
    if logits:
        return [helper.make_node("Mul", ["beyond noise", "steepness"], outputs)]
    inputs = ["beyond noise", "zero", "one"]
    return [helper.make_node("Clip", inputs, [name]) for name in outputs]
