from __future__ import annotations

import json

from tests.node_tools import LOCK


def test_the_lock_leaves_to_npm_where_packages_come_from() -> None:
    packages = json.loads((LOCK / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all(package["integrity"] for path, package in packages.items() if path)
    assert not any("resolved" in package for package in packages.values())


def test_the_lock_holds_the_very_versions_that_are_asked_for() -> None:
    asked = json.loads((LOCK / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = json.loads((LOCK / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    locked = {name: packages[f"node_modules/{name}"]["version"] for name in asked}
    assert locked == asked
