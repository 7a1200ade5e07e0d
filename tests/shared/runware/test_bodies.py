"""That a message, picture and all, is written as the JSON it is."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.runware.transport import body_of

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_LONG_TEXTS = st.builds(lambda text, times: text * times, _TEXTS, st.sampled_from([1, 300, 3000]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _LONG_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_any_message_is_read_as_it_was_written(message: dict[str, Any]) -> None:
    assert json.loads(body_of(message)) == [message]


@pytest.mark.parametrize("special", ['"', "\\", "\n", "\0", "\x7f", "ä", "🙂", "}"])
def test_a_long_text_keeps_what_json_must_escape(special: str) -> None:
    picture = "A" * 5000 + special + "B" * 5000
    message = {"inputs": {"image": picture}, "media": picture, "note": special}
    assert json.loads(body_of(message)) == [message]


def test_a_body_is_let_go_as_soon_as_no_one_needs_it() -> None:
    message = {"inputs": {"image": "A" * 1_000_000}}
    gc.disable()  # what waits for the collector would pile up, task by task
    tracemalloc.start()
    try:
        for _ in range(5):
            body_of(message)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < 100_000
