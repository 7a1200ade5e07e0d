# ruff: noqa: INP001  (a script, which the bundle's host runs by its path)
"""What the MCPB bundle starts: the server of the package that is installed beside it."""

from __future__ import annotations

import sys

from cutaway_mcp.command import main

sys.exit(main())
