"""`cutaway serve` under load, beside `rembg s` with the same weights.

    python -m tests.benchmarks.service [PART ...] [--data DIR] [--requests N] [--rounds N]
                                       [--many N] [--quick]

The parts are load, overhead and memory; all if none is named. Both services run at their defaults,
each as a process of its own, and take the same 2-megapixel JPEG to a PNG by turns. Every request
carries the picture and its answer the result: to us base64 in the Runware API's JSON, to rembg a
form and the bare file. Latencies are of all rounds together, other figures their median. Where
other work shares the cores, trust the cores' seconds: those of the service's processes alone. The
network's own time rules, so what runs it here is told: onnxruntime, as for rembg, or OpenVINO where
that is installed.

`--quick` asks for less, and takes about six minutes on two cores.
"""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import threading
import time
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import uuid4

import cv2

from cutaway.engine.runtimes.choice import choose
from tests.benchmarks import pairs, processes, table
from tests.benchmarks.peers import rembg_environment, rembg_variables
from tests.fakes.planting import plant
from tests.shared.service.running import served

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MODEL = "u2netp"
_PHOTO = "pairs/carvekit_cat.jpg"
_MEGAPIXELS = 2.0
_JPEG_QUALITY = 92
_PNG = b"\x89PNG\r\n\x1a\n"
_AT_ONCE = (1, 4, 16)
_GOALS = {1: 2.0, 4: 1.5, 16: 1.5}
_WARM_UPS = 2
_PATIENCE = 300.0
_BOUNDARY = "a-boundary-that-no-jpeg-holds"
_AROUND_THE_ENGINE = frozenset({"waiting", "fetching", "storing"})
"""The stages of a task, as the log tells them, that are the service's own."""

_MEGABYTE = 1e6


class Service(Protocol):
    """A service that runs."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    @property
    def process(self) -> int:
        """Its process's id."""
        ...

    @property
    def address(self) -> tuple[str, int]:
        """The host and port where it listens."""
        ...

    def request(self) -> tuple[str, str, bytes]:
        """A new request: its path, content type and body."""
        ...

    def result(self, body: bytes) -> bytes:
        """The picture in an answer."""
        ...


class Load(NamedTuple):
    """What came of some requests.

    Attributes:
        rate: Requests a second.
        cpu: Seconds of all cores together, of the service's processes, for one request.
        latencies: Seconds of each.
    """

    rate: float
    cpu: float
    latencies: list[float]


@dataclass(frozen=True, slots=True)
class Cutaway:
    """Ours; `log` is where it writes a line for each task."""

    process: int
    address: tuple[str, int]
    photo: bytes
    log: Path

    @property
    def name(self) -> str:
        return f"cutaway serve, {choose('auto')}"

    def request(self) -> tuple[str, str, bytes]:
        task = {
            "taskType": "removeBackground",
            "taskUUID": str(uuid4()),
            "model": _MODEL,
            "inputs": {"image": base64.b64encode(self.photo).decode("ascii")},
            "outputType": "base64Data",
            "outputFormat": "PNG",
        }
        return "/v1", "application/json", json.dumps([task]).encode()

    def result(self, body: bytes) -> bytes:
        [item] = json.loads(body)["data"]
        return base64.b64decode(item["imageBase64Data"])

    def engine_seconds(self) -> list[float]:
        """What the engine took for each task so far: decoding, removal and encoding."""
        lines = map(json.loads, self.log.read_text(encoding="utf-8").splitlines())
        stages = [line["milliseconds"] for line in lines if "milliseconds" in line]
        return [
            sum(taken for name, taken in one.items() if name not in _AROUND_THE_ENGINE) / 1e3
            for one in stages
        ]


