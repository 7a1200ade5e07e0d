"""What runs inside GIMP for the tests: a plug-in that runs the code a test sends.

GIMP starts it twice by itself, as two processes: `main` and `aside`, so that a test can act while
a procedure that it has called still runs. Each calls at its own socket in GIMP's profile and ends
when the test hangs up. A request is a line of JSON, `{"code", "names"}`; the answer is another:
`{"value"}` of the last line if that is an expression, or `{"error"}`. Bytes travel as base64, and
what GIMP has a number for as that number.

The functions without an underscore are there for that code.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp, GLib, GObject  # noqa: E402  (their versions come first)

# The stubs tell what our plug-in uses of these, and tests use more.
_babl: Any = Babl
_gegl: Any = Gegl
_gimp: Any = Gimp
_gobject: Any = GObject

_displays: list[Any] = []


class Server(Gimp.PlugIn):
    """Two procedures that last as long as the test's interest in them."""

    def do_set_i18n(self, _name: str) -> bool:
        return False

    def do_query_procedures(self) -> list[str]:
        return ["cutaway-test-main", "cutaway-test-aside"]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        return Gimp.Procedure.new(self, name, Gimp.PDBProcType.PERSISTENT, self._serve, None)

    def _serve(self, procedure: Gimp.Procedure, *_: object) -> Gimp.ValueArray:
        Gegl.init(None)
        procedure.persistent_ready()
        name = procedure.get_name().rpartition("-")[2]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(Path(_gimp.directory()) / f"{name}.socket"))
            with connection.makefile("rwb") as stream:
                for line in stream:
                    stream.write(_answer(line) + b"\n")
                    stream.flush()
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())


def _answer(line: bytes) -> bytes:
    """What came of a request."""
    request = json.loads(line, object_hook=_decoded)
    try:
        value = _evaluated(request["code"], request["names"])
        return json.dumps({"value": value}, default=_encoded).encode()
    except Exception:  # noqa: BLE001  (whatever the code does, the test shall hear of it)
        return json.dumps({"error": traceback.format_exc()}).encode()


def _evaluated(code: str, names: dict[str, Any]) -> object:
    """The value of the last line; every request has variables of its own."""
    names = {**globals(), **names}
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), names)  # noqa: S102  (it is what this is for)
    if not isinstance(last, ast.Expr):
        return None
    value = compile(ast.Expression(last.value), "<test>", "eval")
    return eval(value, names)  # noqa: S307  (as above)


def _encoded(value: Any) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value.get_id() if hasattr(value, "get_id") else str(value)


def _decoded(value: dict[str, Any]) -> object:
    return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value


def image(number: int) -> Any:
    return _gimp.Image.get_by_id(number)


def item(number: int) -> Any:
    return _gimp.Item.get_by_id(number)


def new_image(width: int, height: int, base: str, precision: str) -> Any:
    """An empty image."""
    kind = getattr(_gimp.ImageBaseType, base)
    return _gimp.Image.new_with_precision(width, height, kind, getattr(_gimp.Precision, precision))


def new_layer(number: int, name: str, size: list[int], offsets: list[int], kind: str) -> Any:
    """A layer that isn't in its image yet."""
    of_kind = getattr(_gimp.ImageType, kind)
    made = _gimp.Layer.new(image(number), name, *size, of_kind, 100, _gimp.LayerMode.NORMAL)
    made.set_offsets(*offsets)
    return made


def insert(layer: int, parent: int | None, position: int) -> None:
    """Put a layer into its image, or into a group there."""
    above = item(parent) if parent else None
    item(layer).get_image().insert_layer(item(layer), above, position)


def write(number: int, data: bytes, layout: str) -> None:
    """Set all pixels of a layer, channel or mask."""
    drawable = item(number)
    size = (drawable.get_width(), drawable.get_height())
    buffer = drawable.get_buffer()
    buffer.set(_gegl.Rectangle.new(0, 0, *size), layout, data)
    buffer.flush()
    drawable.update(0, 0, *size)


def pixels(number: int, layout: str) -> bytes:
    """All pixels of a layer, channel or mask."""
    drawable = item(number)
    whole = _gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return bytes(drawable.get_buffer().get(whole, 1.0, layout, _gegl.AbyssPolicy.NONE))


def call(procedure: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a procedure by the names of its arguments: its status, and its values or its error."""
    found = _gimp.get_pdb().lookup_procedure(procedure)
    config = found.create_config()
    for name, value in arguments.items():
        if name == "drawables":
            config.set_core_object_array(name, [item(number) for number in value])
        else:
            config.set_property(name, _argument(name, value))
    result = found.run(config)
    status, *rest = [_result(result, number) for number in range(result.length())]
    is_done = status == _gimp.PDBStatusType.SUCCESS
    return {
        "status": status.value_nick,
        "error": "" if is_done or not rest else str(rest[0]),
        "values": rest if is_done else [],
    }


def _result(values: Any, number: int) -> Any:
    """One of a procedure's values; an array of GIMP's objects as a list."""
    value = values.index(number)
    is_array = isinstance(value, _gobject.GBoxed)
    return values.get_core_object_array(number) if is_array else value


def _argument(name: str, value: Any) -> Any:
    if name == "image":
        return image(value)
    return getattr(_gimp.RunMode, value) if name == "run-mode" else value


def script_fu(text: str) -> dict[str, Any]:
    """Run Script-Fu as `gimp --batch` does."""
    return call("plug-in-script-fu-eval", {"run-mode": "NONINTERACTIVE", "script": text})


def facts(number: int) -> dict[str, Any]:
    """What a layer, channel or mask is like; a layer also with its mask and children."""
    of = item(number)
    told = {
        "id": number,
        "kind": type(of).__name__,
        "name": of.get_name(),
        "size": [of.get_width(), of.get_height()],
        "offsets": list(of.get_offsets()[1:]),
        "visible": of.get_visible(),
        "format": _babl.format_get_encoding(of.get_format()),
    }
    return {**told, **_facts_of_layer(of)} if isinstance(of, _gimp.Layer) else told


def _facts_of_layer(of: Any) -> dict[str, Any]:
    children = of.get_children() if of.is_group() else []
    return {
        "opacity": of.get_opacity(),
        "mode": of.get_mode().value_nick,
        "mask": of.get_mask(),
        "selected": of in of.get_image().get_selected_layers(),
        "children": [facts(child.get_id()) for child in children],
    }


def layers(number: int) -> list[dict[str, Any]]:
    """The facts of an image's layers, from top to bottom."""
    return [facts(layer.get_id()) for layer in image(number).get_layers()]


def channels(number: int) -> list[dict[str, Any]]:
    """The facts of an image's channels, from top to bottom."""
    return [facts(channel.get_id()) for channel in image(number).get_channels()]


def processes() -> list[str]:
    """The command lines of all processes here, save those that have ended."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode())
    return found


def show(number: int) -> bool:
    """Show an image in a window, if GIMP has one by now."""
    try:
        _displays.append(_gimp.Display.new(image(number)))
    except TypeError:  # there is none yet
        return False
    return True


def hide() -> None:
    """Close what `show` has opened."""
    while _displays:
        _displays.pop().delete()


def clear() -> None:
    """Delete every image."""
    for one in _gimp.get_images():
        one.delete()


if __name__ == "__main__":
    Gimp.main(Server.__gtype__, sys.argv)
