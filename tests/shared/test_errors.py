from __future__ import annotations

import pickle
import re

import pytest

from cutaway import errors

PUBLIC = [getattr(errors, name) for name in errors.__all__]
CLASSES = [one for one in PUBLIC if issubclass(one, Exception)]


def test_the_drawn_tree_is_the_real_one():
    drawn = re.findall(r"^    ([ │├└─]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    path: list[str] = []
    for branch, name in drawn:
        del path[len(branch) // 4 :]
        assert [base.__name__ for base in getattr(errors, name).__mro__[1:2]] == (
            path[-1:] or ["Exception"]
        )
        path.append(name)
    assert sorted(name for _, name in drawn) == sorted(one.__name__ for one in CLASSES)


def test_every_error_has_a_code_of_its_own():
    codes = [one.code for one in CLASSES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("one", CLASSES)
def test_a_message_says_what_why_and_what_next_and_survives_pickling(
    one: type[errors.CutawayError],
):
    error = one("it broke", "it was old", "Buy another")
    assert str(error) == "it broke: it was old. Buy another."
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
    assert (copy.what, copy.why, copy.next_step) == ("it broke", "it was old", "Buy another")


def test_a_message_without_a_reason_has_no_empty_one():
    assert str(errors.InputError("it broke", next_step="Mend it")) == "it broke. Mend it."
