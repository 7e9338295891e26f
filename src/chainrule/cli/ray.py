"""The option ``--ray``: who carries trainings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runs.carriers import Carrier

__all__ = ["ray_carrier"]


def ray_carrier(address: str | None, jobs: int | None = None) -> Carrier | None:
    """The cluster at an address, ``local`` for one of its own; None without an address."""
    if address is None:
        return None
    from ..distributed.ray_cluster import ray

    return ray(None if address == "local" else address, jobs=jobs)
