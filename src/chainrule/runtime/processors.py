"""How many processors this process may use, and so how many threads run a program; and which."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from .. import config
from ..codegen.spmd import MAX_THREADS
from ..errors import ConfigError
from ..ir.types import Array, is_whole

__all__ = [
    "MAX_THREADS",
    "arrangement",
    "available",
    "current_processor",
    "get_num_threads",
    "set_num_threads",
    "stand_apart",
]

_chosen: int | None = None
_default: int | None = None


def set_num_threads(count: int | None) -> None:
    """Run programs with ``count`` threads from now on; None returns to the default.

    The results are the same bits for any number. `ConfigError` unless 1 <= count <= 256.
    """
    global _chosen, _default
    if count is not None and not (is_whole(count) and 1 <= count <= MAX_THREADS):
        raise ConfigError(
            f"invalid number of threads: {count!r}", help=f"pass a number from 1 to {MAX_THREADS}"
        )
    _chosen, _default = None if count is None else int(count), None


def get_num_threads() -> int:
    """How many threads run a program.

    The first of: `set_num_threads`, CHAINRULE_NUM_THREADS, OMP_NUM_THREADS, `available`. The
    environment is read once, at the first use (and anew after ``set_num_threads(None)``).
    """
    global _default
    if _chosen is not None:
        return _chosen
    if _default is None:
        _default = min(config.NUM_THREADS.read() or _openmp_threads() or available(), MAX_THREADS)
    return _default


def available() -> int:
    """Processor cores this process may use: affinity, container quota and cores counted."""
    usable = _affinity()
    cores = len({_core_of(cpu) for cpu in usable})
    quota = _cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    # Rounded down: threads that meet at barriers lose more to throttling than to a missing one.
    return max(1, cores if quota is None else min(cores, int(quota)))


def current_processor() -> int:
    """The one that the calling thread runs on; -1 where the system does not tell."""
    return int(_getcpu()) if _getcpu else -1


_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None


def stand_apart(tid: int, leader: int) -> None:
    """Take the calling thread, number ``tid``, away from processor ``leader``, where thread 0 runs.

    Linux wakes a thread beside whoever woke it, and parts two that never sleep only after many
    milliseconds: until then they take turns. Afterwards the system may move it as before. (If it
    puts the two together again, `parking.apart` parts them.)
    """
    if sys.platform != "linux":
        return
    usable = os.sched_getaffinity(0)
    if leader not in usable:
        return
    try:
        order = _order(leader, usable)
        os.sched_setaffinity(0, {order[tid % len(order)]})  # moves it now; 0 is this thread
        os.sched_setaffinity(0, usable)
    except OSError:
        return  # the system has taken processors away meanwhile


def arrangement(threads: int) -> Array:
    """i32 [threads, processors]: where a thread belongs while thread 0 runs on a processor.

    -1 if this process may not use that one. What `stand_apart` does, for threads that are at work.
    """
    usable = _affinity()
    table = np.full((threads, max(usable) + 1), -1, np.int32)
    for leader in usable:
        table[:, leader] = np.resize(_order(leader, usable), threads)
    return table


def _order(leader: int, usable: Collection[int]) -> list[int]:
    """A processor of each core, from that of the leader on."""
    cores = {_core_of(cpu): cpu for cpu in sorted(usable, reverse=True)}
    cores[_core_of(leader)] = leader
    places = sorted(cores.values())
    first = places.index(leader)
    return places[first:] + places[:first]


def _openmp_threads() -> int | None:
    """The outermost level of OMP_NUM_THREADS (``4`` or ``4,2``); anything else is ignored."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@cache
def _core_of(cpu: int) -> str:
    """A name for the core that hardware thread ``cpu`` belongs to: siblings share one FMA unit."""
    siblings = _read(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
    return siblings or str(cpu)


def _cgroup_quota(mount: Path, membership: Path) -> float | None:
    """The smallest processor quota on the way from our control group to the root, in processors."""
    quotas = list(_quotas(mount, _read(membership)))
    return min(quotas, default=None)


def _quotas(mount: Path, membership: str) -> Iterator[float]:
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            for folder in _upwards(mount, path):
                quota, _, period = _read(folder / "cpu.max").partition(" ")
                yield from _ratio(quota, period)
        elif "cpu" in controllers.split(","):
            for folder in _upwards(mount / "cpu", path):
                quota = _read(folder / "cpu.cfs_quota_us")
                yield from _ratio(quota, _read(folder / "cpu.cfs_period_us"))


def _upwards(root: Path, path: str) -> list[Path]:
    # Inside a container the path may name a place outside; then only the root can be read.
    inside = root / path.strip("/")
    return [p for p in (inside, *inside.parents) if p.is_relative_to(root)]


def _ratio(quota: str, period: str) -> Iterator[float]:
    if quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _forget_default() -> None:
    global _default
    _default = None


if hasattr(os, "register_at_fork"):
    # A worker process often gets an affinity or environment of its own.
    os.register_at_fork(after_in_child=_forget_default)
