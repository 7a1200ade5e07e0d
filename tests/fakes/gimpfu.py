"""A stand-in for what GIMP 2.10 gives a plug-in in Python: `gimpfu`, with `gimp` and `pdb` in it.

The plug-in is run by a real Python 2.7, with this folder on its path, and with the path of a scene:
JSON that tells the image, what is chosen, and what the procedure is called with. What has become
of the image is then in the scene's report, JSON too.

What it can't tell: colours aren't converted between profiles, or from and to linear light.

    base        RGB, GRAY or INDEXED
    depth       8, 16 or 32 (floats) bits a channel
    layers      from bottom to top, each: name, kind (RGB, RGBA, GRAY, GRAYA, or GROUP, which has
                RGBA), parent, offsets, pixels (base64), mask (base64), opacity, mode, locked
    chosen      the name of a layer; with "mask" as `chosen_part`, its mask
    arguments   those after image and drawable; none: only tell what was registered
    dialog      whether gimpfu shows its dialog: it gives numbers as floats, and shows failures
    floating    whether there is a floating selection
    meanwhile   what a person does when the worker tells of its progress: "delete", "resize",
                "convert" (to another precision) or "close"
    report      where to write it
"""

import base64
import json
import sys

from tests.fakes.gimp_2_10 import (  # noqa: F401  (gimpfu has these, too)
    GRAY,
    GRAY_IMAGE,
    GRAYA_IMAGE,
    INDEXED,
    LAYER_MODE_NORMAL,
    PRECISION_FLOAT_GAMMA,
    PRECISION_U8_GAMMA,
    PRECISION_U8_LINEAR,
    PRECISION_U16_GAMMA,
    RGB,
    RGB_IMAGE,
    RGBA_IMAGE,
    STATE,
    Channel,
    Drawable,
    GroupLayer,
    Image,
    Item,
    Layer,
    alive,
    converted,
)

ADD_WHITE_MASK, ADD_ALPHA_MASK = 0, 2
MASK_APPLY, MASK_DISCARD = 0, 1
LAYER_MODE_PASS_THROUGH = 61
PDB_ERROR_HANDLER_PLUGIN = 1
PF_STRING, PF_FLOAT, PF_IMAGE, PF_LAYER, PF_DRAWABLE = 4, 3, 13, 14, 16
PF_TOGGLE, PF_SPINNER, PF_RADIO = 1000, 1002, 1008

_KINDS = {"RGB": RGB_IMAGE, "RGBA": RGBA_IMAGE, "GRAY": GRAY_IMAGE, "GRAYA": GRAYA_IMAGE}
_PRECISIONS = {8: PRECISION_U8_GAMMA, 16: PRECISION_U16_GAMMA, 32: PRECISION_FLOAT_GAMMA}


class error(RuntimeError):  # noqa: N801  (gimpfu's name for it)
    """What a plug-in raises."""


class CancelError(RuntimeError):
    """What ends a call from the dialog without a word."""


class gimp(object):  # noqa: N801  (a module, in GIMP)
    """GIMP's module of that name."""

    Image, Item, Drawable, Channel, Layer = Image, Item, Drawable, Channel, Layer

    @staticmethod
    def delete(item):
        assert item.is_alive
        assert not item.is_inserted
        item.is_valid = False

    @staticmethod
    def message(text):
        STATE.messages.append(text)

    @staticmethod
    def progress_init(text):
        STATE.progress.append(text)

    @staticmethod
    def progress_update(share):
        STATE.progress.append(share)


