"""`cutaway gimp`: the plug-in into GIMP, out of it, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cutaway.errors import CutawayError
    from cutaway_gimp.installing import Change
    from cutaway_gimp.profiles import Places, Profile

__all__ = ["gimp"]

_FAILED = 1

_profiles = click.option(
    "--profile",
    "folders",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="This profile of GIMP's, not those that are found; may be repeated.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Tell what would be done; do nothing.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one profile: a change, an error, or neither where nothing was to be done."""

    profile: Profile
    change: Change | None = None
    error: CutawayError | None = None

    def facts(self, done: str) -> dict[str, Any]:
        """The same for JSON; `done` is what a change is called."""
        facts: dict[str, Any] = {
            "gimp": self.profile.version,
            "folder": str(self.profile.folder),
            "status": "failed" if self.error else done if self.change else "absent",
        }
        if self.error:
            facts["error"] = _error_facts(self.error)
        if self.change:
            facts["plug_in"] = str(self.change.plug_in)
            facts["before"] = self.change.before
            facts["kept"] = list(self.change.kept)
        return facts


@click.group("gimp")
def gimp() -> None:
    """Install the plug-in for GIMP, remove it, and tell what is wrong with it."""


@gimp.command("install")
@_profiles
@_dry_run
@_as_json
@click.pass_context
def install_plug_in(
    ctx: click.Context, folders: tuple[Path, ...], *, dry_run: bool, as_json: bool
) -> None:
    """Copy the plug-in into every profile of GIMP 3 and 2.10.

    It starts the Python that runs this command. After an upgrade of Cutaway, install it again.
    """
    from cutaway import __version__
    from cutaway_gimp.advice import about_gimp, about_python
    from cutaway_gimp.installing import install, interpreter

    python = interpreter()
    where, profiles = _found(folders)
    outcomes = _each(profiles, lambda one: install(one, python, dry_run=dry_run))
    advice = [*about_gimp(where), *about_python(python)]
    if as_json:
        told = [one.facts("planned" if dry_run else "installed") for one in outcomes]
        _tell_json(
            {"cutaway": __version__, "python": str(python), "profiles": told, "advice": advice}
        )
    else:
        _tell(outcomes, f"Cutaway {__version__} {'would be ' if dry_run else ''}installed")
        _warn(advice)
        if not dry_run and any(one.change for one in outcomes):
            click.echo("Start GIMP anew: Layer > Transparency > Remove Background...")
    ctx.exit(_FAILED if any(one.error for one in outcomes) else 0)


@gimp.command("uninstall")
@_profiles
@_dry_run
@_as_json
@click.pass_context
def uninstall_plug_in(
    ctx: click.Context, folders: tuple[Path, ...], *, dry_run: bool, as_json: bool
) -> None:
    """Delete the plug-in from every profile of GIMP.

    Files that you have put into its folder stay. It exits with 1 if the plug-in was nowhere.
    """
    from cutaway_gimp.installing import uninstall

    _, profiles = _found(folders)
    outcomes = _each(profiles, lambda one: uninstall(one, dry_run=dry_run))
    if as_json:
        told = [one.facts("planned" if dry_run else "removed") for one in outcomes]
        _tell_json({"profiles": told})
    else:
        _tell(outcomes, f"Cutaway {'would be ' if dry_run else ''}removed")
    removed = any(one.change for one in outcomes)
    ctx.exit(_FAILED if not removed or any(one.error for one in outcomes) else 0)


@gimp.command("doctor")
@_profiles
@_as_json
@click.pass_context
def examine(ctx: click.Context, folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Tell whether the plug-in works, and if it doesn't, why.

    It starts Cutaway as the plug-in does; nothing is sent. It exits with 1 if something is wrong.
    """
    from cutaway_gimp.checking import check

    where, profiles = _found(folders)
    report = check(where, profiles)
    if as_json:
        problems = [_error_facts(problem) for problem in report.problems]
        _tell_json({**report.facts(), "problems": problems})
    else:
        for name, value in report.lines():
            click.echo(f"{name:30}{value}")
        _warn(report.advice)
        _warn(report.problems)
    ctx.exit(_FAILED if report.problems else 0)


def _found(folders: tuple[Path, ...]) -> tuple[Places[Path], list[Profile]]:
    """Where GIMP may be here, and the profiles to work on."""
    from cutaway_gimp.profiles import find_profiles, named_profile, places_here

    where = places_here()
    named = [named_profile(folder) for folder in folders]
    return where, named or find_profiles(where)


def _each(profiles: list[Profile], work: Callable[[Profile], Change | None]) -> list[_Outcome]:
    """Try every profile, whatever comes of the others."""
    from cutaway.errors import CutawayError

    outcomes = []
    for profile in profiles:
        try:
            outcomes.append(_Outcome(profile, work(profile)))
        except CutawayError as error:
            outcomes.append(_Outcome(profile, error=error))
    return outcomes


def _tell(outcomes: list[_Outcome], done: str) -> None:
    for one in outcomes:
        if one.error:
            _warn([one.error])
        elif one.change is None:
            _warn([f"{one.profile}: Cutaway's plug-in isn't there"])
        else:
            before = f" (there was {one.change.before})" if one.change.before else ""
            click.echo(f"{one.profile}: {done}{before}")
            for place in one.change.kept:
                click.echo(f"{one.change.plug_in / place}: left as it is")


def _warn(told: Sequence[str | CutawayError]) -> None:
    for line in told:
        click.echo(f"cutaway: {line}", err=True)


def _tell_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2))


def _error_facts(error: CutawayError) -> dict[str, Any]:
    return {"code": error.code, "what": error.what, "why": error.why, "next": error.next_step}
