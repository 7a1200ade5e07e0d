"""Tables of figures, in Markdown, printed row by row as they come."""

from __future__ import annotations

__all__ = ["head", "row"]


def head(*cells: str) -> None:
    """Begin a table."""
    print(f"\n| {' | '.join(cells)} |\n|{'---|' * len(cells)}", flush=True)


def row(*cells: str) -> None:
    """Go on with it."""
    print(f"| {' | '.join(cells)} |", flush=True)
