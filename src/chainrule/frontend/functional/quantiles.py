"""Losses whose best answers are quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError, ShapeError
from ..apply import from_array, tensor_of
from ..modes import user_line
from ..operations.arithmetic import Operand, maximum
from .losses import reduced

if TYPE_CHECKING:
    from ..tensor import Tensor

#: ten to ninety per cent, as forecasting competitions score
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """The levels of quantiles. `ConfigError` unless they lie between 0 and 1 and ascend."""
    numbers = tuple(levels)
    inside = all(isinstance(q, float | int) and 0 < q < 1 for q in numbers)
    if not numbers or not inside or list(numbers) != sorted(set(numbers)):
        raise ConfigError(
            f"the quantiles are {list(numbers)!r}",
            where=user_line(),
            help="pass numbers between 0 and 1 in ascending order: (0.1, 0.5, 0.9)",
        )
    return numbers


def pinball_loss(
    x: Operand, target: Operand, quantiles: Sequence[float] = LEVELS, *, reduction: str = "mean"
) -> Tensor:
    """max(q d, (q - 1) d) with d = target - x: least where x is the q-quantile of the target
    (Koenker and Bassett, 1978).

    ``x`` is [..., quantiles], ``target`` [...]. The mean is over all elements of x.
    """
    x, target = tensor_of(x), tensor_of(target)
    levels = check_levels(quantiles)
    if x.shape != (*target.shape, len(levels)):
        raise ShapeError(
            f"pinball_loss of {len(levels)} quantiles got {x.shape} for a target of {target.shape}",
            where=user_line(),
            help="the last axis of the predictions holds one number for each quantile",
        )
    q = from_array(np.asarray(levels, np.float32))
    d = target.unsqueeze(-1) - x
    return reduced(maximum(q * d, (q - 1.0) * d), reduction)
