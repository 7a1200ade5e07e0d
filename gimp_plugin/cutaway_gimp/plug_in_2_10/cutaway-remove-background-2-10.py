#!/usr/bin/env python2
# -*- coding: utf-8 -*-
"""Removes the background of a layer in GIMP 2.10, which runs this file in its own Python 2.7.

The work is done by the worker, a process in the Python where Cutaway is installed; `installed.json`
beside this file tells which that is. What the two say to each other is told in `plug_in/frames.py`,
of the plug-in for GIMP 3.

GIMP itself turns pixels into sRGB of 8 or 16 bits and back, in scratch images, so that every
precision and profile comes out right. Of the layer's own bytes only those are replaced that the
removal changes.
"""

import binascii
import io
import json
import os
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager

import gimpfu
from gimpfu import gimp, pdb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Callable, Dict, Iterator, List, NoReturn, Optional, Tuple

    Frame = Tuple[Dict[str, Any], bytes]
    Strip = Tuple[int, int, bytes]

_PROTOCOL = 1
_LONGEST_HEADER = 1 << 20
_LARGEST_PAYLOAD = 64 << 20

_HEARTBEAT = 0.1
_HELLO_SECONDS = 60.0
_END_SECONDS = 1.0
_PAYLOADS_AHEAD = 2
_LOG_LINES = 15
_CREATE_NO_WINDOW = 0x08000000

_STRIP_ROWS, _TILE_ROWS = 256, 64
_SPLICED_BYTES = 1 << 10

# What GIMP sets for its own Python and libraries, and would lead another Python astray.
_FOREIGN = (
    "PYTHON",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_",
    "GI_TYPELIB_PATH",
    "GIO_",
    "GTK_",
    "GDK_",
    "GSETTINGS_",
    "GEGL_",
    "BABL_",
)

_AGAIN = "Run this in a terminal, and try again: cutaway gimp install"

_ABOUT = (
    "Remove the background of the layer. With another backend than local, the layer leaves this "
    "computer for that service, which may cost money."
)
_OUTPUTS = (
    ("New layer, the original hidden", "new-layer"),
    ("Layer mask on the original", "layer-mask"),
    ("Mask as a grey layer", "grey-layer"),
)
_RANGE = (1, 255, 1)
# With underscores in their names these are the core's options.
_OPTIONS = (
    (gimpfu.PF_STRING, "model", "_Model (auto takes the best that is there)", "auto"),
    (gimpfu.PF_TOGGLE, "alpha-matting", "_Alpha matting, for hair and other fine detail", False),
    (gimpfu.PF_SPINNER, "alpha-matting-foreground-threshold", "_Foreground threshold", 240, _RANGE),
    (gimpfu.PF_SPINNER, "alpha-matting-background-threshold", "_Background threshold", 10, _RANGE),
    (gimpfu.PF_SPINNER, "alpha-matting-erode-size", "_Erode size", 10, _RANGE),
    (gimpfu.PF_TOGGLE, "post-process-mask", "Har_d edge", False),
    (gimpfu.PF_TOGGLE, "clean-edges", "C_lean edge colours (for a new layer)", True),
    (gimpfu.PF_FLOAT, "feather", "Fea_ther, in pixels (0 to 1000)", 0.0),
)  # type: Tuple[Tuple[Any, ...], ...]
_ARGUMENTS = (
    (gimpfu.PF_RADIO, "output", "_Result", "new-layer", _OUTPUTS),
    (gimpfu.PF_STRING, "backend", "_Work on (local, runware, or the URL of a service)", "local"),
)  # type: Tuple[Tuple[Any, ...], ...]


class Failure(Exception):
    """What went wrong and what to do next, for the person to read."""


def _native(text):
    # type: (Any) -> str
    """Give a text as a `str`, which in Python 2 is bytes, in UTF-8 as GIMP has it."""
    return text if isinstance(text, str) else text.encode("utf-8")


def _write_frame(stream, header, payload):
    # type: (IO[bytes], Dict[str, Any], bytes) -> None
    told = dict(header, bytes=len(payload)) if payload else header
    stream.write(json.dumps(told, allow_nan=False).encode("ascii") + b"\n")
    stream.write(payload)
    stream.flush()


