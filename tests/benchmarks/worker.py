"""Removes backgrounds on request, with Cutaway or with rembg, in a process of its own.

    python worker.py cutaway|rembg WEIGHTS

It is run as a script in the environment of the one it drives, so it stands on the standard
library and on that one alone. It answers a line when it is ready, then one for each line it reads:
requests and answers are JSON objects, `peers.Request` and `peers.Answer`.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Remover = Callable[[dict[str, Any]], bool]

_PROCESS = Path("/proc/self")


def main() -> None:
    """Answer until the input ends."""
    package, weights = sys.argv[1:]
    # What a package prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    remove = {"cutaway": _cutaway, "rembg": _rembg}[package](weights)
    print(json.dumps({"ready": package}), file=answers, flush=True)
    for line in sys.stdin:
        answer = measured(partial(remove, json.loads(line)))
        print(json.dumps(answer), file=answers, flush=True)


def measured(work: Callable[[], bool]) -> dict[str, Any]:
    """Do it, and tell what it took, as `peers.Answer`; what it returns is whether it found."""
    _forget_peak()
    resident = _memory("VmRSS")
    begun, worked = time.perf_counter(), time.process_time()
    found = work()
    return {
        "found": found,
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - worked,
        "resident": resident,
        "peak": _memory("VmHWM"),
    }


def _cutaway(weights: str) -> Remover:
    from cutaway import Client
    from cutaway.errors import NoSubjectFound

    clients = {"u2netp": Client(weights=weights), "classical": Client()}

    def remove(request: dict[str, Any]) -> bool:
        try:
            result = clients[request["model"]].remove_background(
                request["source"],
                model=request["model"],
                output=request["output"],
                alpha_matting=request["alpha_matting"],
                clean_edges=request["clean_edges"],
            )
        except NoSubjectFound:
            return False
        result.save(request["target"], overwrite=True)
        return True

    return remove


def _rembg(weights: str) -> Remover:
    """The weights are in the folder that U2NET_HOME names."""
    import rembg  # type: ignore[import-not-found]

    del weights
    session = rembg.new_session("u2netp", providers=["CPUExecutionProvider"])

    def remove(request: dict[str, Any]) -> bool:
        result = rembg.remove(
            Path(request["source"]).read_bytes(),
            session=session,
            only_mask=request["output"] == "mask",
            alpha_matting=request["alpha_matting"],
            decontaminate=request["clean_edges"],
        )
        Path(request["target"]).write_bytes(result)
        return True

    return remove


def _forget_peak() -> None:
    """Let VmHWM begin again from what is resident (proc(5), clear_refs)."""
    if (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5", encoding="utf-8")


def _memory(name: str) -> int:
    """A field of this process's status, in bytes; 0 where there is no /proc."""
    status = _PROCESS / "status"
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


if __name__ == "__main__":
    main()
