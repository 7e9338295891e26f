"""Layers that are random in training."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..frontend import random
from ..frontend.tensor import Tensor
from .module import Module, as_tensor


class Dropout(Module):
    """In training each element is 0 with probability p, else divided by 1 - p.

    Srivastava et al., 2014. Masks come from the default generator.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ConfigError(f"the probability of dropout is {p}", help="give one from 0 to 1")
        self.p = p

    def forward(self, x: Any) -> Tensor:
        """x with elements dropped."""
        return random.dropout(as_tensor(x), self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
