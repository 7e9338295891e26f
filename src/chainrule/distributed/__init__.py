"""Many trainings on a cluster: carried by Ray.

Nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazily import loaded

if TYPE_CHECKING:
    from .ray_cluster import RayCluster as RayCluster
    from .ray_cluster import ray as ray

#: where each public name is defined
_HOMES = {
    "RayCluster": "ray_cluster",
    "ray": "ray_cluster",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
