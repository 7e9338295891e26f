"""The order in which an epoch visits the rows: a pure function of (seed, epoch)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError

__all__ = ["Order"]

Rows = npt.NDArray[np.int32]

#: 2**128 divided by the golden ratio: epochs this far apart share no bits of PCG64's state, as
#: they would at a power of two
STRIDE = 210306068529402873165736369884012333109


@dataclass(frozen=True)
class Order:
    """``rows`` rows in batches of ``batch``; the last batch of an epoch may be short.

    Every epoch is a fresh permutation from ``PCG64(seed)`` advanced by ``epoch * STRIDE``, so a
    training that resumes at any epoch sees the rows it would have seen.
    """

    rows: int
    batch: int
    seed: int
    shuffle: bool

    @classmethod
    def of(cls, rows: int, batch_size: int | None, seed: int, shuffle: bool) -> Order:
        """``batch_size`` None or above ``rows`` means all rows in one batch."""
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0)):
            if name == "batch_size" and value is None:
                continue
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                more = ", or None for all rows" if name == "batch_size" else ""
                raise ConfigError(
                    f"{name} is {value!r}",
                    help=f"{name} must be a whole number of at least {least}{more}",
                )
        return cls(rows, min(batch_size or rows, rows), int(seed), shuffle)

    @property
    def steps(self) -> int:
        """Optimizer steps of one epoch, a short last batch counted."""
        return -(-self.rows // self.batch)

    @property
    def even(self) -> bool:
        """Whether every batch has the same size."""
        return self.rows % self.batch == 0

    def permutation(self, epoch: int) -> Rows:
        """All rows in the order of this epoch."""
        if not self.shuffle:
            return np.arange(self.rows, dtype=np.int32)
        bits, start, generator = self._source
        bits.state = start
        bits.advance(epoch * STRIDE)
        return generator.permutation(self.rows).astype(np.int32)

    @cached_property
    def _source(self) -> tuple[np.random.PCG64, Any, np.random.Generator]:
        # Advancing one generator takes 2 microseconds, making a new one 10.
        bits = np.random.PCG64(self.seed)
        return bits, bits.state, np.random.Generator(bits)

    def batches(self, epoch: int) -> list[Rows]:
        """Row indices as [steps, batch], followed by [1, rest] if a short batch is left."""
        rows = self.permutation(epoch)
        full = self.rows // self.batch * self.batch
        blocks = [rows[:full].reshape(-1, self.batch)]
        return blocks if self.even else [*blocks, rows[None, full:]]
