from typing import ClassVar

from gi.repository import Gegl, Gimp, GObject, Gtk

class ColorAreaType(GObject.GEnum):
    SMALL_CHECKS: ClassVar[ColorAreaType]

class ColorButton(Gtk.Widget):
    @staticmethod
    def new(
        title: str, width: int, height: int, color: Gegl.Color, kind: ColorAreaType
    ) -> ColorButton: ...
    def get_color(self) -> Gegl.Color: ...
    def set_color(self, color: Gegl.Color) -> None: ...

class ProcedureDialog(Gtk.Dialog):
    @staticmethod
    def new(
        procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, title: str | None
    ) -> ProcedureDialog: ...
    def run(self) -> bool: ...

def init(prog_name: str) -> None: ...
def prop_check_button_new(
    config: GObject.Object, property_name: str, label: str | None
) -> Gtk.CheckButton: ...
def prop_spin_button_new(
    config: GObject.Object,
    property_name: str,
    step_increment: float,
    page_increment: float,
    digits: int,
) -> Gtk.SpinButton: ...
