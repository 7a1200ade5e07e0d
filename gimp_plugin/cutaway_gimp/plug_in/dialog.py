"""The dialog: every argument, and what is to be known before the work begins.

Only a call that a person makes imports this, as it needs a display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gi.repository import Babl, Gegl, GimpUi, GObject, Gtk

from cutaway_gimp.plug_in import offers
from cutaway_gimp.plug_in.arguments import ARGUMENTS, OUTPUTS
from cutaway_gimp.plug_in.offers import Offer
from cutaway_gimp.plug_in.translation import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gi.repository import Gimp

__all__ = ["Dialog"]

_SPACING = 6
_BORDER = 12
_SWATCH = 40, 20
_SENTENCE_WIDTH = 56
_WHITE = "#ffffff"
_OPAQUE = b"\xff"

_ARGUMENTS = {argument.name: argument for argument in ARGUMENTS}
_MATTING = tuple(name for name in _ARGUMENTS if name.startswith("alpha-matting-"))


class Dialog:
    """The dialog of one call. Its widgets show the config and change it, in both directions.

    Args:
        procedure: What is called.
        config: Its arguments, as they were the last time.
        facts: The worker's.
        count: How many layers there are.
    """

    def __init__(
        self,
        procedure: Gimp.Procedure,
        config: Gimp.ProcedureConfig,
        facts: Mapping[str, Any],
        count: int,
    ) -> None:
        GimpUi.init(procedure.get_name())
        self._config = config
        self._facts = facts
        self._count = count
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Remove Background"))
        self._rows = Gtk.Grid(
            row_spacing=_SPACING, column_spacing=_BORDER, border_width=_BORDER, hexpand=True
        )
        self._dialog.get_content_area().add(self._rows)
        self._models = _Choice(config, "model")
        self._for_cutouts: list[Gtk.Widget] = []
        self._notice = Gtk.Label(
            wrap=True, xalign=0, max_width_chars=_SENTENCE_WIDTH, selectable=True, can_focus=False
        )
        self._fill_rows()
        config.connect("notify::backend", self._change_backend)
        config.connect("notify", self._keep_up)
        self._keep_up()
        self._rows.show_all()

    def run(self) -> bool:
        """Show it until it is answered; whether to go on."""
        return self._dialog.run()

    def tell(self, text: str) -> None:
        """Say what is wrong with the arguments, above the dialog that has them."""
        message = Gtk.MessageDialog(
            transient_for=self._dialog,
            modal=True,
            message_type=Gtk.MessageType.ERROR,
            buttons=Gtk.ButtonsType.OK,
            text=text,
        )
        message.run()
        message.destroy()

    def close(self) -> None:
        """Take it off the screen, now: what follows takes its time."""
        self._dialog.destroy()
        while Gtk.events_pending():
            Gtk.main_iteration()

    def _fill_rows(self) -> None:
        outputs = _Choice(self._config, "output")
        outputs.offer([Offer(name, _(label)) for name, label in OUTPUTS.items()])
        self._row("output", outputs.widget)
        self._row("backend", self._backend())
        self._row("model", self._models.widget)
        self._across(self._matting())
        self._across(self._tick("post-process-mask"))
        clean_edges = self._tick("clean-edges")
        self._across(clean_edges)
        fill = self._fill()
        self._across(fill)
        self._for_cutouts = [clean_edges, fill]
        self._row("feather", self._number("feather", digits=1))
        self._across(self._notice)

    def _keep_up(self, *_: object) -> None:
        """Show what the arguments now mean."""
        backend, model = self._value("backend"), self._value("model")
        self._models.offer(offers.models(self._facts, backend, model))
        self._notice.set_text(offers.notice(self._facts, backend, model, self._count))
        is_cutout = self._value("output") in _ARGUMENTS["fill"].outputs
        for widget in self._for_cutouts:
            widget.set_sensitive(is_cutout)

    def _change_backend(self, *_: object) -> None:
        """Take no model along that the other backend has and this one hasn't."""
        if not offers.is_offered(self._facts, self._value("backend"), self._value("model")):
            self._config.set_property("model", offers.AUTO)

    def _value(self, name: str) -> str:
        return self._config.get_property(name) or ""  # GIMP has no empty text, but none

    def _row(self, name: str, widget: Gtk.Widget) -> None:
        _add_row(self._rows, name, widget)

    def _across(self, widget: Gtk.Widget) -> None:
        self._rows.attach_next_to(widget, None, Gtk.PositionType.BOTTOM, 2, 1)

    def _tick(self, name: str) -> Gtk.Widget:
        argument = _ARGUMENTS[name]
        tick = GimpUi.prop_check_button_new(self._config, name, _(argument.label))
        tick.set_tooltip_text(_(argument.help))
        return tick

    def _number(self, name: str, digits: int = 0) -> Gtk.Widget:
        spin = GimpUi.prop_spin_button_new(self._config, name, 1, 10, digits)
        value = self._config.get_property(name)
        spin.set_range(_ARGUMENTS[name].lowest, _ARGUMENTS[name].highest)
        spin.set_value(value)
        spin.set_width_chars(6)
        return spin

    def _matting(self) -> Gtk.Widget:
        """The frame with the tick for alpha matting, and its numbers, of use only with it."""
        frame = Gtk.Frame(label_widget=self._tick("alpha-matting"))
        rows = Gtk.Grid(row_spacing=_SPACING, column_spacing=_BORDER, border_width=_BORDER)
        for name in _MATTING:
            _add_row(rows, name, self._number(name))
        self._config.bind_property(
            "alpha-matting", rows, "sensitive", GObject.BindingFlags.SYNC_CREATE
        )
        frame.add(rows)
        return frame

    def _backend(self) -> Gtk.Widget:
        """A choice that also takes an address that is typed."""
        offered = offers.backends(self._facts, self._value("backend"))
        values = {offer.label: offer.value for offer in offered}
        labels = {offer.value: offer.label for offer in offered}
        combo = Gtk.ComboBoxText.new_with_entry()
        for offer in offered:
            combo.append_text(offer.label)
        entry = combo.get_child()
        entry.set_activates_default(True)

        def typed() -> str:
            text = entry.get_text().strip()
            return values.get(text, text)

        def take(*_: object) -> None:
            if typed() != self._value("backend"):
                self._config.set_property("backend", typed())

        def show(*_: object) -> None:
            if typed() != (value := self._value("backend")):
                entry.set_text(labels.get(value, value))

        entry.connect("changed", take)
        self._config.connect("notify::backend", show)
        show()
        return combo

    def _fill(self) -> Gtk.Widget:
        """A tick and a colour for what the config has as one text."""
        argument = _ARGUMENTS["fill"]
        tick = Gtk.CheckButton.new_with_mnemonic(_(argument.label))
        tick.set_tooltip_text(_(argument.help))
        colour = Gegl.Color.new(self._value("fill") or _WHITE)
        kind = GimpUi.ColorAreaType.SMALL_CHECKS
        button = GimpUi.ColorButton.new(_("Fill Colour"), *_SWATCH, colour, kind)
        tick.bind_property("active", button, "sensitive", GObject.BindingFlags.SYNC_CREATE)

        def take(*_: object) -> None:
            chosen = _hexadecimal(button.get_color()) if tick.get_active() else ""
            if chosen != self._value("fill"):
                self._config.set_property("fill", chosen)

        def show(*_: object) -> None:
            value = self._value("fill")
            if value:
                button.set_color(Gegl.Color.new(value))
            tick.set_active(bool(value))

        self._config.connect("notify::fill", show)
        show()
        tick.connect("toggled", take)
        button.connect("color-changed", take)
        box = Gtk.Box(spacing=_BORDER)
        box.add(tick)
        box.add(button)
        return box


