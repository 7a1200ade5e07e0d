"""Removes backgrounds on request, with Cutaway or with rembg, in a process of its own.

    python -m tests.benchmarks.worker cutaway|rembg WEIGHTS

It runs in the environment of the one it drives, so it stands on the standard library and on that
one alone. It answers a line when it is ready, then one for each line it reads: requests and answers
are JSON objects, `peers.Request` and `peers.Answer`.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.benchmarks.stages import CutawayStages, RembgStages

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.stages import Laps

_PROCESS = Path("/proc/self")


class _Remover(Protocol):
    def remove(self, request: dict[str, Any]) -> bool:
        """Do it, and tell whether there was a subject."""
        ...

    @property
    def stages(self) -> CutawayStages | RembgStages:
        """What does it stage by stage."""
        ...


def main() -> None:
    """Answer until the input ends."""
    package, weights = sys.argv[1:]
    # What a package prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    remover: _Remover = _Rembg() if package == "rembg" else _Cutaway(Path(weights))
    print(json.dumps({"ready": package}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(remover, json.loads(line))), file=answers, flush=True)


def _answer(remover: _Remover, request: dict[str, Any]) -> dict[str, Any]:
    laps: Laps = {}

    def work() -> bool:
        if not request["apart"]:
            return remover.remove(request)
        laps.update(remover.stages.laps(request["source"], request["target"]))
        return True

    return {**measured(work), "stages": laps}


def measured(work: Callable[[], bool]) -> dict[str, Any]:
    """Do it, and tell what it took, as `peers.Answer`; what it returns is whether it found."""
    _forget_peak()
    resident = memory("VmRSS")
    begun, worked = time.perf_counter(), time.process_time()
    found = work()
    return {
        "found": found,
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - worked,
        "resident": resident,
        "peak": memory("VmHWM"),
    }


class _Cutaway:
    def __init__(self, weights: Path) -> None:
        from cutaway import Client

        self._weights = weights
        self._clients = {"u2netp": Client(weights=weights), "classical": Client()}

    @cached_property
    def stages(self) -> CutawayStages:
        return CutawayStages(self._weights)

    def remove(self, request: dict[str, Any]) -> bool:
        from cutaway.errors import NoSubjectFound

        try:
            self._remove(request)
        except NoSubjectFound:
            return False
        return True

    def _remove(self, request: dict[str, Any]) -> None:
        result = self._clients[request["model"]].remove_background(
            request["source"],
            model=request["model"],
            output=request["output"],
            alpha_matting=request["alpha_matting"],
            refine=request["refine"],
            clean_edges=request["clean_edges"],
        )
        result.save(request["target"], overwrite=True)


class _Rembg:
    """Its weights are in the folder that U2NET_HOME names."""

    def __init__(self) -> None:
        import rembg  # type: ignore[import-not-found]

        self._rembg = rembg
        self._session = rembg.new_session("u2netp", providers=["CPUExecutionProvider"])

    @cached_property
    def stages(self) -> RembgStages:
        return RembgStages(self._session)

    def remove(self, request: dict[str, Any]) -> bool:
        result = self._rembg.remove(
            Path(request["source"]).read_bytes(),
            session=self._session,
            only_mask=request["output"] == "mask",
            alpha_matting=request["alpha_matting"],
            decontaminate=request["clean_edges"],
        )
        Path(request["target"]).write_bytes(result)
        return True


def _forget_peak() -> None:
    """Let VmHWM begin again from what is resident (proc(5), clear_refs)."""
    if (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5", encoding="utf-8")


def memory(name: str) -> int:
    """A field of this process's status, in bytes; 0 where there is no /proc."""
    status = _PROCESS / "status"
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


if __name__ == "__main__":
    main()
