"""``n_jobs`` as the number of threads of compiled programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..runtime import processors

__all__ = ["threads"]


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Inside, programs run with ``n_jobs`` threads, -1 for one on each processor core.

    With None it is as elsewhere. The bits are the same for any number.
    """
    if n_jobs is None:
        yield
        return
    before = processors.get_num_threads()
    processors.set_num_threads(processors.available() if n_jobs == -1 else int(n_jobs))
    try:
        yield
    finally:
        processors.set_num_threads(before)
