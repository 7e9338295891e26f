"""Monotone transforms of a skewed target: it is learned as ``forward`` says, and predictions are
undone by ``back``.

    log    ln y         y > 0
    sqrt   √y           y >= 0
    asinh  ln(y + √(y² + 1)), like the logarithm far from 0, on both sides
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.elementary import asinh, exp, log, sinh
from chainrule.errors import DataError

__all__ = ["TRANSFORMS", "Transform", "chosen_transform", "skewness"]

Floats = npt.NDArray[np.float64]
#: what a target's skewness must exceed for a transform, and by how much that must reduce it
SKEWED, LESS = 1.0, 0.5


@dataclass(frozen=True)
class Transform:
    """A monotone function with its inverse; it takes numbers above ``low``, or at it if
    ``closed``."""

    name: str
    words: str
    forward: Callable[[Any], Any]
    back: Callable[[Any], Any]
    low: float = -np.inf
    closed: bool = False

    def takes(self, values: npt.NDArray[Any]) -> bool:
        """Whether all the values can be transformed."""
        return bool(np.all(values >= self.low if self.closed else values > self.low))

    def apply(self, values: npt.NDArray[Any]) -> Floats:
        """The transformed values. DataError for one that has none."""
        values = np.asarray(values, np.float64)
        if not self.takes(values):
            raise DataError(
                f"the target {values.min():g} has no {self.words}, by which the target is learned",
                help='set data.transform to "asinh", which takes all numbers, or to "none"',
            )
        return np.asarray(self.forward(values))


TRANSFORMS: Mapping[str, Transform] = {
    t.name: t
    for t in (
        Transform("log", "logarithm", log, exp, 0.0),
        Transform(
            "sqrt",
            "square root",
            np.sqrt,
            lambda z: np.square(np.maximum(z, 0.0)),
            0.0,
            closed=True,
        ),
        Transform("asinh", "inverse hyperbolic sine", asinh, sinh),
    )
}


def skewness(values: Floats) -> float:
    """The third moment of standardised values; 0 if they do not differ."""
    deviations = values - values.mean()
    std = float(np.sqrt(np.mean(deviations**2)))
    return float(np.mean((deviations / std) ** 3)) if std > 0 else 0.0


def chosen_transform(trained: Floats, everything: Floats) -> str:
    """The transform that leaves the least skewness of the values of training rows, among those that
    take ``everything``; empty where they are hardly skewed, or none makes up for half of it."""
    before = abs(skewness(trained))
    if before <= SKEWED:
        return ""
    after = {
        name: abs(skewness(transform.apply(trained)))
        for name, transform in TRANSFORMS.items()
        if transform.takes(everything)
    }
    best = min(after, key=lambda name: after[name], default="")
    return best if best and after[best] <= LESS * before else ""
