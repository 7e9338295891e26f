"""Beyond one process: one training on several, connected by MPI; many trainings, carried by Ray.

Nothing is loaded before it is used: a command asks only whether it is alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazily import loaded

if TYPE_CHECKING:
    from .launching import launch as launch
    from .mpi_workers import MpiWorkers as MpiWorkers
    from .mpi_workers import mpi as mpi
    from .processes import environment as environment
    from .ray_cluster import RayCluster as RayCluster
    from .ray_cluster import ray as ray

#: where each public name is defined
_HOMES = {
    "environment": "processes",
    "launch": "launching",
    "MpiWorkers": "mpi_workers",
    "mpi": "mpi_workers",
    "RayCluster": "ray_cluster",
    "ray": "ray_cluster",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
