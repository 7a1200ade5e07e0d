"""A process of its own that pulls the tiny model and tells each thing it does.

    python -m tests.fakes.puller URL MODELS_DIR SIZE

It prints `asked` whenever it asks whether to stop, `share S` for each report, and `done WHERE`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cutaway.engine.download import pull
from cutaway.engine.store import ModelStore
from cutaway.progress import Cancellation, Progress
from tests.fakes.tiny_model import body_of, tiny_model


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class TalkativeCancellation(Cancellation):
    def check(self) -> None:
        tell("asked")
        super().check()


def main() -> None:
    url, models_dir, size = sys.argv[1:]
    progress = Progress(lambda step: tell(f"share {step.share}"), TalkativeCancellation())
    installed = pull(
        tiny_model(body_of(int(size))),
        ModelStore(Path(models_dir)),
        base_url=url,
        progress=progress,
    )
    tell(f"done {installed.where}")


if __name__ == "__main__":
    main()
