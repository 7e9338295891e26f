"""The options ``--ray`` and ``--jobs``: who carries trainings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runs.carriers import Carrier

__all__ = ["chosen_carrier"]


def chosen_carrier(ray: str | None, jobs: int | None) -> Carrier | None:
    """The cluster at an address, ``local`` for one of its own; without an address, so many
    processes of this machine; None: this process."""
    if ray is not None:
        from ..distributed.ray_cluster import ray as cluster

        return cluster(None if ray == "local" else ray, jobs=jobs)
    if jobs is None or jobs == 1:
        return None
    from ..runs.carriers import carrier_for

    return carrier_for(jobs)
