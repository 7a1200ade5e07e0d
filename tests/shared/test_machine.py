"""What a process may use, told by the files that Linux tells it with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cutaway.machine import free_memory, usable_cores

if TYPE_CHECKING:
    from pathlib import Path

    Files = dict[str, str]

GIGABYTE = 1 << 30
ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def system(root: Path, files: Files) -> Path:
    """The root of a system that has these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


CPU = {
    "v2": {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "sys/fs/cgroup/a/cpu.max": "20000 100000\n",
    },
    "v1": {
        "proc/self/cgroup": "3:cpuset:/x\n2:cpu,cpuacct:/a b/c\n0::/\n",
        "sys/fs/cgroup/cpu/a b/c/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu/a b/c/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
    "in a container that knows the host's path": {
        "proc/self/cgroup": "2:cpu:/docker/0123\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
    "in a group above the one that is seen": {
        "proc/self/cgroup": "0::/../a\n",
        "sys/fs/cgroup/cpu.max": "90000 100000\n",
    },
}


@pytest.mark.parametrize("files", CPU.values(), ids=CPU)
def test_a_share_of_the_cores_is_what_may_be_used(tmp_path: Path, files: Files) -> None:
    assert usable_cores(system(tmp_path, files)) == 1


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "99900000 100000\n"},
    ],
)
def test_without_a_smaller_share_all_cores_may_be_used(tmp_path: Path, files: Files) -> None:
    assert usable_cores(system(tmp_path, files)) == ALL


@pytest.mark.skipif(ALL < 2, reason="there is one core only")
def test_a_started_core_counts(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "110000 100000\n"}
    assert usable_cores(system(tmp_path, files)) == 2


MEMINFO = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {(8 * GIGABYTE) >> 10} kB\n"}
ROOM = {
    "the machine's": ({}, 8),
    "v2, files that can be dropped are free": (
        {
            "proc/self/cgroup": "0::/a\n",
            "sys/fs/cgroup/a/memory.max": f"{4 * GIGABYTE}\n",
            "sys/fs/cgroup/a/memory.current": f"{3 * GIGABYTE}\n",
            "sys/fs/cgroup/a/memory.stat": (
                f"anon 1\nfile 7\nactive_file {GIGABYTE}\ninactive_file 0\n"
            ),
        },
        2,
    ),
    "v1": (
        {
            "proc/self/cgroup": "4:memory:/a\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{4 * GIGABYTE}\n",
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": f"{3 * GIGABYTE}\n",
            "sys/fs/cgroup/memory/a/memory.stat": (
                f"inactive_file 5\ntotal_active_file 0\ntotal_inactive_file {GIGABYTE}\n"
            ),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
        },
        2,
    ),
    "none, in a group that has more than it may": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": f"{GIGABYTE}\n",
            "sys/fs/cgroup/memory.current": f"{2 * GIGABYTE}\n",
        },
        0,
    ),
    "unlimited group": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/memory.current": f"{2 * GIGABYTE}\n",
        },
        8,
    ),
}


@pytest.mark.parametrize(("files", "gigabytes"), ROOM.values(), ids=ROOM)
def test_the_tightest_limit_tells_what_memory_is_free(
    tmp_path: Path, files: Files, gigabytes: int
) -> None:
    assert free_memory(system(tmp_path, {**MEMINFO, **files})) == gigabytes * GIGABYTE


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="Windows tells nothing")
def test_where_the_free_memory_is_not_told_it_is_all_there_is(tmp_path: Path) -> None:
    free = free_memory(tmp_path)
    assert free == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_this_machine_has_cores_and_memory() -> None:
    assert 1 <= usable_cores() <= ALL
    free = free_memory()
    assert free is None or free > 0
