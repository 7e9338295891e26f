"""Which samples are drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Effort:
    """The seed, the most samples of one entry and dtype (0: all), and from which set."""

    seed: int = 0
    most: int = 100
    #: PyTorch's larger set, with infinities and numbers at the limits
    reference: bool = False

    def rng(self, name: str, number: int) -> np.random.Generator:
        """Random numbers for one sample, whatever else is run."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), number])
