"""A catalogue entry for a file of a few kilobytes, so that whole downloads fit into a test."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import Any

from cutaway.catalogue import Model

__all__ = ["body_of", "tiny_model"]


def body_of(size: int, seed: int = 0) -> bytes:
    """Bytes that nothing else has, the same ones each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311  (no secret)


def tiny_model(body: bytes, **changes: Any) -> Model:
    """A model whose published file is `body`; any field can be set."""
    model = Model(
        name="tiny",
        title="Tiny",
        good_for="tests",
        file="Tiny-epoch_1.onnx",
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        md5=hashlib.md5(body, usedforsecurity=False).hexdigest(),
        licence="MIT",
        memory=1 << 20,
        input_size=32,
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
    )
    return replace(model, **changes)
