"""What a training asks of those that share it: other processes, which have parts of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .parts import Subtree

__all__ = ["Workers", "own", "own_of", "present", "sharing"]

Floats = npt.NDArray[np.float32]


class Workers(Protocol):
    """Processes that compute the same training, of which worker 0 writes and speaks.

    Every method is called by all of them, in the same order. Each ends in words after a bounded
    time, if a worker is gone.
    """

    @property
    def rank(self) -> int:
        """Which worker this is, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def near(self) -> bool:
        """Whether nothing is sent, because sums lie in memory that all of them see."""

    def sum(
        self,
        sums: Mapping[Subtree, Floats],
        into: Floats,
        parts: int,
        busy: Callable[[], bool] | None = None,
    ) -> Floats:
        """The sum of ``parts`` vectors along the tree: each worker has those of the `subtrees` of
        the parts that are its `own`. It is written ``into`` a vector, if it lies nowhere else.

        ``busy`` says whether this process has better to do than to wait, and may raise. Another
        thread may call this, but no two threads call any of the methods at once.
        """

    def place(self, key: Subtree, length: int, parts: int) -> Floats | None:
        """Memory for a sum of this worker that spares `sum` a copy; None if there is none."""

    def broadcast(self, value: Any) -> Any:
        """What worker 0 passes: text, numbers, lists and dicts of them."""

    def broadcast_bytes(self, content: bytes) -> bytes:
        """What worker 0 passes, of any length."""

    def gather(self, value: Any) -> list[Any]:
        """What each passes, by rank, for all."""

    def exchange(self, pieces: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        """What each passes for this one, by rank; ``pieces`` are for each of them."""

    def abort(self, reason: str, code: int) -> None:
        """Ends all of them, and says why."""


class _Present:
    """The workers that share what this process trains."""

    workers: Workers | None = None


def present() -> Workers | None:
    """The workers of `sharing`, if there are several."""
    return _Present.workers


@contextmanager
def sharing(workers: Workers | None) -> Iterator[None]:
    """Inside, trainings of runs are shared with ``workers``."""
    before = _Present.workers
    _Present.workers = workers if workers is not None and workers.size > 1 else None
    try:
        yield
    finally:
        _Present.workers = before


def own_of(rank: int, size: int, parts: int) -> tuple[int, int]:
    """The parts of a batch that a worker computes, from the first to before the last."""
    return rank * parts // size, (rank + 1) * parts // size


def own(workers: Workers | None, parts: int) -> tuple[int, int]:
    """`own_of` this worker; all if there are no others."""
    return (0, parts) if workers is None else own_of(workers.rank, workers.size, parts)
