"""A service with much to do: its memory, its queue, and its end meanwhile."""

from __future__ import annotations

import io
import os
import signal
import sys
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import PIL.Image
import pytest

from tests.fakes.networks import make_network
from tests.fakes.planting import plant
from tests.pictures import as_file, portrait
from tests.shared.service.running import new_uuid, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shared.service.running import Service

SIZE = (96, 72)
PICTURE = b64encode(as_file(portrait(*SIZE))).decode()
PATIENCE = 60.0
CLIENTS = 4
IN_A_REQUEST = 20
WARM, ALL = 400, 2000
"""Tasks after which a service has all that it needs, and tasks in all."""

MOST_GROWTH = 12 << 20
"""Bytes: 8 KiB a task, while a picture alone has more than that."""

QUEUE = 6
CROWD = 24
ACCEPTED = 'cutaway_tasks_accepted_total{model="u2netp"}'

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with u2netp in it, and no other."""
    folder = tmp_path_factory.mktemp("models")
    plant(make_network(folder / "network.onnx"), folder, "u2netp")
    return folder


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """As many connections to this machine as there are threads."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        yield client


def task(number: int = 0, **more: Any) -> dict[str, Any]:
    """A task in one of the dialects, to be answered in one of the forms."""
    legacy = number % 2
    return {
        "taskType": "imageBackgroundRemoval" if legacy else "removeBackground",
        "taskUUID": new_uuid(),
        "model": "u2netp",
        "outputType": ["base64Data", "URL", "dataURI"][number % 3],
        **({"inputImage": PICTURE} if legacy else {"inputs": {"image": PICTURE}}),
        **more,
    }


def poll(message: dict[str, Any]) -> dict[str, Any]:
    return {"taskType": "getResponse", "taskUUID": message["taskUUID"]}


def resident(service: Service) -> int:
    """Bytes of its memory."""
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10


def work(service: Service, client: httpx.Client, count: int) -> None:
    """Have so many tasks done, some of them asynchronous, and as many as two in vain."""

    def request(begin: int) -> None:
        kept = task(deliveryMethod="async")
        tasks = [task(number) for number in range(begin, begin + IN_A_REQUEST - 2)]
        answer = client.post(service.http, json=[*tasks, kept, task(model="nobody:1@1")]).json()
        assert len(answer["data"]) == len(tasks) + 1
        assert len(answer["errors"]) == 1
        while client.post(service.http, json=[poll(kept)]).json()["data"][0]["status"] != "success":
            pass

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(request, range(0, count, IN_A_REQUEST)))


@LINUX
@pytest.mark.timeout(300)
def test_the_memory_of_a_service_stays_flat_over_two_thousand_tasks(
    tmp_path: Path, models: Path, client: httpx.Client
):
    with served(tmp_path, "--max-queue", "100", models=models) as service:
        work(service, client, WARM)
        before = resident(service)
        work(service, client, ALL - WARM)
        assert resident(service) - before < MOST_GROWTH
        assert client.get(f"{service.page}metrics").text.count("cutaway_queue_depth 0.0") == 1


def test_a_flood_is_refused_with_when_to_come_back_and_what_was_taken_is_done(
    tmp_path: Path, models: Path, client: httpx.Client
):
    with served(tmp_path, "--max-queue", str(QUEUE), models=models) as service:
        messages = [task(number) for number in range(CROWD)]

        def send(message: dict[str, Any]) -> httpx.Response:
            return client.post(service.http, json=[message])

        with ThreadPoolExecutor(CROWD) as pool:
            answers = list(pool.map(send, messages))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < CROWD
        for answer in refused:
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) >= 1
            assert [error["code"] for error in answer.json()["errors"]] == ["rateLimitExceeded"]
        assert client.get(f"{service.page}readyz").status_code == 200
        for message, answer in zip(messages, answers, strict=True):
            if answer in refused:  # its UUID is still free
                assert send(message).status_code == 200


@POSIX
def test_sigterm_under_load_ends_it_once_everything_taken_is_done(
    tmp_path: Path, models: Path, client: httpx.Client
):
    promised = [task(number, deliveryMethod="async") for number in range(CROWD)]
    waited_for = [task(number, outputType="base64Data") for number in range(CROWD)]
    with served(tmp_path, models=models) as service, ThreadPoolExecutor() as pool:
        assert len(client.post(service.http, json=promised).json()["data"]) == CROWD
        answer = pool.submit(client.post, service.http, json=waited_for)
        while f"{ACCEPTED} {2 * CROWD}.0" not in client.get(f"{service.page}metrics").text:
            assert not answer.done()
        assert service.stop(signal.SIGTERM) == 0
        items = answer.result().json()["data"]
    sizes = {PIL.Image.open(io.BytesIO(b64decode(item["imageBase64Data"]))).size for item in items}
    assert (len(items), sizes) == (CROWD, {SIZE})
    with served(tmp_path, models=models) as service:
        answers = client.post(service.http, json=[poll(message) for message in promised]).json()
    assert [item["status"] for item in answers["data"]] == ["success"] * CROWD
