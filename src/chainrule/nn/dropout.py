"""Layers that drop something at random in training, and hand on their input in evaluation.

Masks come from the default generator, so `chainrule.manual_seed` fixes them, and a compiled step
draws the same ones as the same lines run one by one.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..frontend.functional import dropout as F
from ..frontend.tensor import Tensor
from .module import Module, as_tensor


class _Dropping(Module):
    """A layer with a probability ``p``. ``inplace`` changes nothing: every result is new."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not (isinstance(p, int | float | np.number) and 0.0 <= p <= 1.0):
            raise ConfigError(f"the probability of dropout is {p!r}", help="pass one from 0 to 1")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        """x with parts dropped."""
        return self.function(as_tensor(x))

    @abstractmethod
    def function(self, x: Tensor) -> Tensor:
        """What the layer computes."""

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class Dropout(_Dropping):
    """In training each element is 0 with probability p, else divided by 1 - p.

    Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def function(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)


class Dropout1d(_Dropping):
    """Drops whole channels of x [N, C, L] or [C, L]: neighbours along L are alike.

    Tompson et al., 2015, "Efficient object localization using convolutional networks".
    """

    def function(self, x: Tensor) -> Tensor:
        return F.dropout1d(x, self.p, self.training)


class Dropout2d(_Dropping):
    """Drops whole channels of x [N, C, H, W] (Tompson et al., 2015)."""

    def function(self, x: Tensor) -> Tensor:
        return F.dropout2d(x, self.p, self.training)


class Dropout3d(_Dropping):
    """Drops whole channels of x [N, C, D, H, W] or [C, D, H, W] (Tompson et al., 2015)."""

    def function(self, x: Tensor) -> Tensor:
        return F.dropout3d(x, self.p, self.training)


class AlphaDropout(_Dropping):
    """The dropout for SELU: dropped elements take its lower limit, and mean and variance stay.

    Klambauer et al., 2017, "Self-Normalizing Neural Networks". A p of 0.05 to 0.1 is usual.
    """

    def function(self, x: Tensor) -> Tensor:
        return F.alpha_dropout(x, self.p, self.training)


class FeatureAlphaDropout(_Dropping):
    """`AlphaDropout` of whole channels of x [N, C, ...]."""

    def function(self, x: Tensor) -> Tensor:
        return F.feature_alpha_dropout(x, self.p, self.training)


class DropPath(_Dropping):
    """Drops a row's whole activation: stochastic depth, ``x + DropPath(p)(block(x))``.

    Rows that stay are divided by 1 - p, so that nothing changes in evaluation; Huang et al., 2016,
    "Deep networks with stochastic depth", scale in evaluation instead, which is the same mean.
    """

    def function(self, x: Tensor) -> Tensor:
        return F.drop_path(x, self.p, self.training)


class WordDropout(_Dropping):
    """In training each token number becomes ``unk`` with probability p; ``padding_idx`` stays.

    It stands before the embedding. Bowman et al., 2016, "Generating sentences from a continuous
    space".
    """

    def __init__(self, p: float, unk: int, padding_idx: int | None = None) -> None:
        super().__init__(p)
        self.unk, self.padding_idx = unk, padding_idx

    def function(self, x: Tensor) -> Tensor:
        return F.word_dropout(x, self.p, self.unk, self.training, self.padding_idx)

    def extra_repr(self) -> str:
        """Settings."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"p={self.p}, unk={self.unk}{padding}"
