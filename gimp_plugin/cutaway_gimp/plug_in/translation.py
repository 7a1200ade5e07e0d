"""The person's own language, as GIMP is set to it."""

from __future__ import annotations

__all__ = ["DOMAIN", "N_", "_"]

DOMAIN = "cutaway"
"""What the catalogues are called: locale/LANGUAGE/LC_MESSAGES/cutaway.mo beside the entry file."""


def _(text: str) -> str:
    """Translate a text, which must be a literal where this is called, or where `N_` is."""
    from gi.repository import GLib  # tables of texts are read where there is no GIMP, too

    return GLib.dgettext(None, text)


def N_(text: str) -> str:  # noqa: N802  (what gettext's tools look for)
    """Mark a text that is translated later, where it is shown."""
    return text
