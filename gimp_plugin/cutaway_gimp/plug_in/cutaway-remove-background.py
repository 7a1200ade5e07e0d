#!/usr/bin/env python3
"""Removes the background of layers: what GIMP starts."""

# ruff: noqa: N999  (GIMP wants the folder's name, and no package may have it)

import sys

try:
    import gi

    gi.require_version("Gimp", "3.0")
    gi.require_version("Gegl", "0.4")
    from cutaway_gimp.plug_in.procedure import main
except (ImportError, ValueError, SyntaxError) as error:  # ValueError: another version of GIMP
    sys.exit(f"Cutaway's plug-in can't be loaded: {error}. Install it again: cutaway gimp install")

main()
