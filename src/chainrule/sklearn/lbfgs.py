"""Training by L-BFGS on all rows: SciPy's search, our gradients."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning

from .examples import Rows
from .formulas import Loss, values_of
from .programs import gradients

__all__ = ["Objective", "search"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

#: rows of one call
BLOCK = 8192


class Objective:
    """sum w l / sum w + alpha / (2 sum w) · sum W², and its gradient, of weights in one vector.

    The rows are taken in blocks, and summed in float64; so is the loss, whose small changes near
    the optimum float32 cannot tell.
    """

    def __init__(
        self, rows: Rows, units: tuple[int, ...], activation: str, loss: Loss, alpha: float
    ) -> None:
        self._rows, self._loss, self._alpha = rows, loss, alpha
        self._compiled = gradients(units, activation, loss)
        self._total = float(rows.weights.sum())
        pairs = list(itertools.pairwise(units))
        self._shapes: list[tuple[int, ...]] = [*pairs, *((width,) for width in units[1:])]
        self._batches = rows.batches(np.arange(rows.count))

    def __call__(self, vector: Floats) -> tuple[float, Floats]:
        weights = self.parts(vector)
        narrow = [np.asarray(w, np.float32, order="C") for w in weights]
        value, sums = 0.0, [np.zeros(shape) for shape in self._shapes]
        for source, batches in self._rows.calls(self._batches):
            for batch in batches:
                x, y, w = (array[batch] for array in source.arrays)
                z, *found = self._compiled(x, y, w, *narrow)
                value += float(values_of(self._loss, z.numpy(), y) @ w.astype(np.float64))
                for total, part in zip(sums, found, strict=True):
                    total += part.numpy()
        matrices = weights[: len(weights) // 2]
        value += self._alpha / 2 * sum(float(np.vdot(W, W)) for W in matrices)
        for total, W in zip(sums, matrices, strict=False):
            total += self._alpha * W
        return value / self._total, joined(sums) / self._total

    def parts(self, vector: Floats) -> list[Floats]:
        """The matrices and biases that ``vector`` holds."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        pieces = np.split(vector, ends[:-1])
        return [p.reshape(shape) for p, shape in zip(pieces, self._shapes, strict=True)]


def joined(parts: Sequence[Array]) -> Floats:
    """All numbers in one vector."""
    return np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in parts])


def search(
    objective: Objective, weights: Sequence[Array], tol: float, max_iter: int, max_fun: int
) -> tuple[list[Floats], float, int]:
    """The best weights, their loss, and how many iterations it took; a ConvergenceWarning if these
    were not enough."""
    found: OptimizeResult = minimize(
        objective,
        joined(weights),
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
    )
    if found.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {found.nit} iteration(s) (status={found.status}):\n"
            f"{found.message}\nIncrease max_iter or max_fun, or scale the data to about 1.",
            ConvergenceWarning,
            stacklevel=5,
        )
    return objective.parts(found.x), float(found.fun), min(int(found.nit), max_iter)
