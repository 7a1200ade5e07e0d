"""The procedure that GIMP's menus, Script-Fu and Python call."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gi
from gi.repository import Gegl, Gimp, Gio, GLib, GObject

from cutaway_gimp.plug_in.arguments import ARGUMENTS, WrongArgument, check
from cutaway_gimp.plug_in.failures import Verdict, text_of
from cutaway_gimp.plug_in.layers import Refused, chosen_layers
from cutaway_gimp.plug_in.removal import Removal
from cutaway_gimp.plug_in.telling import Telling
from cutaway_gimp.plug_in.translation import DOMAIN, _
from cutaway_gimp.plug_in.worker_process import (
    Worker,
    WorkerRefused,
    command,
    environment,
    in_flatpak,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cutaway_gimp.plug_in.arguments import Argument

__all__ = ["NAME", "RemoveBackground", "main"]

NAME = "plug-in-cutaway-remove-background"

_WIDEST_INT = 2**31 - 1


class RemoveBackground(Gimp.PlugIn):
    """The plug-in, as GIMP asks for it."""

    def do_set_i18n(self, _name: str) -> tuple[bool, str, None]:
        """Tell GIMP where the translations are: in `locale`, beside the entry file."""
        return True, DOMAIN, None

    def do_query_procedures(self) -> list[str]:
        """Tell GIMP which procedures there are, and where help on them is."""
        self.set_help_domain(DOMAIN, Gio.File.new_for_path(str(_folder() / "help")))
        return [NAME]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """Describe the procedure."""
        Gegl.init(None)
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, _run, None)
        _describe(procedure)
        for argument in ARGUMENTS:
            _add(procedure, argument)
        procedure.add_core_object_array_return_value(
            "new-layers",
            _("New layers"),
            _("What was made: layers, the layers that have a new mask, or channels"),
            Gimp.Drawable.__gtype__,
            GObject.ParamFlags.READWRITE,
        )
        return procedure


def main() -> None:
    """Talk to the GIMP that started this program."""
    Gimp.main(RemoveBackground.__gtype__, sys.argv)


def _folder() -> Path:
    """The plug-in's folder, where its entry file is."""
    return Path(sys.argv[0]).absolute().parent


def _describe(procedure: Gimp.Procedure) -> None:
    procedure.set_image_types("RGB*, GRAY*")
    several = Gimp.ProcedureSensitivityMask.DRAWABLE | Gimp.ProcedureSensitivityMask.DRAWABLES
    procedure.set_sensitivity_mask(several)
    procedure.set_documentation(
        _("Remove the background of the selected layers, without losing anything of them"),
        _(
            "Finds the subject of each layer, on this computer or with a service, and makes of it "
            "a new layer, a mask or a selection, at the layer's full size and precision."
        ),
        NAME,
    )
    procedure.set_menu_label(_("Remove Bac_kground…"))
    procedure.set_attribution("The Cutaway authors", "The Cutaway authors", "2026")
    for path in ("<Image>/Layer/Transparency", "<Image>/Filters/", "<Layers>/Layers Menu"):
        procedure.add_menu_path(path)


def _add(procedure: Gimp.Procedure, argument: Argument) -> None:
    flags = GObject.ParamFlags.READWRITE
    told = (argument.name, _(argument.label), _(argument.help))
    default = argument.default
    if isinstance(default, bool):
        procedure.add_boolean_argument(*told, default, flags)
    elif isinstance(default, int):
        procedure.add_int_argument(*told, -_WIDEST_INT, _WIDEST_INT, default, flags)
    elif isinstance(default, float):
        procedure.add_double_argument(*told, -GLib.MAXDOUBLE, GLib.MAXDOUBLE, default, flags)
    else:
        procedure.add_string_argument(*told, default, flags)