def _read_frame(stream):
    # type: (IO[bytes]) -> Optional[Frame]
    """Read a frame; None at the end, ValueError if what comes is none."""
    line = stream.readline(_LONGEST_HEADER)
    if not line:
        return None
    header = json.loads(line.decode("utf-8"))
    if not isinstance(header, dict) or "kind" not in header:
        raise ValueError("a line is no object with a kind")
    size = header.get("bytes", 0)
    if not 0 <= size <= _LARGEST_PAYLOAD:
        raise ValueError("a payload of {} bytes".format(size))
    payload = stream.read(size)
    if len(payload) < size:
        raise ValueError("{} bytes came instead of {}".format(len(payload), size))
    return header, payload


def _command():
    # type: () -> List[str]
    """Give what starts the worker, as was noted beside this file when it was installed."""
    record = os.path.join(os.path.dirname(os.path.abspath(__file__)), "installed.json")
    try:
        with io.open(record, encoding="utf-8") as file:
            python = json.load(file)["python"]
    except (EnvironmentError, ValueError, LookupError, TypeError) as reason:
        raise _not_found(reason)
    if not isinstance(python, str):  # in Python 2: only bytes can be started
        python = python.encode("mbcs" if sys.platform == "win32" else "utf-8")
    in_flatpak = os.path.exists("/.flatpak-info")
    outside = ["flatpak-spawn", "--host", "--watch-bus"] if in_flatpak else []
    return outside + [python, "-P", "-m", "cutaway_gimp.worker"]


def _environment():
    # type: () -> Dict[str, str]
    return {name: os.environ[name] for name in os.environ if not name.startswith(_FOREIGN)}


def _not_found(reason):
    # type: (Exception) -> Failure
    return Failure("Cutaway wasn't found. {}\n({})".format(_AGAIN, reason))


def _started(command):
    # type: (List[str]) -> subprocess.Popen[bytes]
    pipe, environment = subprocess.PIPE, _environment()
    try:
        if sys.platform == "win32":
            flags = _CREATE_NO_WINDOW
            return subprocess.Popen(
                command, -1, None, pipe, pipe, pipe, env=environment, creationflags=flags
            )
        # In a session of its own it outlives this process by the moment that cancelling takes.
        # GIMP's pipes to this process are not for it to hold.
        return subprocess.Popen(
            command, -1, None, pipe, pipe, pipe, os.setsid, close_fds=True, env=environment
        )
    except EnvironmentError as reason:
        raise _not_found(reason)


def _pipe(stream):
    # type: (Optional[IO[bytes]]) -> IO[bytes]
    if stream is None:  # never: all three are pipes
        raise TypeError
    return stream


