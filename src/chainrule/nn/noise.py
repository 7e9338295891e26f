"""Layers that add or multiply noise in training, and hand on their input in evaluation."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ConfigError
from ..frontend.functional import dropout as F
from ..frontend.tensor import Tensor
from .module import Module, as_tensor


class GaussianNoise(Module):
    """In training x + std · z, z standard normal.

    On inputs, small noise acts like a penalty on the slope of the network: Bishop, 1995, "Training
    with noise is equivalent to Tikhonov regularization". Inputs should be standardised.
    """

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        if not 0.0 <= std < math.inf:
            raise ConfigError(
                f"the standard deviation of the noise is {std}", help="pass one of at least 0"
            )
        self.std = std

    def forward(self, x: Any) -> Tensor:
        """x with noise."""
        return F.gaussian_noise(as_tensor(x), self.std, self.training)

    def extra_repr(self) -> str:
        """The deviation."""
        return f"std={self.std}"


class GaussianDropout(Module):
    """In training x · (1 + sqrt(p / (1 - p)) z), z standard normal.

    Mean and variance are those of `Dropout`, but nothing is lost entirely: Srivastava et al., 2014,
    section 10.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ConfigError(f"the probability of dropout is {p}", help="pass one in [0, 1)")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        """x with factors."""
        return F.gaussian_dropout(as_tensor(x), self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
