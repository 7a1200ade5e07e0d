"""Our server with the conformance suite's fixtures, or `--bare` without them, on a free port.

It is the product's factory, its guards and its transport: only the fixtures are the suite's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cutaway_mcp import Policy, create_server
from cutaway_mcp.http import serve
from tests.mcp_server.conformance.asking import add_questions
from tests.mcp_server.conformance.changing import add_changes
from tests.mcp_server.conformance.contents import add_contents


def main() -> None:
    server = create_server(policy=Policy(allow_dirs=(Path.cwd(),)))
    if "--bare" not in sys.argv:
        add_contents(server)
        add_questions(server)
        add_changes(server)
    serve(server, port=0)


if __name__ == "__main__":
    main()
