"""The lengths at which batches of texts are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...train import bounds_for

__all__ = ["length_bounds"]

#: each length is a program of its own, which few texts are not worth
MANY_TEXTS, LENGTHS = 2000, 4


def length_bounds(lengths: npt.NDArray[np.integer[Any]]) -> tuple[int, ...]:
    """Ascending lengths for texts of these ``lengths``, the last of them the longest."""
    return bounds_for(lengths, LENGTHS if len(lengths) >= MANY_TEXTS else 1)
