"""Phases: nests that may run side by side, with a barrier between one phase and the next."""

from __future__ import annotations

from .fuse import Cluster
from .nest import Nest, Task
from .tile import work
from .units import Unit


def phase_levels(clusters: list[Cluster], before: dict[Unit, set[Unit]]) -> list[int]:
    """For each cluster the earliest phase after everything it depends on."""
    home = {u: c for c in clusters for u in c.units}
    level: dict[Cluster, int] = {}
    for cluster in clusters:
        earlier = {home[e] for u in cluster.units for e in before[u]} - {cluster}
        level[cluster] = 1 + max((level[c] for c in earlier), default=-1)
    return [level[c] for c in clusters]


def make_phases(nests: list[Nest], levels: list[int]) -> tuple[tuple[Task, ...], ...]:
    """Group nests by level; whole nests go to threads in turn, so that each gets its share."""
    phases: list[list[Nest]] = [[] for _ in range(max(levels, default=-1) + 1)]
    for nest, level in zip(nests, levels, strict=True):
        phases[level].append(nest)
    return tuple(tuple(_owned(phase)) for phase in phases)


def _owned(phase: list[Nest]) -> list[Task]:
    """Large nests are shared by all threads; small ones are dealt out, largest first."""
    tasks = [Task(n) for n in phase if n.split is not None]
    small = sorted((n for n in phase if n.split is None), key=work, reverse=True)
    tasks += [Task(nest, owner) for owner, nest in enumerate(small)]
    return tasks
