from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cutaway.service.metrics import Watch
from tests.pictures import as_file, portrait
from tests.shared.service.running import new_uuid, served

if TYPE_CHECKING:
    from pathlib import Path


def numbers(text: str) -> dict[str, float]:
    """What an exposition tells: each sample's name with its labels, and its value."""
    return {
        f"{one.name}{json.dumps(one.labels) if one.labels else ''}": one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def told(watch: Watch) -> dict[str, float]:
    content, kind = watch.exposition()
    assert kind.startswith("text/plain; version=")
    return numbers(content.decode())


def finish(watch: Watch, *, model: str = "u2netp", outcome: str = "success") -> None:
    watch.finished(
        task_uuid=new_uuid(),
        model=model,
        outcome=outcome,
        seconds={"waiting": 0.25, "finding the subject": 0.5},
        bytes_in=1000,
        bytes_out=300,
    )


def test_tasks_are_counted_by_model_and_outcome() -> None:
    watch = Watch()
    watch.accepted("u2netp")
    finish(watch)
    finish(watch)
    finish(watch, outcome="invalidInputImage")

    found = told(watch)

    assert found['cutaway_tasks_accepted_total{"model": "u2netp"}'] == 1
    assert found['cutaway_tasks_total{"model": "u2netp", "outcome": "success"}'] == 2
    assert found['cutaway_tasks_total{"model": "u2netp", "outcome": "invalidInputImage"}'] == 1
    assert found['cutaway_bytes_total{"direction": "in"}'] == 3000
    assert found['cutaway_bytes_total{"direction": "out"}'] == 900


def test_the_latency_is_the_sum_of_the_stages_and_each_stage_has_its_own() -> None:
    watch = Watch()
    finish(watch)

    found = told(watch)

    assert found['cutaway_task_seconds_sum{"model": "u2netp"}'] == 0.75
    assert found['cutaway_task_seconds_bucket{"le": "0.5", "model": "u2netp"}'] == 0
    assert found['cutaway_task_seconds_bucket{"le": "1.0", "model": "u2netp"}'] == 1
    assert found['cutaway_stage_seconds_sum{"stage": "waiting"}'] == 0.25


def test_the_depth_is_asked_for_when_it_is_read() -> None:
    watch = Watch()
    queue: list[str] = []
    watch.follow(lambda: len(queue))
    assert told(watch)["cutaway_queue_depth"] == 0
    queue.append("a task")
    assert told(watch)["cutaway_queue_depth"] == 1


def test_what_strangers_call_a_model_makes_no_label() -> None:
    watch = Watch()
    for model in ("made up", "", "classical", "runware:112@2"):
        finish(watch, model=model)
    found = {name for name in told(watch) if name.startswith("cutaway_task_seconds_count")}
    assert found == {
        'cutaway_task_seconds_count{"model": "other"}',
        'cutaway_task_seconds_count{"model": "classical"}',
        'cutaway_task_seconds_count{"model": "birefnet-cod"}',
    }


def test_two_services_in_a_process_count_apart() -> None:
    one, other = Watch(), Watch()
    finish(one)
    assert "cutaway_tasks_total" in str(told(one))
    assert 'cutaway_tasks_total{"model"' not in str(told(other))


def test_a_service_shows_its_numbers_to_whoever_has_the_key_and_its_health_to_all(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(as_file(portrait(64, 48)))
    with served(tmp_path, key="open-sesame") as service:
        stored = service.item(
            {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": data_uri(picture)}
        )
        removal = {"taskType": "removeBackground", "model": "classical"}
        image = {"inputs": {"image": stored["imageUUID"]}}
        service.item({**removal, **image, "taskUUID": new_uuid()})

        found = numbers(service.get("/metrics", headers=service.headers).text)

        assert found['cutaway_tasks_total{"model": "classical", "outcome": "success"}'] == 1
        assert found["cutaway_queue_depth"] == 0
        assert found["process_resident_memory_bytes"] > 0
        assert service.get("/metrics").status_code == httpx.codes.UNAUTHORIZED
        assert service.get("/healthz").json() == {"status": "ok"}
        assert service.get("/readyz").json() == {"status": "ready"}


def data_uri(picture: Path) -> str:
    import base64

    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
