"""What this process may use of the machine: cores and memory, as far as its limits allow."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["free_memory", "usable_cores"]

_ROOT = Path("/")
_KIBIBYTE = 1024


def usable_cores(root: Path = _ROOT) -> int:
    """Cores that this process may keep busy, at least 1; a started core counts.

    Args:
        root: Where the system's own files begin; they tell what share of the cores a container,
            a service or a job has been given, with cgroup v1 as with v2.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = (math.ceil(quota) for quota in _quotas(root))
    return max(1, min([allowed or 1, *quotas]))


def free_memory(root: Path = _ROOT) -> int | None:
    """Bytes that this process may still take before the machine or a limit refuses.

    Where the system doesn't tell what is free, as on macOS, it is all the memory there is.

    Args:
        root: Where the system's own files begin.

    Returns:
        None where the standard library knows of no figure, as on Windows.
    """
    available = _available(root)
    known = [] if available is None else [available]
    return min([*known, *_groups_room(root), *_address_space(root)], default=None)


def _quotas(root: Path) -> Iterator[float]:
    """The cores that each control group of this process may keep busy, where it is limited."""
    for group in _groups(root, "cpu"):
        told = _words(group / "cpu.max") or [
            *_words(group / "cpu.cfs_quota_us"),
            *_words(group / "cpu.cfs_period_us"),
        ]
        if told and told[0] not in {"max", "-1"}:
            quota, period = map(int, told)
            yield quota / period


def _groups_room(root: Path) -> Iterator[int]:
    """The bytes that each control group of this process has left, where it is limited."""
    for group in _groups(root, "memory"):
        limit = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes")
        used = _words(group / "memory.current") or _words(group / "memory.usage_in_bytes")
        if limit and used and limit[0] != "max":
            yield max(0, int(limit[0]) - int(used[0]) + _droppable(group))


def _droppable(group: Path) -> int:
    """Bytes of files that a control group has in memory and that can be read again."""
    told = _words(group / "memory.stat")
    stat = dict(zip(told[::2], map(int, told[1::2]), strict=True))
    prefix = "total_" if "total_inactive_file" in stat else ""  # v1 tells them without children too
    return sum(stat.get(f"{prefix}{kind}_file", 0) for kind in ("active", "inactive"))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, from its own up to the mount's.

    A container may know its group by the host's path, of which only the mount is there: a folder
    that is missing limits nothing.
    """
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = mounts / controller if controllers else mounts
        own = mount.joinpath(*(part for part in path.split("/") if part not in {"", ".."}))
        yield from (own, *(group for group in own.parents if group.is_relative_to(mount)))


def _available(root: Path) -> int | None:
    told = _words(root / "proc" / "meminfo")
    if "MemAvailable:" in told:
        return int(told[told.index("MemAvailable:") + 1]) * _KIBIBYTE
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _address_space(root: Path) -> Iterator[int]:
    """What `ulimit -v` leaves of addresses, if it is set."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = _words(root / "proc" / "self" / "statm")
    if limit != resource.RLIM_INFINITY and taken:
        yield max(0, limit - int(taken[0]) * resource.getpagesize())


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """A file of the system's; empty if it isn't there or isn't ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
