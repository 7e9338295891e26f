"""What a network's outputs mean: its loss says how they become probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..elementary import exp, sigmoid

__all__ = ["Link", "Scores"]

Link = Literal["identity", "sigmoid", "softmax", "exp", "probability"]


@dataclass(frozen=True)
class Scores:
    """Outputs of a network, and every form in which metrics want them.

    ``link`` names the way from outputs to probabilities: ``sigmoid`` of logits (any shape),
    ``softmax`` of logits or ``exp`` of log-probabilities over axis 1, ``probability`` (they are
    already), ``identity`` (numbers, not probabilities).
    """

    outputs: npt.NDArray[Any]
    link: Link

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """The outputs in float64."""
        return np.asarray(self.outputs, np.float64)

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Of class 1 for two classes in one output, else of each class."""
        if self.link == "sigmoid":
            return sigmoid(self.values)
        if self.link == "softmax":
            raised = exp(self.values - self.values.max(axis=1, keepdims=True))
            return np.asarray(raised / raised.sum(axis=1, keepdims=True))
        return exp(self.values) if self.link == "exp" else self.values

    @property
    def ranking(self) -> npt.NDArray[np.float64]:
        """Scores in the order of the probability of class 1, or the probability of each class.

        One output keeps its logit, which still tells examples apart whose probabilities round to
        1; two classes give the difference of their two outputs.
        """
        if self.link not in ("softmax", "exp"):
            return self.values
        if self.values.shape[1] == 2 and self.values.ndim == 2:
            return np.asarray(self.values[:, 1] - self.values[:, 0])
        return self.probabilities

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class indices: the largest over axis 1, or 1 where p > 1/2."""
        if self.link in ("softmax", "exp"):
            return np.asarray(self.values.argmax(axis=1))
        threshold = 0.0 if self.link == "sigmoid" else 0.5
        return (self.values > threshold).astype(np.int64)
