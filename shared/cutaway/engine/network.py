"""Finding the subject with a neural network."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cutaway.engine.classical.evidence import only_noise
from cutaway.engine.decidedness import decidedness
from cutaway.engine.matte import Matte
from cutaway.engine.reduction import reduced
from cutaway.errors import NoSubjectFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway.catalogue import Model
    from cutaway.engine.runtimes import Runtime
    from cutaway.progress import Cancellation, Progress

__all__ = ["NetworkEngine"]

# Blank pages and gradients give U-2-Net at most 0.1; the faintest real subject seen gave 0.69.
_SUBJECT_AT_LEAST = 0.3
_LANCZOS_FROM = 3
_LOOKED_AT = 400
_SMALLEST = 16
_LOOK_EVERY = 0.05


class NetworkEngine:
    """A catalogue model in a runtime; it shows the network one picture at a time.

    One run uses all its threads, so two at once would not be done sooner, and need twice the
    memory.

    Args:
        model: How the network wants its picture and gives its answer.
        runtime: The loaded network.
    """

    def __init__(self, model: Model, runtime: Runtime) -> None:
        self.model = model
        self.runtime = runtime
        self._turn = threading.Lock()

    def find_subject(self, rgb: NDArray[np.uint8], progress: Progress) -> Matte:
        """Find the subject; see `Engine`. The matte has the network's own square size."""
        progress.advance(0.0)
        smaller = reduced(rgb, _LANCZOS_FROM * self.model.input_size, _SMALLEST)
        if _is_blank(smaller):
            raise _no_subject("the picture is all one colour or noise")
        picture = self._prepare(smaller)
        with _in_turn(self._turn, progress.cancellation):
            raw = self.runtime.run(picture, progress.cancellation)
        return _read(_sigmoid(raw) if self.model.activation == "sigmoid" else raw)

    def _prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        small = _squared(rgb, self.model.input_size).astype(np.float32)
        scale = float(small.max()) if self.model.scale_by_maximum else 255.0
        small /= max(scale, 1.0)
        small -= np.array(self.model.mean, np.float32)
        small /= np.array(self.model.std, np.float32)
        return np.ascontiguousarray(small.transpose(2, 0, 1)[None])


@contextmanager
def _in_turn(turn: threading.Lock, cancellation: Cancellation) -> Iterator[None]:
    """Hold a lock; raise `Cancelled` if the wait for it is cancelled."""
    while not turn.acquire(timeout=_LOOK_EVERY):
        cancellation.check()
    try:
        yield
    finally:
        turn.release()


def _squared(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The picture squeezed into a square, as sharp as it was when the networks learned.

    Lanczos' filter finds more subjects than plain averaging does, but takes long on a large
    picture; from three times the size its result is the same, so averaging goes before it.
    """
    square = (size, size)
    return np.asarray(Image.fromarray(rgb).resize(square, Image.Resampling.LANCZOS))


def _is_blank(rgb: NDArray[np.uint8]) -> bool:
    """Whether there is nothing to see: U-2-Net makes a subject of some pictures of pure noise."""
    if min(rgb.shape[:2]) < _SMALLEST:
        return False
    return only_noise(reduced(rgb, _LOOKED_AT, _SMALLEST))


def _no_subject(why: str) -> NoSubjectFound:
    return NoSubjectFound(
        "no subject was found",
        why,
        "Try another model, or crop the picture closer to the subject",
    )


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    half = np.float32(0.5)
    share: NDArray[np.float32] = half * np.tanh(half * logits) + half
    return share


def _read(raw: NDArray[np.float32]) -> Matte:
    """Stretch the raw answer to 0..1, if there is a subject in it."""
    low, high = float(raw.min()), float(raw.max())
    if not high >= _SUBJECT_AT_LEAST:  # NaN too is no subject
        raise _no_subject("nothing in the picture stands out from its background")
    alpha = np.clip((raw - low) / max(high - low, 1e-6), 0.0, 1.0)
    return Matte(alpha, decidedness(alpha))
