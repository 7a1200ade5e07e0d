"""What is promised outlives the service, whenever it is killed."""

from __future__ import annotations

import json
import random
import threading
import time
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from cutaway.progress import Cancellation
from cutaway.runware.tasks import decode
from cutaway.service.configuration import Configuration
from cutaway.service.removing import Remover
from cutaway.settings import Settings
from tests.fakes.networks import make_network
from tests.fakes.planting import plant
from tests.pictures import as_file, portrait
from tests.shared.service.crowd import Crowd, Errand
from tests.shared.service.receiver import Receiver
from tests.shared.service.running import served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shared.service.receiver import Taken
    from tests.shared.service.running import Service

KILLS, MOST_TASKS = 20, 40
SEED = 7
SIZES = [(48, 36), (40, 40), (36, 56), (64, 32)]
PICTURES = [as_file(portrait(*size, seed=seed)) for seed, size in enumerate(SIZES)]
AT_ONE_RECEIVER = 4
LIMIT = 60.0
"""Seconds until what was promised must be done."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with u2netp in it, and no other."""
    folder = tmp_path / "models"
    folder.mkdir()
    plant(make_network(tmp_path / "network.onnx"), folder, "u2netp")
    return folder


def cutouts(models: Path, errand: Errand) -> list[bytes]:
    """What the engine by itself makes of each picture."""
    remover = Remover(Configuration(), Settings.load(models_dir=models))
    task, _ = decode(errand.message)
    try:
        return [remover.remove(task, picture, Cancellation()).data for picture in PICTURES]
    finally:
        remover.close()


@dataclass(frozen=True)
class Customer:
    """Who comes back for what was promised, with one connection for all of it."""

    service: Service
    client: httpx.Client

    def settled(self, errand: Errand) -> dict[str, Any]:
        """The answer to a poll for a task that was accepted, once it is done."""
        poll = {"taskType": "getResponse", "taskUUID": errand.uuid}
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            [item] = self.client.post(self.service.http, json=[poll]).json()["data"]
            if item["status"] != "processing":
                return dict(item)
        raise AssertionError(f"{errand.uuid} is not done in {LIMIT} s")

    def result(self, errand: Errand) -> bytes:
        """What is got of a task that was accepted."""
        item = self.settled(errand)
        assert item["status"] == "success"
        if errand.message["outputType"] == "base64Data":
            return b64decode(item["imageBase64Data"], validate=True)
        place = urlsplit(item["imageURL"])  # of a service that had another port
        answer = self.client.get(self.service.page + place.path.removeprefix("/"))
        assert answer.status_code == 200
        return answer.content

    def code_of_another(self, errand: Errand) -> str:
        """How a second task of the same UUID is answered."""
        response = self.client.post(self.service.http, json=[errand.message])
        assert response.status_code == 400
        [error] = response.json()["errors"]
        assert error["taskUUID"] == errand.uuid
        return str(error["code"])


def check_webhooks(crowd: Crowd, receiver: Receiver) -> None:
    """Each came at its own target with its own result, and hardly any more often than it must."""
    hooked = {errand.target: errand for errand in crowd.errands if errand.target}
    least = Counter({target: 1 + errand.troubled for target, errand in hooked.items()})
    while missing := (
        least - Counter(taken.target for taken in receiver.received)
        or Counter(hooked.keys()) - Counter(taken.target for taken in whole(receiver))
    ):
        receiver.wait(len(receiver.received) + missing.total())
    assert {taken.target for taken in receiver.received} == hooked.keys()
    for taken in whole(receiver):
        assert json.loads(taken.body)["taskUUID"] == hooked[taken.target].uuid
    assert len(receiver.received) <= least.total() + KILLS * AT_ONE_RECEIVER


def whole(receiver: Receiver) -> list[Taken]:
    """What came, without what was cut off as the service was killed."""
    return [
        taken
        for taken in receiver.received
        if len(taken.body) == int(taken.headers["Content-Length"])
    ]


@pytest.mark.timeout(300)
def test_nothing_accepted_is_lost_though_the_service_is_killed_twenty_times_under_load(
    tmp_path: Path, models: Path
):
    chance = random.Random(SEED)  # noqa: S311  (chance that can be repeated)
    log = tmp_path / "log"
    serving = partial(served, tmp_path, "--allow-private-network", models=models, log=log)
    with Receiver() as receiver, Crowd(PICTURES, receiver, SEED) as crowd:
        for _ in range(KILLS):
            with serving() as service:
                crowd.meet(service)
                crowd.wait(chance.randint(0, MOST_TASKS))
                threading.Event().wait(chance.uniform(0, 0.03))  # in the middle of anything
                service.kill()
        with serving() as service:
            crowd.meet(service)
            crowd.go_home()
            expected = cutouts(models, crowd.errands[0])
            with httpx.Client(trust_env=False, timeout=LIMIT) as client:
                customer = Customer(service, client)
                for errand in crowd.errands:
                    assert customer.result(errand) == expected[errand.picture]
                    assert customer.code_of_another(errand) == "conflictTaskUUID"
            check_webhooks(crowd, receiver)
    assert len(crowd.errands) > KILLS
    assert "Traceback" not in log.read_text(encoding="utf-8")
