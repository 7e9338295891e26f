"""Sample weights: how much each row counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError

__all__ = ["checked_weights", "unweighted"]


def unweighted(target: Any) -> tuple[Any, Any]:
    """(target, weights) of the last part of a batch, which is either the target, and then there are
    no weights (None), or both."""
    return target if isinstance(target, tuple) else (target, None)


def checked_weights(weights: Any, rows: int) -> npt.NDArray[np.float64]:
    """What each row counts, float64 [rows]; 1 for all where ``weights`` is None.

    DataError, a ValueError, for weights that are negative, all zero, not finite, or not one for
    each row.
    """
    if weights is None:
        return np.ones(rows)
    array = np.asarray(weights, np.float64)
    if array.ndim == 0:
        array = np.full(rows, float(array))
    if array.shape != (rows,):
        raise DataError(
            f"sample weights of shape {array.shape} do not match {rows} rows",
            help="pass one number for each row",
        )
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(f"a sample weight is {array[bad]}", where=f"row {bad}",
                        help="weights are finite numbers of at least 0")  # fmt: skip
    if (array < 0).any():
        bad = int(np.flatnonzero(array < 0)[0])
        raise DataError(f"a sample weight is {array[bad]:g}, which is negative",
                        where=f"row {bad}", help="leave a row out with a weight of 0")  # fmt: skip
    if not array.any():
        raise DataError(
            "all sample weights are zero",
            help="at least one row must count: pass a weight above 0",
        )
    return array
