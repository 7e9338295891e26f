"""Parameters that several modules share: what a saved state may say about them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..frontend.tensor import Tensor
from ..ir.types import Array


def contradictions(mine: Mapping[str, Tensor], arrays: Mapping[str, Array]) -> list[str]:
    """What is wrong with arrays that are for one Tensor under several names."""
    first: dict[int, str] = {}
    pairs = [(first.setdefault(id(mine[name]), name), name) for name in arrays]
    return [
        f"{a} and {b} are one parameter, but their arrays differ"
        for a, b in pairs
        if a != b and not np.array_equal(arrays[a], arrays[b], equal_nan=True)
    ]
