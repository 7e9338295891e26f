"""The mean of what several networks say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["mean_of"]

Floats = npt.NDArray[np.float64]


def mean_of(each: Sequence[npt.NDArray[Any]], weights: Sequence[float] | None = None) -> Floats:
    """The mean of arrays of one shape, element by element, in which each has its share of
    ``weights``.

    They are added up in their order. NumPy's own sums of eight and more are made in another order
    where the arrays have one element, and an example alone would have other bits than among many.
    """
    shares = np.ones(len(each)) if weights is None else np.asarray(weights, np.float64)
    total = each[0] * shares[0]
    for values, share in zip(each[1:], shares[1:], strict=True):
        total = total + values * share
    return np.asarray(total / shares.sum())
