"""One training on several processes, on one machine or many: carried by MPI."""

from .environment import environment, started_workers
from .launching import launch
from .mpi import MpiWorkers, mpi

__all__ = ["MpiWorkers", "environment", "launch", "mpi", "started_workers"]
