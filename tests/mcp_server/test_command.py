"""The command `cutaway-mcp`: what it takes, and what it makes of it."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cutaway_mcp.command import main, parser, policy_of
from cutaway_mcp.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """The root logger as it was before the command set it up."""
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = before


def test_without_arguments_the_policy_is_the_strictest() -> None:
    assert policy_of(parser().parse_args([])) == Policy()


def test_every_argument_reaches_the_policy() -> None:
    text = (
        "--allow-dir a b --allow-dir ~/c --read-only --backend runware "
        "--allow-backend http://localhost:1 http://localhost:2 --max-cost 0.05 "
        "--image-responses omit --output-dir out --output-max-size 2M "
        "--allow-private-network --warm"
    )
    assert policy_of(parser().parse_args(text.split())) == Policy(
        allow_dirs=(Path("a"), Path("b"), Path.home() / "c"),
        read_only=True,
        backend="runware",
        allow_backends=frozenset({"http://localhost:1", "http://localhost:2"}),
        max_cost=Decimal("0.05"),
        image_responses=False,
        output_dir=Path("out"),
        output_max_size=2 << 20,
        allow_private_network=True,
        warm=True,
    )
    assert policy_of(parser().parse_args(["--no-network"])) == Policy(network=False)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1500", 1500), ("3k", 3072), ("500MB", 500 << 20), ("1G", 1 << 30)],
)
def test_a_size_may_have_a_unit(text: str, size: int) -> None:
    given = parser().parse_args(["--output-max-size", text])
    assert given.output_max_size == size


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output-max-size", "much"],
        ["--output-max-size", "-1"],
        ["--max-cost", "much"],
        ["--max-cost", "-1"],
        ["--max-cost", "NaN"],
        ["--image-responses", "perhaps"],
        ["--allow-dir"],
        ["--allow-directory", "."],
        ["--token", "12345"],
        ["--no-network", "--backend", "runware"],
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--allow-dir", "{tmp}/missing"], "--allow-dir"),
        (["--allow-dir", "{tmp}/file"], "--allow-dir"),
        (["--output-dir", "{tmp}/file/out"], "--output-dir"),
        (["--backend", "nowhere"], "backend"),
        (["--allow-backend", "ftp://example.com"], "backend"),
        (["--http", "--host", "0.0.0.0"], "token"),  # noqa: S104  (it is refused)
        (["--http", "--token-file", "{tmp}/missing"], "token"),
    ],
)
def test_what_can_t_be_used_ends_the_command_with_a_reason(
    tmp_path: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([part.format(tmp=tmp_path) for part in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("cutaway-mcp: ")
    assert reason in captured.err


def test_a_wrong_setting_ends_the_command_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUTAWAY_MAX_PIXELS", "many")
    assert main([]) == 2
    assert "max_pixels" in capsys.readouterr().err


def test_the_backend_of_the_user_s_settings_is_not_the_server_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", "runware")
    assert policy_of(parser().parse_args([])).backends == ("local",)


@pytest.mark.parametrize(
    ("policy", "backends"),
    [
        (Policy(), ("local",)),
        (Policy(allow_backends=frozenset({"runware"})), ("local", "runware")),
        (Policy(backend="runware"), ("runware", "local")),
        (Policy(backend="runware", network=False), ("local",)),
    ],
)
def test_the_usual_backend_comes_first_and_this_machine_always_may_be_used(
    policy: Policy, backends: tuple[str, ...]
) -> None:
    assert policy.backends == backends
    assert policy.remote == (backends != ("local",))
