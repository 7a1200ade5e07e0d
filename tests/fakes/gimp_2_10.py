"""GIMP 2.10's images and drawables, for the stand-in `gimpfu` beside it; in Python 2.7 or 3.

Pixels are there as GIMP has them: bytes at the image's own precision, 8 or 16 bits or floats. What
GIMP would kill a plug-in for ends it here, with status 70.
"""

import os
import sys
from array import array

GRAY, INDEXED, RGB = 1, 2, 0
RGB_IMAGE, RGBA_IMAGE, GRAY_IMAGE, GRAYA_IMAGE = 0, 1, 2, 3
LAYER_MODE_NORMAL = 28
PRECISION_U8_LINEAR, PRECISION_U8_GAMMA, PRECISION_U16_GAMMA, PRECISION_FLOAT_GAMMA = (
    100,
    150,
    250,
    650,
)

_CHANNELS = {RGB_IMAGE: 3, RGBA_IMAGE: 4, GRAY_IMAGE: 1, GRAYA_IMAGE: 2}
_DEPTHS = {PRECISION_U8_GAMMA: 8, PRECISION_U16_GAMMA: 16, PRECISION_FLOAT_GAMMA: 32}
_TYPECODES = {8: "B", 16: "H", 32: "f"}
_MOST = {8: 255, 16: 65535, 32: 1}
_KILLED = 70


class State(object):
    """All there is."""

    def __init__(self):
        self.scene = {}
        self.images = []
        self.drawables = []
        self.registered = {}
        self.messages = []
        self.progress = []
        self.has_precision = False


STATE = State()


class Image(object):
    """An image, with its layers from top to bottom, and what was done to it."""

    def __init__(self, width, height, base_type, precision):
        self.width, self.height = width, height
        self.base_type, self.precision = base_type, precision
        self.floating_selection = None
        self.is_valid = True
        self.layers = []
        self.steps = []  # of undo: each a list of what was done in it
        self.is_grouped = False
        STATE.images.append(self)

    @property
    def depth(self):
        return _DEPTHS[self.precision]

    def note(self, what):
        """Note what can be undone."""
        if self.is_grouped:
            self.steps[-1].append(what)
        else:
            self.steps.append([what])


class Item(object):
    """What is in an image, or is to be."""


class Drawable(Item):
    """A layer or a mask. What is written isn't there until it is flushed."""

    def __init__(self, image, name, width, height, kind):
        self.image, self.name, self.type = image, name, kind
        self.width, self.height = width, height
        self.offsets = (0, 0)
        self.parent = None
        self.locked = False
        self.is_valid = True
        self.is_inserted = False
        self.data = bytearray(self.bpp * width * height)
        self.pending = None
        STATE.drawables.append(self)

    @property
    def channels(self):
        return _CHANNELS[self.type]

    @property
    def bpp(self):
        return self.channels * self.image.depth // 8

    @property
    def is_gray(self):
        return self.type in (GRAY_IMAGE, GRAYA_IMAGE)

    @property
    def is_alive(self):
        return self.is_valid and self.image.is_valid

    def set_offsets(self, x, y):
        self.offsets = (x, y)

    def get_pixel_rgn(self, x, y, width, height, dirty, shadow):
        assert (x, y, width, height, shadow) == (0, 0, self.width, self.height, False)
        return PixelRgn(self, dirty)

    def flush(self):
        if self.pending is not None:
            kill_unless(self.is_alive)
            self.data, self.pending = self.pending, None

    def planes(self):
        """Red, green, blue (or grey) and alpha as arrays of 0..1, and alpha last, 1 if none."""
        values = array(_TYPECODES[self.image.depth], bytes(self.data))
        most = float(_MOST[self.image.depth])
        planes = [
            [value / most for value in values[c :: self.channels]] for c in range(self.channels)
        ]
        alpha = planes.pop() if self.channels in (2, 4) else [1.0] * len(planes[0])
        return planes, alpha

    def set_planes(self, planes, alpha):
        """The opposite; grey becomes red, green and blue, and they grey, as it needs."""
        depth = self.image.depth
        colours = 1 if self.is_gray else 3
        if len(planes) < colours:
            planes = planes * 3
        elif len(planes) > colours:
            planes = [[0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in zip(*planes)]]
        chosen = planes + [alpha] if self.channels > colours else planes
        values = array(_TYPECODES[depth], bytes(bytearray(len(self.data))))
        for channel, plane in enumerate(chosen):
            numbers = plane if depth == 32 else [int(v * _MOST[depth] + 0.5) for v in plane]
            values[channel :: self.channels] = array(_TYPECODES[depth], numbers)
        self.data = bytearray(_bytes(values))


class Channel(Drawable):
    """A mask."""


class Layer(Drawable):
    """A layer, which isn't in the image until it is inserted."""

    def __init__(self, image, name, width, height, kind):
        super(Layer, self).__init__(image, name, width, height, kind)
        self.mask = None
        self.visible = True
        self.opacity, self.mode = 100.0, LAYER_MODE_NORMAL
        self.more = {}


class GroupLayer(Layer):
    """A group; its pixels are those of its parts, and can't be written."""


class PixelRgn(object):
    """All of a drawable; as 8 bits a channel to who hasn't asked for the real precision."""

    def __init__(self, drawable, dirty):
        kill_unless(drawable.is_alive)
        self._drawable = drawable
        self._is_dirty = dirty
        self._is_real = STATE.has_precision or drawable.image.depth == 8
        self.bpp = drawable.bpp if self._is_real else drawable.channels

    def __getitem__(self, place):
        kill_unless(self._drawable.is_alive)
        data = self._drawable.data if self._drawable.pending is None else self._drawable.pending
        if not self._is_real:
            values = array(_TYPECODES[self._drawable.image.depth], bytes(data))
            most = _MOST[self._drawable.image.depth]
            data = bytearray(int(value * 255.0 / most + 0.5) for value in values)
        return bytes(data[self._part(place)])

    def __setitem__(self, place, data):
        drawable = self._drawable
        kill_unless(drawable.is_alive and not drawable.locked)
        kill_unless(not isinstance(drawable, GroupLayer))
        assert self._is_dirty
        assert self._is_real
        assert isinstance(data, bytes)
        part = self._part(place)
        assert part.stop - part.start == len(data)
        if drawable.pending is None:
            drawable.pending = bytearray(drawable.data)
        drawable.pending[part] = data

    def _part(self, place):
        columns, rows = place
        assert (columns.start, columns.stop) == (0, self._drawable.width)
        assert 0 <= rows.start < rows.stop <= self._drawable.height
        row_bytes = self._drawable.width * self.bpp
        return slice(rows.start * row_bytes, rows.stop * row_bytes)


def _bytes(values):
    if sys.version_info < (3,):
        return values.tostring()
    return values.tobytes()


def converted(drawable, image, kind):
    """A copy in another image, which has another form there; bytes stay where they can."""
    copy = Layer(image, alive(drawable).name, drawable.width, drawable.height, kind)
    assert drawable.pending is None
    if copy.image.depth == drawable.image.depth and copy.type == drawable.type:
        copy.data[:] = drawable.data
    else:
        copy.set_planes(*drawable.planes())
    return copy


def alive(item):
    if not item.is_alive:
        message = "a procedure was called with an item that is no longer there"
        raise RuntimeError(message)
    return item


def kill_unless(may):
    if not may:
        os._exit(_KILLED)