class Worker(object):
    """A worker that was started and has said hello.

    Its standard input is its life line: when this process ends, however it does, the worker
    cancels what it does and ends.

    Args:
        beat: Called ten times a second while the worker is waited for.
    """

    def __init__(self, beat):
        # type: (Callable[[], None]) -> None
        self._beat = beat
        self._process = _started(_command())
        self._frames = deque()  # type: deque[Optional[Frame]]
        self._news = threading.Condition()
        # Frames with pixels wait until the last ones are taken: a picture needn't be here twice.
        self._room = threading.Semaphore(_PAYLOADS_AHEAD)
        self._log = deque(maxlen=_LOG_LINES)  # type: deque[bytes]
        self._listening = self._in_background(self._listen)
        self._logging = self._in_background(self._keep_log)

    def greet(self):
        # type: () -> None
        """Wait for its hello; Failure as `answer`, or if it is of another version."""
        hello, _ = self.answer(_HELLO_SECONDS)
        if hello.get("protocol") != _PROTOCOL:
            text = "This plug-in and Cutaway are of different versions. {}"
            raise Failure(text.format(_AGAIN))

    def send(self, header, payload=b""):
        # type: (Dict[str, Any], bytes) -> None
        """Tell it something; Failure with its last words if it no longer listens."""
        try:
            _write_frame(_pipe(self._process.stdin), header, payload)
        except EnvironmentError:
            self._tell_last_words()

    def answer(self, patience=None):
        # type: (Optional[float]) -> Frame
        """Give what it says next, within so many seconds if they are given.

        Raises:
            Failure: it says that something went wrong, or is gone, or silent for too long.
        """
        waited = 0.0
        while patience is None or waited < patience:
            if self._is_news():
                return self._checked(self._frames.popleft())
            waited += _HEARTBEAT
            self._beat()
        raise Failure("Cutaway was started and doesn't answer. {}".format(_AGAIN))

    def close(self):
        # type: () -> None
        """Let it end, which cancels what it does; kill it if it doesn't."""
        for _ in range(_PAYLOADS_AHEAD):
            self._room.release()  # whatever it still says may be read, and forgotten
        try:
            _pipe(self._process.stdin).close()
        except EnvironmentError:
            pass  # what was not yet written is of no use to it any more
        self._listening.join(_END_SECONDS)
        if self._listening.is_alive():
            self._process.kill()
        self._process.wait()

    def _is_news(self):
        # type: () -> bool
        with self._news:
            if not self._frames:
                self._news.wait(_HEARTBEAT)
            return bool(self._frames)

    def _checked(self, frame):
        # type: (Optional[Frame]) -> Frame
        if frame is None:
            raise self._ended()
        if frame[1]:
            self._room.release()
        if frame[0]["kind"] == "error":
            raise _refusal(frame[0])
        return frame

    def _tell_last_words(self):
        # type: () -> NoReturn
        while True:
            self.answer(_END_SECONDS)

    def _ended(self):
        # type: () -> Failure
        self.close()
        self._logging.join(_END_SECONDS)
        log = _native(b"".join(self._log).decode("utf-8", "replace"))
        text = "Cutaway ended unexpectedly (code {}). {}\n{}"
        code = self._process.returncode
        return Failure(text.format(code, _AGAIN, log or "It left no word why."))

    def _in_background(self, work):
        # type: (Callable[[], None]) -> threading.Thread
        thread = threading.Thread(target=work)
        thread.daemon = True
        thread.start()
        return thread

    def _listen(self):
        # type: () -> None
        """Queue what it says, so that neither side waits for the other to listen."""
        frame = self._next()
        while frame:
            if frame[1]:
                self._room.acquire()
            self._queue(frame)
            frame = self._next()
        self._queue(None)

    def _next(self):
        # type: () -> Optional[Frame]
        try:
            return _read_frame(_pipe(self._process.stdout))
        except (EnvironmentError, ValueError) as reason:
            self._log.append("{!r}\n".format(reason).encode("ascii"))
            return None

    def _queue(self, frame):
        # type: (Optional[Frame]) -> None
        with self._news:
            self._frames.append(frame)
            self._news.notify()

    def _keep_log(self):
        # type: () -> None
        for line in _pipe(self._process.stderr):
            self._log.append(line)


def _refusal(header):
    # type: (Dict[str, Any]) -> Failure
    task = header.get("task_uuid")
    return Failure(_native(header["text"]) + (" ({})".format(_native(task)) if task else ""))


class Telling(object):
    """What the person is told: how far it is in GIMP's progress bar, and remarks afterwards."""

    def __init__(self):
        # type: () -> None
        self._remarks = []  # type: List[str]
        self._share = None  # type: Optional[float]
        gimp.progress_init("Remove background")

    def beat(self):
        # type: () -> None
        """Move the bar; if GIMP is gone, this process ends here."""
        if self._share is None:
            pdb.gimp_progress_pulse()
        else:
            gimp.progress_update(self._share)

    def hear(self, header):
        # type: (Dict[str, Any]) -> None
        """Take in a frame of the kind `progress` or `found`."""
        if header["kind"] == "progress":
            self._share = header["share"]
            pdb.gimp_progress_set_text("Remove background: {}".format(_native(header["stage"])))
            self.beat()
        else:
            self._remarks += [_native(remark) for remark in header["warnings"]]

    def end(self):
        # type: () -> None
        """Show what else the person should know of the result."""
        if self._remarks:
            gimp.message("\n".join(self._remarks))


