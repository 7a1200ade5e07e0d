"""What the dialog offers and says of the worker's facts, in GIMP's own Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.gimp_plugin import inside

if TYPE_CHECKING:
    from tests.gimp_plugin.console import Console

WARNED = "Nothing leaves this computer. No model is installed"


def model(
    name: str, *, installed: bool = True, remote: bool = False, **more: Any
) -> dict[str, Any]:
    """A model that can run here, if nothing else is told."""
    usual = {"title": name.title(), "good_for": "", "local": True, "price": None}
    return {"name": name, "installed": installed, "remote": remote, **usual, **more}


CLASSICAL = model("classical", good_for="plain backgrounds")
SMALL = model("small", installed=False, good_for="most subjects, quickly")
BOTH = model("both", remote=True, price="0.0006")
AWAY = model("away", remote=True, local=False, installed=False)
FACTS = {
    "settings_backend": "local",
    "key_found": True,
    "remote_auto": "both",
    "models": [CLASSICAL, SMALL, BOTH, AWAY],
}
BARE = {**FACTS, "models": [CLASSICAL, SMALL, AWAY]}


def asked(gimp: Console, call: str, **names: object) -> Any:
    return inside.run(gimp, f"from cutaway_gimp.plug_in import offers\noffers.{call}", **names)


def notice(gimp: Console, backend: str, chosen: str, count: int = 1, **facts: Any) -> str:
    told = {**FACTS, **facts}
    names = {"facts": told, "backend": backend, "chosen": chosen, "count": count}
    return str(asked(gimp, "notice(facts, backend, chosen, count)", **names))


@pytest.mark.parametrize(
    ("settings_backend", "current", "offered"),
    [
        ("local", "local", ["local", "runware"]),
        ("runware", "local", ["local", "runware"]),
        ("https://b.example", "https://a.example", ["https://a.example", "https://b.example"]),
        ("https://b.example", "https://b.example", ["https://b.example"]),
    ],
)
def test_this_computer_runware_and_addresses_in_use_are_offered(
    gimp: Console, settings_backend: str, current: str, offered: list[str]
):
    facts = {**FACTS, "settings_backend": settings_backend}
    found = asked(gimp, "backends(facts, current)", facts=facts, current=current)
    addresses = [address for address in offered if "://" in address]
    assert [value for value, _ in found] == ["local", "runware", *addresses]


def test_the_models_of_this_computer_are_offered_with_what_they_are_good_for(gimp: Console):
    found = asked(gimp, "models(facts, 'local', 'auto')", facts=FACTS)
    assert found == [
        ["auto", "Automatic"],
        ["classical", "Classical: plain backgrounds"],
        ["small", "Small: most subjects, quickly (not installed)"],
        ["both", "Both"],
    ]


def test_the_models_of_a_service_are_offered_whether_or_not_they_are_here(gimp: Console):
    found = asked(gimp, "models(facts, 'https://a.example', 'auto')", facts=FACTS)
    assert found == [["auto", "Automatic"], ["both", "Both"], ["away", "Away"]]


def test_a_model_that_no_one_here_knows_stays_on_offer(gimp: Console):
    found = asked(gimp, "models(facts, 'runware', 'runware:999@1')", facts=FACTS)
    assert found[-1] == ["runware:999@1", "runware:999@1"]


@pytest.mark.parametrize(
    ("backend", "chosen", "expected"),
    [
        ("local", "small", True),
        ("local", "away", False),
        ("runware", "away", True),
        ("runware", "small", False),
        ("https://a.example", "both", True),
        ("runware", "runware:999@1", True),
        ("local", "auto", True),
    ],
)
def test_a_model_is_taken_along_to_a_backend_that_may_have_it(
    gimp: Console, backend: str, chosen: str, *, expected: bool
):
    names = {"facts": FACTS, "backend": backend, "chosen": chosen}
    assert asked(gimp, "is_offered(facts, backend, chosen)", **names) is expected


def test_where_all_stays_here_this_is_said(gimp: Console):
    assert notice(gimp, "local", "both") == "Nothing leaves this computer."
    assert notice(gimp, "local", "auto") == "Nothing leaves this computer."


def test_without_a_model_it_is_said_how_to_get_one(gimp: Console):
    said = notice(gimp, "local", "auto", models=BARE["models"])
    assert said.startswith(WARNED)
    assert said.endswith("cutaway models pull u2netp")
    assert notice(gimp, "local", "small").endswith("cutaway models pull small")


@pytest.mark.parametrize("chosen", ["auto", "both"])
def test_where_a_layer_goes_and_what_it_costs_is_said(gimp: Console, chosen: str):
    assert notice(gimp, "runware", chosen) == (
        "This layer leaves your computer: it is sent to Runware. It costs about $0.0006."
    )
    assert notice(gimp, "runware", chosen, count=3) == (
        "These 3 layers leave your computer: they are sent to Runware. It costs about $0.0018."
    )


@pytest.mark.parametrize(
    ("backend", "chosen"), [("https://a.example", "both"), ("runware", "away"), ("runware", "x")]
)
def test_a_price_that_no_one_knows_is_not_made_up(gimp: Console, backend: str, chosen: str):
    assert "What it costs isn't known here" in notice(gimp, backend, chosen)


def test_a_missing_key_is_said_with_how_to_give_it(gimp: Console):
    assert notice(gimp, "runware", "both", key_found=False).endswith("cutaway login")
    assert "cutaway login" not in notice(gimp, "local", "both", key_found=False)