class _Call:
    """One call of the procedure, whoever calls it."""

    def __init__(
        self,
        procedure: Gimp.Procedure,
        image: Gimp.Image,
        drawables: Sequence[Gimp.Drawable],
        config: Gimp.ProcedureConfig,
    ) -> None:
        self.procedure = procedure
        self.image = image
        self.drawables = drawables
        self.config = config
        self.remarks: list[str] = []

    def layers(self, output: str) -> list[Gimp.Layer]:
        return chosen_layers(self.image, self.drawables, output)

    def worker(self) -> Worker:
        words = command(_folder(), sandboxed=in_flatpak())
        return Worker(words, environment(os.environ))

    def checked(self) -> tuple[dict[str, Any], list[Gimp.Layer]]:
        """The arguments, and the layers, as far as it can be known here that they will do."""
        given = {one.name: self.config.get_property(one.name) for one in ARGUMENTS}
        # GIMP hands an empty text over as none.
        values = {name: "" if value is None else value for name, value in given.items()}
        check(values)
        return values, self.layers(values["output"])

    def begin(
        self, worker: Worker, values: dict[str, Any], layers: list[Gimp.Layer]
    ) -> Callable[[], list[Gimp.Item]]:
        """See whether the worker can do it; what is returned then does it."""
        telling = Telling(len(layers))
        removal = Removal(worker, telling, values, self.remarks)
        try:
            removal.begin()
        except BaseException:
            telling.end()
            raise
        return lambda: removal.run(self.image, layers)


def _run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _data: None,
) -> Gimp.ValueArray:
    attended = {
        Gimp.RunMode.INTERACTIVE: _interactively,
        Gimp.RunMode.WITH_LAST_VALS: _with_last_values,
    }
    call = _Call(procedure, image, drawables, config)
    made: list[Gimp.Item] | None = None
    with Verdict() as verdict:
        made = attended.get(run_mode, _unattended)(call)
    Gimp.displays_flush()
    if verdict.text:
        error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), verdict.text, 0)
        return procedure.new_return_values(verdict.status, error)
    if made is None:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    return _returned(procedure, made)


def _interactively(call: _Call) -> list[Gimp.Item] | None:
    """Ask first; None if the answer is no."""
    gi.require_version("GimpUi", "3.0")
    gi.require_version("Gtk", "3.0")
    from cutaway_gimp.plug_in.dialog import Dialog  # needs a display, as no macro does

    layers = call.layers("new-layer")
    with call.worker() as worker:
        dialog = Dialog(call.procedure, call.config, _facts(worker), len(layers))
        while dialog.run():
            try:
                remove = call.begin(worker, *call.checked())
            except (WrongArgument, Refused, WorkerRefused) as error:
                dialog.tell(text_of(error))
                continue
            dialog.close()
            made = remove()
            _tell(call.remarks)
            return made
    return None


def _with_last_values(call: _Call) -> list[Gimp.Item]:
    """Do as the last time, for a person who is looking on."""
    made = _unattended(call)
    _tell(call.remarks)
    return made


def _unattended(call: _Call) -> list[Gimp.Item]:
    """Do as a script says."""
    values, layers = call.checked()
    with call.worker() as worker:
        return call.begin(worker, values, layers)()


def _facts(worker: Worker) -> dict[str, Any]:
    """What the dialog has to know; the bar moves until it is there."""
    telling = Telling(1)
    worker.send({"kind": "facts"})
    facts, _payload = telling.wait(worker)
    telling.end()
    return facts


def _tell(remarks: Sequence[str]) -> None:
    if remarks:
        Gimp.message("\n".join(remarks))


def _returned(procedure: Gimp.Procedure, made: Sequence[Gimp.Item]) -> Gimp.ValueArray:
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    # Python can't make an array of GIMP's objects, but a config does when it is given a list.
    config = procedure.create_config()
    config.set_core_object_array("drawables", made)
    array = config.get_property("drawables")
    values.remove(1)
    values.insert(1, GObject.Value(GObject.type_from_name("GimpCoreObjectArray"), array))
    return values