class Pixels(object):
    """A drawable's own bytes, at its own precision, by whole rows.

    What is written is in the drawable once that is flushed.
    """

    def __init__(self, drawable, writable=False):
        # type: (gimp.Drawable, bool) -> None
        self._width = drawable.width
        self._height = drawable.height
        self._region = drawable.get_pixel_rgn(0, 0, self._width, self._height, writable, False)
        self.pixel_bytes = self._region.bpp

    def read(self, top, rows):
        # type: (int, int) -> bytes
        """Give some rows."""
        return self._region[0 : self._width, top : top + rows]

    def write(self, top, rows, data):
        # type: (int, int, bytes) -> None
        """Put some rows."""
        self._region[0 : self._width, top : top + rows] = data

    def strips(self):
        # type: () -> Iterator[Strip]
        """Give strips from the top: the first row, how many they are, and their bytes."""
        most = min(_STRIP_ROWS, _LARGEST_PAYLOAD // (self._width * self.pixel_bytes))
        most = most // _TILE_ROWS * _TILE_ROWS or max(1, most)
        for top in range(0, self._height, most):
            rows = min(most, self._height - top)
            yield top, rows, self.read(top, rows)


def _copy_bytes(source, target):
    # type: (gimp.Drawable, gimp.Drawable) -> None
    """Copy all bytes to a drawable of the same size and format."""
    pixels = Pixels(target, writable=True)
    for top, rows, data in Pixels(source).strips():
        pixels.write(top, rows, data)
    target.flush()


def _spliced(before, after, changes):
    # type: (bytes, bytes, bytes) -> bytes
    """Give bytes of `after` where `changes` is 255, and of `before` where it is 0."""
    parts = []
    for start in range(0, len(before), _SPLICED_BYTES):
        part = slice(start, start + _SPLICED_BYTES)
        if b"\xff" not in changes[part]:
            parts.append(before[part])
        elif b"\0" not in changes[part]:
            parts.append(after[part])
        else:  # along edges: Python has no quicker way for bytes than numbers of that many digits
            old = _number(before[part])
            new = old ^ ((old ^ _number(after[part])) & _number(changes[part]))
            digits = "{:0{}x}".format(new, 2 * len(before[part]))
            parts.append(binascii.unhexlify(digits.encode("ascii")))
    return b"".join(parts)


def _number(data):
    # type: (bytes) -> int
    return int(binascii.hexlify(data), 16)


@contextmanager
def _scratch(picture, rows, base_type):
    # type: (Picture, int, int) -> Iterator[gimp.Image]
    """Make an sRGB image of the picture's width and depth for the while."""
    precisions = {8: gimpfu.PRECISION_U8_GAMMA, 16: gimpfu.PRECISION_U16_GAMMA}
    image = pdb.gimp_image_new_with_precision(
        picture.width, rows, base_type, precisions[picture.depth]
    )
    pdb.gimp_image_undo_disable(image)
    try:
        yield image
    finally:
        pdb.gimp_image_delete(image)


def _inserted(drawable, scratch):
    # type: (gimp.Drawable, gimp.Image) -> gimp.Layer
    """Give a copy of a layer, with its mask, that is in a scratch image and goes with it."""
    layer = pdb.gimp_layer_new_from_drawable(drawable, scratch)
    pdb.gimp_image_insert_layer(scratch, layer, None, 0)
    return layer


class Picture(object):
    """A layer as it is seen: flat, a group rendered, its opacity and mode left out.

    Attributes:
        layer: The layer itself.
        copy: Its own bytes and its own mask, in a layer that has alpha and isn't in the image.
        depth: 8 if the image has 8 bits a channel, else 16.
    """

    def __init__(self, image, layer):
        # type: (gimp.Image, gimp.Layer) -> None
        self.image = image
        self.layer = layer
        self.name = _native(pdb.gimp_item_get_name(layer))
        self.width, self.height = layer.width, layer.height
        eight_bits = (gimpfu.PRECISION_U8_GAMMA, gimpfu.PRECISION_U8_LINEAR)
        self.depth = 8 if pdb.gimp_image_get_precision(image) in eight_bits else 16
        self._state = self._now()
        self.copy = self._copied()
        self._is_taken = False

    def send(self, worker, want):
        # type: (Worker, str) -> None
        """Send it to the worker, which is to answer with what is wanted of it."""
        facts = {"width": self.width, "height": self.height, "depth": self.depth}
        worker.send(dict(facts, kind="picture", name=self.name, want=want))
        with _scratch(self, self.height, gimpfu.RGB) as scratch:
            for top, rows, data in Pixels(_inserted(self.copy, scratch)).strips():
                worker.send({"kind": "rows", "top": top, "rows": rows}, data)

    def check(self):
        # type: () -> None
        """See that it can still be worked on; GIMP kills who writes to what is gone.

        Raises:
            Failure: the image or the layer is gone, or isn't what it was.
        """
        if not pdb.gimp_image_is_valid(self.image):
            raise Failure("The image was closed meanwhile. Nothing was done.")
        if not pdb.gimp_item_is_valid(self.layer):
            text = "“{}” was deleted meanwhile. Nothing was done."
            raise Failure(text.format(self.name))
        if self._now() != self._state:
            text = "“{}” got another size or precision meanwhile. Nothing was done; try again."
            raise Failure(text.format(self.name))

    def close(self):
        # type: () -> None
        """Delete the copy, unless it was taken."""
        if not self._is_taken and pdb.gimp_item_is_valid(self.copy):
            gimp.delete(self.copy)

    def take_copy(self):
        # type: () -> gimp.Layer
        """Give the copy away, to be put into the image."""
        self._is_taken = True
        return self.copy

    def _now(self):
        # type: () -> Tuple[int, int, int, int]
        layer = self.layer
        return layer.width, layer.height, layer.type, pdb.gimp_image_get_precision(self.image)

    def _copied(self):
        # type: () -> gimp.Layer
        layer = self.layer
        bare = gimp.Layer(self.image, self.name, self.width, self.height, layer.type)
        _copy_bytes(layer, bare)
        copy = pdb.gimp_layer_copy(bare, True)
        gimp.delete(bare)
        if layer.mask is not None:
            mask = pdb.gimp_layer_create_mask(copy, gimpfu.ADD_WHITE_MASK)
            _copy_bytes(layer.mask, mask)
            pdb.gimp_layer_add_mask(copy, mask)
        return copy


def _new_layer(picture, strips):
    # type: (Picture, Iterator[Strip]) -> gimp.Layer
    """Put the cutout above the layer, which is then hidden."""
    pixels = Pixels(picture.copy, writable=True)
    for top, rows, payload in strips:
        before = pixels.read(top, rows)
        pixels.write(top, rows, _cut_out(picture, rows, before, payload))
    picture.copy.flush()
    picture.check()
    _look_like(picture.copy, picture.layer)
    with _one_step(picture.image):
        made = _put_above(picture, picture.take_copy(), "cutout")
        pdb.gimp_item_set_visible(picture.layer, False)
    return made


def _cut_out(picture, rows, before, payload):
    # type: (Picture, int, bytes, bytes) -> bytes
    """Give a strip's own bytes, those replaced that the worker says are changed."""
    count = rows * picture.width
    colours, alphas, cleaned = payload[: -2 * count], payload[-2 * count : -count], payload[-count:]
    with _scratch(picture, rows, gimpfu.RGB) as scratch:
        strip = gimp.Layer(scratch, "", picture.width, rows, gimpfu.RGBA_IMAGE)
        Pixels(strip, writable=True).write(0, rows, colours)
        strip.flush()
        back = pdb.gimp_layer_new_from_drawable(strip, picture.image)
        after = Pixels(back).read(0, rows)
        gimp.delete(back)
        gimp.delete(strip)
    pixel_bytes = len(before) // count
    colour_bytes = pixel_bytes - pixel_bytes // (2 if picture.layer.is_gray else 4)
    result = bytearray(before)
    for byte in range(pixel_bytes):
        plane = slice(byte, None, pixel_bytes)
        changes = cleaned if byte < colour_bytes else alphas
        result[plane] = _spliced(before[plane], after[plane], changes)
    return bytes(result)


def _look_like(made, layer):
    # type: (gimp.Layer, gimp.Layer) -> None
    """Have a layer shown as another is; a group's mode of showing its parts is none for a layer."""
    mode = pdb.gimp_layer_get_mode(layer)
    if mode == gimpfu.LAYER_MODE_PASS_THROUGH:
        mode = gimpfu.LAYER_MODE_NORMAL
    pdb.gimp_layer_set_mode(made, mode)
    pdb.gimp_layer_set_opacity(made, pdb.gimp_layer_get_opacity(layer))
    pdb.gimp_layer_set_blend_space(made, pdb.gimp_layer_get_blend_space(layer))
    pdb.gimp_layer_set_composite_space(made, pdb.gimp_layer_get_composite_space(layer))
    pdb.gimp_layer_set_composite_mode(made, pdb.gimp_layer_get_composite_mode(layer))
    pdb.gimp_item_set_color_tag(made, pdb.gimp_item_get_color_tag(layer))
    if layer.mask is not None:
        pdb.gimp_layer_set_apply_mask(made, pdb.gimp_layer_get_apply_mask(layer))
        pdb.gimp_layer_set_edit_mask(made, False)


def _layer_mask(picture, strips):
    # type: (Picture, Iterator[Strip]) -> gimp.Layer
    """Give the layer a mask, the product of the matte and the mask it has.

    A mask is linear. GIMP makes it from a layer's alpha, which is so at every precision.
    """
    with _scratch(picture, picture.height, gimpfu.RGB) as scratch:
        shape = _inserted(picture.copy, scratch)
        pixels = Pixels(shape, writable=True)
        for top, rows, matte in strips:
            pixels.write(top, rows, _as_alpha(matte, picture.depth // 8))
        shape.flush()
        if shape.mask is not None:
            pdb.gimp_layer_remove_mask(shape, gimpfu.MASK_APPLY)
        picture.check()
        back = pdb.gimp_layer_new_from_drawable(shape, picture.image)
    mask = pdb.gimp_layer_create_mask(back, gimpfu.ADD_ALPHA_MASK)
    gimp.delete(back)
    layer = picture.layer
    with _one_step(picture.image):
        if layer.mask is not None:
            pdb.gimp_layer_remove_mask(layer, gimpfu.MASK_DISCARD)
        pdb.gimp_layer_add_mask(layer, mask)
    return layer


def _as_alpha(matte, sample):
    # type: (bytes, int) -> bytes
    """Give black pixels of red, green, blue and alpha whose alpha is the matte."""
    pixels = bytearray(4 * len(matte))
    for byte in range(sample):
        pixels[3 * sample + byte :: 4 * sample] = matte[byte::sample]
    return bytes(pixels)


def _grey_layer(picture, strips):
    # type: (Picture, Iterator[Strip]) -> gimp.Layer
    """Put a grey picture above the layer: white where the subject is."""
    with _scratch(picture, picture.height, gimpfu.GRAY) as scratch:
        grey = gimp.Layer(scratch, "", picture.width, picture.height, gimpfu.GRAY_IMAGE)
        pixels = Pixels(grey, writable=True)
        for top, rows, coverage in strips:
            pixels.write(top, rows, coverage)
        grey.flush()
        picture.check()
        made = pdb.gimp_layer_new_from_drawable(grey, picture.image)
        gimp.delete(grey)
    with _one_step(picture.image):
        return _put_above(picture, made, "mask")


@contextmanager
def _one_step(image):
    # type: (gimp.Image) -> Iterator[None]
    """Make what is done in the block one step to undo."""
    pdb.gimp_image_undo_group_start(image)
    try:
        yield
    finally:
        pdb.gimp_image_undo_group_end(image)


def _put_above(picture, made, what):
    # type: (Picture, gimp.Layer, str) -> gimp.Layer
    """Put a new layer into the image, directly above the picture's own."""
    image, layer = picture.image, picture.layer
    pdb.gimp_item_set_name(made, "{} {}".format(picture.name, what))
    left, top = layer.offsets
    made.set_offsets(left, top)
    position = pdb.gimp_image_get_item_position(image, layer)
    pdb.gimp_image_insert_layer(image, made, pdb.gimp_item_get_parent(layer), position)
    return made


_MAKERS = {
    "new-layer": ("cutout", _new_layer),
    "layer-mask": ("matte", _layer_mask),
    "grey-layer": ("visible", _grey_layer),
}


def _chosen_layer(image, drawable, output):
    # type: (gimp.Image, Optional[gimp.Drawable], str) -> gimp.Layer
    """Give the layer to work on; Failure if what is chosen can't have this output."""
    if image.base_type == gimpfu.INDEXED:
        raise Failure(
            "An indexed image has no room for soft edges. Convert it with Image > Mode > RGB first."
        )
    if image.floating_selection is not None:
        raise Failure(
            "There is a floating selection. Anchor it or make it a layer, then try again."
        )
    if drawable is not None and pdb.gimp_item_is_layer_mask(drawable):
        drawable = pdb.gimp_layer_from_mask(drawable)
    if not isinstance(drawable, gimp.Layer):
        raise Failure("No layer is selected. Select the layer whose background is to go.")
    if output == "layer-mask":
        _refuse_locked(drawable)
    return drawable


def _refuse_locked(layer):
    # type: (gimp.Layer) -> None
    item = layer  # type: Optional[gimp.Item]
    while item is not None:
        if pdb.gimp_item_get_lock_content(item):
            text = "The pixels of “{}” are locked. Unlock them, or have a new layer made."
            raise Failure(text.format(_native(pdb.gimp_item_get_name(item))))
        item = pdb.gimp_item_get_parent(item)


def _of_type(kind, value):
    # type: (int, Any) -> Any
    """Give an argument as JSON is to have it; gimpfu's dialog gives whole numbers as floats."""
    if kind == gimpfu.PF_TOGGLE:
        return bool(value)
    return int(value) if kind == gimpfu.PF_SPINNER else value


def _orders(output, backend, values):
    # type: (str, str, Tuple[Any, ...]) -> Dict[str, Any]
    """Give the worker's orders; Failure if a value is none that can be sent."""
    if output not in _MAKERS:
        names = ", ".join(name for _, name in _OUTPUTS)
        text = "There is no output “{}”. Choose one of: {}."
        raise Failure(text.format(output, names))
    options = {}
    for argument, value in zip(_OPTIONS, values):
        options[argument[1].replace("-", "_")] = _of_type(argument[0], value)
    options["clean_edges"] = options["clean_edges"] and output == "new-layer"
    return {"kind": "begin", "backend": _native(backend), "options": options, "fill": ""}


def _results(worker, picture, telling):
    # type: (Worker, Picture, Telling) -> Iterator[Strip]
    """Give the strips of the result as they come, while the picture can still be worked on."""
    header, payload = worker.answer()
    while header["kind"] != "done":
        if header["kind"] == "rows":
            picture.check()
            yield header["top"], header["rows"], payload
        else:
            telling.hear(header)
        header, payload = worker.answer()


def _removed(image, layer, output, orders):
    # type: (gimp.Image, gimp.Layer, str, Dict[str, Any]) -> gimp.Layer
    want, make = _MAKERS[output]
    telling = Telling()
    worker = Worker(telling.beat)
    try:
        worker.greet()
        worker.send(orders)
        worker.answer()
        picture = Picture(image, layer)
        try:
            picture.send(worker, want)
            made = make(picture, _results(worker, picture, telling))
        finally:
            picture.close()
    finally:
        worker.close()
    telling.end()
    return made


def remove_background(image, drawable, output, backend, *values):
    # type: (gimp.Image, Optional[gimp.Drawable], str, str, *Any) -> gimp.Layer
    """Remove the background of a layer, as GIMP calls it; `values` are those of the options.

    Returns:
        The new layer, or the one that has a new mask.

    Raises:
        RuntimeError: it failed; a message that tells why was shown. The image is as it was.
    """
    pdb.gimp_plugin_enable_precision()
    pdb.gimp_plugin_set_pdb_error_handler(gimpfu.PDB_ERROR_HANDLER_PLUGIN)
    try:
        orders = _orders(output, backend, values)
        return _removed(image, _chosen_layer(image, drawable, output), output, orders)
    except (Failure, RuntimeError) as reason:  # RuntimeError: what GIMP itself refuses
        raise _shown(str(reason))


def _shown(text):
    # type: (str) -> Exception
    """Show a failure, and give what tells it to the caller."""
    gimp.message(text)
    has_dialog = "gimpui" in sys.modules  # gimpfu loads it for no other purpose
    # Its dialog would show any other exception as a fault in the plug-in, with a traceback.
    return gimpfu.CancelError(text) if has_dialog else gimpfu.error(text)


gimpfu.register(
    "cutaway-remove-background",
    _ABOUT,
    "What the arguments mean, and how a macro calls this: docs/gimp.md of Cutaway.",
    "The Cutaway authors",
    "The Cutaway authors, MIT licence",
    "2026",
    "Remove Background…",
    "RGB*, GRAY*",
    [
        (gimpfu.PF_IMAGE, "image", "The image", None),
        (gimpfu.PF_DRAWABLE, "drawable", "The layer", None),
    ]
    + list(_ARGUMENTS + _OPTIONS),
    [(gimpfu.PF_LAYER, "new-layer", "The new layer, or the one that has a new mask")],
    remove_background,
    menu="<Image>/Layer/Transparency",
)
gimpfu.main()