class ProceduralDatabase(object):
    """The procedures that the plug-in calls; others, and settings of layers, are by name."""

    def __getattr__(self, name):
        """Procedures that get and set what has no meaning here, such as a layer's blend space."""
        kind, _, what = name.rpartition("_get_")
        if kind in ("gimp_layer", "gimp_item"):
            return lambda layer: alive(layer).more.get(what, 0)
        kind, _, what = name.rpartition("_set_")
        if kind in ("gimp_layer", "gimp_item"):
            return lambda layer, value: alive(layer).more.update({what: value})
        raise AttributeError(name)

    def gimp_plugin_enable_precision(self):
        STATE.has_precision = True

    def gimp_plugin_set_pdb_error_handler(self, handler):
        assert handler == PDB_ERROR_HANDLER_PLUGIN

    def gimp_progress_pulse(self):
        STATE.progress.append(None)

    def gimp_progress_set_text(self, text):
        STATE.progress.append(text)
        _act(STATE.scene.get("meanwhile"))

    def gimp_image_new_with_precision(self, width, height, base_type, precision):
        return Image(width, height, base_type, precision)

    def gimp_image_delete(self, image):
        image.is_valid = False

    def gimp_image_is_valid(self, image):
        return int(image.is_valid)

    def gimp_image_get_precision(self, image):
        return image.precision

    def gimp_image_undo_disable(self, image):
        assert image is not STATE.images[0]
        return 1

    def gimp_image_undo_group_start(self, image):
        assert not image.is_grouped
        image.steps.append([])
        image.is_grouped = True

    def gimp_image_undo_group_end(self, image):
        image.is_grouped = False

    def gimp_image_get_item_position(self, image, item):
        return [one for one in image.layers if one.parent is item.parent].index(alive(item))

    def gimp_image_insert_layer(self, image, layer, parent, position):
        assert layer.image is image
        assert not alive(layer).is_inserted
        siblings = [one for one in image.layers if one.parent is parent]
        below = siblings[position] if position < len(siblings) else None
        image.layers.insert(image.layers.index(below) if below else len(image.layers), layer)
        layer.parent, layer.is_inserted = parent, True
        image.note("insert " + layer.name)

    def gimp_item_is_valid(self, item):
        return int(item.is_alive)

    def gimp_item_is_layer_mask(self, item):
        return int(isinstance(item, Channel))

    def gimp_item_get_name(self, item):
        return alive(item).name

    def gimp_item_set_name(self, item, name):
        alive(item).name = name

    def gimp_item_get_parent(self, item):
        return alive(item).parent

    def gimp_item_get_lock_content(self, item):
        return int(alive(item).locked)

    def gimp_item_set_visible(self, item, visible):
        alive(item).visible = visible
        item.image.note("hide " + item.name)

    def gimp_layer_get_mode(self, layer):
        return alive(layer).mode

    def gimp_layer_set_mode(self, layer, mode):
        assert mode != LAYER_MODE_PASS_THROUGH or isinstance(layer, GroupLayer)
        layer.mode = mode
        layer.more = {}  # it is so in GIMP: a mode comes with its own ways of blending

    def gimp_layer_get_opacity(self, layer):
        return alive(layer).opacity

    def gimp_layer_set_opacity(self, layer, opacity):
        layer.opacity = opacity

    def gimp_layer_copy(self, layer, add_alpha):
        assert not layer.mask
        kinds = {RGB_IMAGE: RGBA_IMAGE, GRAY_IMAGE: GRAYA_IMAGE}
        kind = kinds.get(layer.type, layer.type) if add_alpha else layer.type
        return converted(layer, layer.image, kind)

    def gimp_layer_new_from_drawable(self, drawable, image):
        has_alpha = drawable.type in (RGBA_IMAGE, GRAYA_IMAGE)
        kind = {RGB: RGB_IMAGE, GRAY: GRAY_IMAGE}[image.base_type] + has_alpha
        layer = converted(drawable, image, kind)
        if isinstance(drawable, Layer) and drawable.mask:
            layer.mask = Channel(image, "mask", layer.width, layer.height, GRAY_IMAGE)
            layer.mask.set_planes(*drawable.mask.planes())
            layer.mask.is_inserted = True
        return layer

    def gimp_layer_create_mask(self, layer, kind):
        _, alpha = alive(layer).planes()
        mask = Channel(layer.image, layer.name + " mask", layer.width, layer.height, GRAY_IMAGE)
        mask.set_planes([alpha if kind == ADD_ALPHA_MASK else [1.0] * len(alpha)], [])
        return mask

    def gimp_layer_add_mask(self, layer, mask):
        assert alive(mask).image is alive(layer).image
        assert layer.mask is None
        assert (mask.width, mask.height) == (layer.width, layer.height)
        assert mask.pending is None
        assert not mask.is_inserted
        layer.mask, mask.is_inserted = mask, True
        if layer.is_inserted:
            layer.image.note("add mask to " + layer.name)

    def gimp_layer_remove_mask(self, layer, mode):
        assert alive(layer).is_inserted
        if mode == MASK_APPLY:
            planes, alpha = layer.planes()
            (factors,), _ = layer.mask.planes()
            layer.set_planes(planes, [a * f for a, f in zip(alpha, factors)])
        layer.mask.is_valid = False
        layer.mask = None
        layer.image.note("remove mask of " + layer.name)

    def gimp_layer_from_mask(self, mask):
        return next((layer for layer in mask.image.layers if layer.mask is mask), None)


pdb = ProceduralDatabase()


def register(*facts, **more):
    """Note what is registered; GIMP allows no other letters in names."""
    names = [facts[0]] + [param[1] for param in facts[8] + facts[9]]
    assert all(name.replace("-", "").isalnum() for name in names)
    assert all(len(param) > 3 for param in facts[8])
    STATE.registered = {"facts": facts, "menu": more["menu"]}


