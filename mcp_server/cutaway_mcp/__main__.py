"""`python -m cutaway_mcp` is `cutaway-mcp`."""

from __future__ import annotations

import sys

from cutaway_mcp.command import main

if __name__ == "__main__":
    sys.exit(main())
