"""The procedure's arguments are the core's options, under the core's limits."""

from __future__ import annotations

from typing import Any

import pytest
from annotated_types import Ge, Le

from cutaway import RemovalOptions
from cutaway_gimp.plug_in.arguments import ARGUMENTS, CUTOUTS, OUTPUTS, begin_frame, check

DEFAULTS: dict[str, Any] = {argument.name: argument.default for argument in ARGUMENTS}
OPTIONS = [argument for argument in ARGUMENTS if argument.option]
NUMBERS = [argument for argument in ARGUMENTS if argument.highest]


@pytest.mark.parametrize("argument", OPTIONS, ids=lambda argument: argument.name)
def test_what_is_left_out_is_as_the_core_has_it(argument: Any):
    assert argument.default == RemovalOptions.model_fields[argument.option].default
    assert argument.option == argument.name.replace("-", "_")


@pytest.mark.parametrize("argument", NUMBERS, ids=lambda argument: argument.name)
def test_a_number_has_the_limits_that_the_core_has(argument: Any):
    limits = RemovalOptions.model_fields[argument.option].metadata
    assert [one.ge for one in limits if isinstance(one, Ge)] == [argument.lowest]
    assert [one.le for one in limits if isinstance(one, Le)] == [argument.highest]


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_core_takes_what_the_worker_is_asked_for(output: str):
    asked = begin_frame({**DEFAULTS, "output": output, "feather": 2.5, "model": "u2net"})
    options = RemovalOptions.parse(asked["options"])
    assert (options.feather, options.model) == (2.5, "u2net")
    assert options.clean_edges is (output in CUTOUTS)
    assert (asked["kind"], asked["backend"], asked["fill"]) == ("begin", "local", "")


@pytest.mark.parametrize("argument", NUMBERS, ids=lambda argument: argument.name)
def test_the_limits_themselves_are_taken(argument: Any):
    for limit in (argument.lowest, argument.highest):
        check({**DEFAULTS, argument.name: limit})
