"""What keeps the service's own share of an answer's time small."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from cutaway.service.answers import written
from cutaway.service.configuration import Configuration
from cutaway.service.hosting import listening

if TYPE_CHECKING:
    from pathlib import Path


def test_no_piece_of_an_answer_waits_for_the_one_before_it_to_be_acknowledged(tmp_path: Path):
    """Asyncio sets TCP_NODELAY where a socket says that it is TCP's; else 40 ms are lost."""
    sockets = listening(Configuration(port=0, folder=tmp_path))
    try:
        assert {one.proto for one in sockets} == {socket.IPPROTO_TCP}
    finally:
        for one in sockets:
            one.close()


@pytest.mark.parametrize(
    "text",
    ["", "iVBORw0KGgo=", 'a "quoted" \\ \n \x00 \x7f', "Grün, 木, 🙂", "half of one: \ud83d"],
)
def test_an_answer_is_the_json_that_every_reader_takes_whatever_is_in_it(text: str):
    message = {"data": [{"imageBase64Data": text, "cost": 0.0006, "status": None, "ok": True}]}
    assert json.loads(written(message)) == message
