"""The tools as agents see them, kept under version control: a change is seen in review.

Where one is meant, this writes the snapshot anew:

    python -m tests.mcp_server.test_tools_snapshot
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import anyio
import pytest

from tests.mcp_server.offers import offered

SNAPSHOT = Path(__file__).parent / "snapshots" / "tools.json"


async def current(era: str = "2026-07-28") -> str:
    """The tools, in their order, as the snapshot has them. Eras order the keys differently."""
    return json.dumps(await offered(era), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@pytest.mark.anyio
async def test_the_tools_are_those_of_the_snapshot(era: str) -> None:
    kept, now = SNAPSHOT.read_text(encoding="utf-8"), await current(era)
    drift = difflib.unified_diff(kept.splitlines(), now.splitlines(), "snapshot", "now", n=6)
    assert kept == now, (
        "the tools are not what they were; if that is meant, run"
        " python -m tests.mcp_server.test_tools_snapshot\n" + "\n".join(drift)
    )


if __name__ == "__main__":
    SNAPSHOT.write_text(anyio.run(current), encoding="utf-8")
