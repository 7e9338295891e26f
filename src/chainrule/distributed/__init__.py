"""One training on several processes, of one machine or many: carried by MPI.

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

#: where each public name is defined
_HOMES = {
    "environment": "processes",
    "launch": "launching",
    "MpiWorkers": "mpi_workers",
    "mpi": "mpi_workers",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
