"""What those that start processes of MPI say of them in the environment."""

from __future__ import annotations

import os

__all__ = ["environment"]

#: (rank, size) as MPICH and its kin, PMIx, and Open MPI write them
_VARIABLES = (
    ("PMI_RANK", "PMI_SIZE"),
    ("PMIX_RANK", "PMIX_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
)


def environment() -> tuple[int, int]:
    """(rank, number) of this process among those started together; (0, 1) if it is alone."""
    for rank, size in _VARIABLES:
        if os.environ.get(rank, "").isdecimal() and os.environ.get(size, "").isdecimal():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1