class _Choice:
    """A choice among a few values of one argument, which it shows and changes.

    Args:
        config: What has the argument.
        name: The argument's.
    """

    def __init__(self, config: Gimp.ProcedureConfig, name: str) -> None:
        self.widget = Gtk.ComboBoxText()
        self._config = config
        self._name = name
        self._offered: list[Offer] = []
        self.widget.connect("changed", self._take)
        config.connect(f"notify::{name}", self._show)

    def offer(self, offered: list[Offer]) -> None:
        """Offer these, if they aren't offered already."""
        if offered != self._offered:
            self._offered = offered
            self.widget.remove_all()
            for offer in offered:
                self.widget.append(offer.value, offer.label)
        self._show()

    def _show(self, *_: object) -> None:
        self.widget.set_active_id(self._config.get_property(self._name))

    def _take(self, *_: object) -> None:
        chosen = self.widget.get_active_id()  # None while others come to be offered
        if chosen is not None and chosen != self._config.get_property(self._name):
            self._config.set_property(self._name, chosen)


def _add_row(rows: Gtk.Grid, name: str, widget: Gtk.Widget) -> None:
    """Put a widget below the last one of the grid, with its label before it."""
    argument = _ARGUMENTS[name]
    label = Gtk.Label.new_with_mnemonic(_(argument.label))
    label.set_mnemonic_widget(widget)
    label.set_xalign(0)
    widget.set_tooltip_text(_(argument.help))
    widget.set_hexpand(True)
    rows.attach_next_to(label, None, Gtk.PositionType.BOTTOM, 1, 1)
    rows.attach_next_to(widget, label, Gtk.PositionType.RIGHT, 1, 1)


def _hexadecimal(colour: Gegl.Color) -> str:
    """#rrggbb, and the opacity too where it isn't full."""
    parts = colour.get_bytes(Babl.format("R'G'B'A u8")).get_data()
    shown = parts[:3] if parts.endswith(_OPAQUE) else parts
    return f"#{shown.hex()}"