@dataclass(frozen=True, slots=True)
class Rembg:
    """Theirs."""

    process: int
    address: tuple[str, int]
    photo: bytes

    @property
    def name(self) -> str:
        return "rembg s"

    def request(self) -> tuple[str, str, bytes]:
        def part(more: str) -> bytes:
            return f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{more}'.encode()

        body = b"".join(
            (
                part(f'model"\r\n\r\n{_MODEL}\r\n'),
                part('file"; filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'),
                self.photo,
                f"\r\n--{_BOUNDARY}--\r\n".encode(),
            )
        )
        return "/api/remove", f"multipart/form-data; boundary={_BOUNDARY}", body

    def result(self, body: bytes) -> bytes:
        return body


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part stands on.

    Attributes:
        data: The folder of pictures and weights.
        folder: For what the services keep.
        photo: The JPEG file that all requests carry.
        requests: How many make a round, of each service at each number at once.
        rounds: How often each is measured.
        many: After how many requests memory is looked at.
    """

    data: Path
    folder: Path
    photo: bytes
    requests: int
    rounds: int
    many: int

    @contextmanager
    def services(self) -> Iterator[tuple[Cutaway, Rembg]]:
        """Both, new and warmed up, until the block ends."""
        with self.ours() as ours, self.theirs() as theirs:
            yield ours, theirs

    @contextmanager
    def ours(self) -> Iterator[Cutaway]:
        """Cutaway's service, warmed up."""
        with TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            plant(pairs.weights(self.data), folder / "models", _MODEL)
            with served(folder, models=folder / "models", log=folder / "log") as running:
                address = ("127.0.0.1", int(running.ready["port"]))
                service = Cutaway(running.process.pid, address, self.photo, folder / "log")
                _loaded(service, _WARM_UPS, 1)
                yield service

    @contextmanager
    def theirs(self) -> Iterator[Rembg]:
        """rembg's service, warmed up."""
        port = processes.free_port()
        where = ["--host", "127.0.0.1", "--port", str(port), "--no-ui", "--log_level", "warning"]
        with rembg_variables(pairs.weights(self.data)) as variables:
            # It opens a browser when it starts.
            variables |= {"BROWSER": "true"}
            command = [rembg_environment().command("rembg"), "s", *where]
            with processes.listening(command, port, variables) as process:
                service = Rembg(process, ("127.0.0.1", port), self.photo)
                _loaded(service, _WARM_UPS, 1)
                yield service


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"load": _load, "overhead": _overhead, "memory": _memory}
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    pairs.add_data_option(parser)
    parser.add_argument("--requests", type=int, default=32, metavar="N", help="(default: 32)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("--many", type=int, default=500, metavar="N", help="(default: 500)")
    parser.add_argument("--quick", action="store_true", help="16 requests, 2 rounds, 80 for memory")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    amounts = (16, 2, 80) if given.quick else (given.requests, given.rounds, given.many)
    with TemporaryDirectory() as folder:
        bench = Bench(given.data, Path(folder), _photo(given.data), *amounts)
        for part in given.parts or parts:
            parts[part](bench)


def _load(bench: Bench) -> None:
    """Throughput and latency, by turns."""
    found: dict[tuple[int, str], list[Load]] = defaultdict(list)
    with bench.services() as services:
        for at_once in _AT_ONCE:
            for _ in range(bench.rounds):
                for service in services:
                    loads = found[at_once, service.name]
                    loads.append(_loaded(service, max(bench.requests, at_once), at_once))
    table.head("at once", "service", "requests/s", "p50, s", "p99, s", "core seconds")
    for (at_once, name), loads in found.items():
        rate = statistics.median(load.rate for load in loads)
        latencies = [latency for load in loads for latency in load.latencies]
        spread = f"{_quantile(latencies, 50):.3f}", f"{_quantile(latencies, 99):.3f}"
        cpu = statistics.median(load.cpu for load in loads)
        table.row(str(at_once), name, f"{rate:.2f}", *spread, f"{cpu:.3f}")
    table.head("at once", "requests/s beside rembg's", "goal", "core seconds beside rembg's")
    ours, theirs = (service.name for service in services)
    for at_once in _AT_ONCE:
        turns = list(zip(found[at_once, ours], found[at_once, theirs], strict=True))
        # A round's two turns met the machine in one mood.
        rate = statistics.median(one.rate / other.rate for one, other in turns)
        cpu = statistics.median(one.cpu / other.cpu for one, other in turns)
        table.row(str(at_once), f"{rate:.2f}", f"{_GOALS[at_once]:g}", f"{cpu:.2f}")


def _overhead(bench: Bench) -> None:
    """What a request takes beyond the engine's own work, one at a time."""
    with bench.ours() as service:
        before = len(service.engine_seconds())
        count = bench.requests * bench.rounds
        whole = _loaded(service, count, 1).latencies
        engine = service.engine_seconds()[before:]
    added = [one - other for one, other in zip(whole, engine, strict=True)]
    table.head("one at a time, ms", "p50", "p90", "goal")
    for name, seconds, goal in (
        ("whole", whole, ""),
        ("the engine's", engine, ""),
        ("added", added, "5"),
    ):
        figures = (f"{_quantile(seconds, part) * 1e3:.1f}" for part in (50, 90))
        table.row(name, *figures, goal)


def _memory(bench: Bench) -> None:
    """What the services hold: warm, after many requests one at a time, and after as many at 16."""
    table.head("memory, MB", "warm", *(f"after {bench.many} at {n}" for n in (1, 16)))
    for start in (bench.ours, bench.theirs):
        with start() as service:
            held = [processes.resident(service.process)]
            for at_once in (1, 16):
                _loaded(service, bench.many, at_once)
                held.append(processes.resident(service.process))
        table.row(service.name, *(f"{size / _MEGABYTE:.0f}" for size in held))


def _loaded(service: Service, count: int, at_once: int) -> Load:
    """Send requests from as many threads, each as soon as its last was answered."""
    latencies: list[float] = []
    left = iter(range(count))
    lock = threading.Lock()
    faults: list[BaseException] = []

    def work() -> None:
        try:
            connection = http.client.HTTPConnection(*service.address, timeout=_PATIENCE)
            while not faults:
                with lock:
                    if next(left, None) is None:
                        break
                latencies.append(_asked(connection, service))
            connection.close()
        except (OSError, http.client.HTTPException, SystemExit) as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    begun, worked = time.perf_counter(), processes.cpu_seconds(service.process)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begun
    if faults:
        raise SystemExit(f"{service.name} failed: {faults[0]}")
    cpu = (processes.cpu_seconds(service.process) - worked) / count
    return Load(count / taken, cpu, latencies)


def _asked(connection: http.client.HTTPConnection, service: Service) -> float:
    """Seconds from the first byte that is sent to the last that is received."""
    path, kind, body = service.request()
    begun = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": kind})
    response = connection.getresponse()
    answer = response.read()
    taken = time.perf_counter() - begun
    if response.status != http.client.OK or not service.result(answer).startswith(_PNG):
        raise SystemExit(f"{service.name} answered {response.status}: {answer[:300]!r}")
    return taken


def _photo(data: Path) -> bytes:
    picture = pairs.scaled(pairs.read_rgb(data / _PHOTO), _MEGAPIXELS)
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


def _quantile(seconds: Sequence[float], part: int) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


if __name__ == "__main__":
    main()
