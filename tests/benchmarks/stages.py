"""A plain removal in its stages, by Cutaway's own parts and by rembg's.

Plain is what rembg does unless told otherwise: the network's mask is enlarged, and that is all.
This stands on the standard library and on the package that it times.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.images import Metadata, Pixels, Rows

    Laps = dict[str, tuple[float, float]]

__all__ = ["CutawayStages", "RembgStages"]


class CutawayStages:
    """Cutaway's u2netp with nothing after it.

    Args:
        weights: The network's file.
    """

    def __init__(self, weights: Path) -> None:
        from cutaway import catalogue
        from cutaway.engine.network import NetworkEngine
        from cutaway.engine.runtimes import load_network
        from cutaway.settings import Settings

        self._network = _Watched(load_network(weights))
        self._engine = NetworkEngine(catalogue.find("u2netp"), self._network)
        self._limits = Settings.load().limits

    def laps(self, source: str, target: str) -> Laps:
        """Do one stage after another, and tell what each took: by the clock, and of all cores."""
        from cutaway.compositing.composition import OnTransparency
        from cutaway.compositing.edge_colours import clean_edge_colours
        from cutaway.engine.trimap import post_process_mask
        from cutaway.progress import Progress

        clock = _Clock()
        pixels = self._decoded(source)
        clock.lap("decode")
        alpha = self._alpha(pixels)
        self._network.lap(clock)
        clock.lap("enlarge")
        cutout = OnTransparency(pixels.colour, alpha)
        whole = _Whole(_gathered(cutout))
        clock.lap("compose")
        with Path(target).open("wb") as file:
            _encode(whole, file, pixels.metadata)
        clock.lap("encode")
        post_process_mask(alpha)
        clock.lap("post-process")
        clean_edge_colours(pixels.colour, alpha, Progress())
        _gathered(cutout)
        clock.lap("clean")
        return clock.laps

    def _decoded(self, source: str) -> Pixels:
        from cutaway.images import decode

        return decode(Path(source).read_bytes(), self._limits)

    def _alpha(self, pixels: Pixels) -> NDArray[Any]:
        import cv2
        import numpy as np

        from cutaway.progress import Progress

        found = self._engine.find_subject(pixels.guide(), Progress()).alpha
        small = np.rint(found * 255).astype(np.uint8)
        size = (pixels.width, pixels.height)
        return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


class RembgStages:
    """rembg's own functions, one by one, as its `remove` calls them.

    Args:
        session: Of rembg; from now on its runs are watched.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._network = session.inner_session = _Watched(session.inner_session)

    def laps(self, source: str, target: str) -> Laps:
        """Do one stage after another, and tell what each took: by the clock, and of all cores."""
        import io

        import numpy as np
        from PIL import Image
        from rembg import bg  # type: ignore[import-not-found]

        clock = _Clock()
        file = io.BytesIO(Path(source).read_bytes())
        picture = bg.fix_image_orientation(Image.open(file))
        picture.load()
        clock.lap("decode")
        (mask,) = self._session.predict(picture)
        self._network.lap(clock)
        clock.lap("enlarge")
        cutout = bg.naive_cutout(picture, mask)
        clock.lap("compose")
        encoded = io.BytesIO()
        cutout.save(encoded, "PNG")
        Path(target).write_bytes(encoded.getvalue())
        clock.lap("encode")
        bg.post_process(np.array(mask))
        clock.lap("post-process")
        bg.decontaminate_cutout(picture, mask)
        clock.lap("clean")
        return clock.laps


class _Clock:
    """What has passed from one lap to the next."""

    def __init__(self) -> None:
        self.laps: Laps = {}
        self._since = _now()

    def lap(self, name: str, until: tuple[float, float] | None = None) -> None:
        """End a lap now, or at a moment before."""
        now = until or _now()
        self.laps[name] = now[0] - self._since[0], now[1] - self._since[1]
        self._since = now


class _Watched:
    """A network, of either side, that notes when its last run began and ended."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._began = self._ended = _now()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def run(self, *arguments: Any) -> Any:
        """Run it."""
        self._began = _now()
        answer = self._network.run(*arguments)
        self._ended = _now()
        return answer

    def lap(self, clock: _Clock) -> None:
        """End the laps before its last run and with it."""
        clock.lap("preprocess", self._began)
        clock.lap("infer", self._ended)


class _Whole:
    """A picture to encode that is held as an array (height, width, channels) of 8 bits."""

    depth = 8

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.height, self.width, self.channels = values.shape

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Some of its rows."""
        return self._values[top:bottom]


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _gathered(picture: Rows) -> NDArray[Any]:
    """A picture of 8 bits, composed in memory."""
    import numpy as np

    from cutaway.images import stripes

    whole = np.empty((picture.height, picture.width, picture.channels), np.uint8)
    for top, bottom in stripes(picture.height, whole[:1].nbytes):
        whole[top:bottom] = picture.rows(top, bottom)
    return whole


def _encode(picture: Rows, file: Any, metadata: Metadata) -> None:
    from cutaway.images import encode
    from cutaway.options import ImageFormat

    encode(picture, file, format=ImageFormat.PNG, quality=95, metadata=metadata)
