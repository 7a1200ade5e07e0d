from __future__ import annotations

import base64
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from cutaway.service.journal import journal, public
from cutaway.service.metrics import Watch
from tests.pictures import as_file, portrait
from tests.shared.service.running import new_uuid, served

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger("cutaway.service")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_task_is_one_line_with_its_facts() -> None:
    stream = io.StringIO()
    with journal(stream):
        Watch().finished(
            task_uuid="5b0b5d2e-6d1f-4c1e-9a55-2f0a6f1f8a11",
            model="u2netp",
            outcome="success",
            seconds={"waiting": 0.0012, "encoding": 0.5},
            bytes_in=12,
            bytes_out=34,
        )
    [line] = lines(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "cutaway.service",
        "event": "task finished",
        "taskUUID": "5b0b5d2e-6d1f-4c1e-9a55-2f0a6f1f8a11",
        "model": "u2netp",
        "outcome": "success",
        "milliseconds": {"waiting": 1.2, "encoding": 500.0},
        "bytesIn": 12,
        "bytesOut": 34,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("to https://a.example/x?token=1&b=2: no", "to https://a.example/x?… no"),
        ("'http://me:secret@a.example:81/x'", "'http://a.example:81/x'"),
        ("wss://a.example?key=1", "wss://a.example?…"),
        ("data:image/png;base64,iVBORw0KGgo= ends", "data:… ends"),
        ("what? nothing", "what? nothing"),
    ],
)
def test_queries_users_and_pictures_are_left_out(text: str, told: str) -> None:
    assert public(text) == told


def open_nothing(url: str) -> None:
    raise RuntimeError(url)


def test_a_failure_is_one_line_too_with_its_traceback() -> None:
    stream = io.StringIO()
    with journal(stream):
        try:
            open_nothing("https://a.example/?token=1\nand more")
        except RuntimeError:
            LOG.exception("it broke\nhere")
    [line] = lines(stream.getvalue())
    assert line["level"] == "error"
    assert line["event"] == "it broke\nhere"
    assert "RuntimeError: https://a.example/" in line["traceback"]
    assert "token" not in line["traceback"]


def test_facts_cannot_pass_themselves_off_as_another_line() -> None:
    stream = io.StringIO()
    with journal(stream):
        LOG.info(
            "task finished", extra={"facts": {"level": "error", "model": "\N{LINE SEPARATOR}"}}
        )
    text = stream.getvalue()
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert lines(text)[0]["level"] == "info"


def test_logging_is_as_it_was_afterwards() -> None:
    before = (LOG.level, LOG.propagate, list(LOG.handlers))
    with journal(io.StringIO()):
        pass
    assert (LOG.level, LOG.propagate, list(LOG.handlers)) == before


def test_a_services_log_has_a_line_for_each_task_and_no_picture_key_or_token(
    tmp_path: Path,
) -> None:
    log, picture = tmp_path / "log", base64.b64encode(as_file(portrait(64, 48))).decode()
    removal = {"taskType": "removeBackground", "model": "classical", "outputType": "base64Data"}
    cut_off = base64.b64encode(base64.b64decode(picture)[:200]).decode()
    good, bad = new_uuid(), new_uuid()
    refused = {"webhookURL": "http://127.0.0.1:9/done?token=xyzzy"}
    with served(tmp_path, key="open-sesame", log=log) as service:
        service.item({**removal, "taskUUID": good, "inputs": {"image": picture}})
        service.post({**removal, "taskUUID": bad, "inputs": {"image": cut_off}})
        service.post({**removal, **refused, "taskUUID": new_uuid(), "inputs": {"image": picture}})
        service.stop()

    text = log.read_text(encoding="utf-8")
    tasks = {line["taskUUID"]: line for line in lines(text) if line["event"] == "task finished"}
    assert tasks[good]["outcome"] == "success"
    assert tasks[good]["bytesIn"] == len(base64.b64decode(picture))
    assert set(tasks[good]["milliseconds"]) >= {"waiting", "decoding", "encoding"}
    assert tasks[bad]["outcome"] == "invalidInputImage"
    for secret in ("open-sesame", "xyzzy", picture[40:80]):
        assert secret not in text