def main():
    """Play the scene."""
    with open(sys.argv[1]) as file:
        scene = STATE.scene = _native(json.load(file))
    facts = STATE.registered["facts"]
    report = {
        "name": "python-fu-" + facts[0],
        "label": facts[6],
        "image_types": facts[7],
        "menu": STATE.registered["menu"],
        "params": [[param[1], param[3]] for param in facts[8]],
    }
    if "arguments" in scene:
        report.update(_played(scene, facts[10], facts[8]))
    with open(scene["report"], "w") as file:
        json.dump(report, file)


def _played(scene, function, params):
    image = _image(scene)
    chosen = next(layer for layer in image.layers if layer.name == scene["chosen"])
    drawable = chosen.mask if scene.get("chosen_part") == "mask" else chosen
    outcome = {}
    try:
        made = function(image, drawable, *_arguments(scene, params))
        outcome["made"] = made.name
    except CancelError:
        outcome["cancelled"] = True
    except error as reason:
        outcome["error"] = str(reason)
    return dict(outcome, **_told(image))


def _arguments(scene, params):
    """The arguments as gimpfu gives them."""
    if scene.get("dialog"):
        sys.modules["gimpui"] = sys.modules[__name__]
    told = zip(params[2:], scene["arguments"])
    return [_argument(param[0], value, scene.get("dialog")) for param, value in told]


def _argument(kind, value, from_dialog):
    if kind == PF_SPINNER and from_dialog:
        return float(value)
    if kind == PF_TOGGLE and not from_dialog:
        return int(value)
    return value


def _native(told):
    """What JSON tells, with texts as Python 2's own strings have them."""
    if isinstance(told, dict):
        return {_native(name): _native(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_native(value) for value in told]
    return told if isinstance(told, (str, int, float, type(None))) else told.encode("utf-8")


def _image(scene):
    base = {"RGB": RGB, "GRAY": GRAY, "INDEXED": INDEXED}[scene["base"]]
    image = Image(scene["width"], scene["height"], base, _PRECISIONS[scene["depth"]])
    image.floating_selection = scene.get("floating") or None
    for told in scene["layers"]:
        image.layers.insert(0, _layer(image, told))
    image.steps = []
    return image


def _layer(image, told):
    is_group = told["kind"] == "GROUP"
    kind = RGBA_IMAGE if is_group else _KINDS[told["kind"]]
    layer = (GroupLayer if is_group else Layer)(
        image, told["name"], image.width, image.height, kind
    )
    layer.data[:] = base64.b64decode(told["pixels"])
    layer.is_inserted = True
    layer.offsets = tuple(told.get("offsets", (0, 0)))
    layer.opacity, layer.mode = told.get("opacity", 100.0), told.get("mode", LAYER_MODE_NORMAL)
    layer.more = told.get("more", {})
    layer.locked = told.get("locked", False)
    layer.parent = next((one for one in image.layers if one.name == told.get("parent")), None)
    if "mask" in told:
        layer.mask = Channel(image, "mask", layer.width, layer.height, GRAY_IMAGE)
        layer.mask.data[:] = base64.b64decode(told["mask"])
        layer.mask.is_inserted = True
    return layer


def _told(image):
    """What there is in the end, and what was left lying about."""
    mine = [one for one in STATE.images[1:] if one.is_valid]
    stray = [one for one in STATE.drawables if one.is_alive and not one.is_inserted]
    return {
        "layers": [_told_layer(layer) for layer in image.layers if layer.is_alive],
        "steps": image.steps,
        "messages": STATE.messages,
        "progress": STATE.progress,
        "left": len(mine) + len(stray),
    }


def _told_layer(layer):
    assert layer.pending is None
    kinds = {kind: name for name, kind in _KINDS.items()}
    told = {
        name: getattr(layer, name) for name in ("name", "offsets", "opacity", "mode", "visible")
    }
    told.update(kind=kinds[layer.type], more=layer.more, is_group=isinstance(layer, GroupLayer))
    told["parent"] = layer.parent.name if layer.parent else None
    told["pixels"] = base64.b64encode(bytes(layer.data)).decode("ascii")
    told["mask"] = base64.b64encode(bytes(layer.mask.data)).decode("ascii") if layer.mask else None
    return told


def _act(deed):
    """Do what a person does while the worker works."""
    image = STATE.images[0]
    layer = next(layer for layer in image.layers if layer.name == STATE.scene["chosen"])
    if deed == "delete":
        layer.is_valid = False
    elif deed == "resize":
        layer.width -= 1
    elif deed == "convert":
        image.precision = PRECISION_U16_GAMMA
    elif deed == "close":
        image.is_valid = False
