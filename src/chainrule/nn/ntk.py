"""Layers of RealMLP: weights of one size whatever the width, learned scales and activations.

Holzmüller et al., 2024, "Better by default: strong pre-tuned MLPs and boosted trees on tabular
data". All have K members, whose parameters share a leading axis; see `members`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..elementary import log1p
from ..frontend import random
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy
from . import init
from .module import Module, Parameter, as_tensor, new_parameter

__all__ = ["LearnedActivation", "MemberScale", "NTKLinear"]

#: how many rows make a first bias
MIXED = 5
#: the smallest deviation that outputs are divided by
SMALLEST = 1e-4


class NTKLinear(Module):
    """y_k = x_k W_k / sqrt(in) + b_k for x [K, N, in]: [K, N, out].

    W [K, in, out] is standard normal at first and b [K, out] too, so that one learning rate suits
    layers of any width: the parametrisation of Jacot et al., 2018, "Neural tangent kernel".
    """

    weight: Parameter
    bias: Parameter

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.members = whole("members of NTKLinear", members)
        self.in_features = whole("in_features of NTKLinear", in_features)
        self.out_features = whole("out_features of NTKLinear", out_features)
        shape = (self.members, self.in_features, self.out_features)
        self.weight = new_parameter(aligned_copy(np.zeros(shape, np.float32)))
        init.normal_(self.weight)
        self.bias = new_parameter(aligned_copy(np.zeros((shape[0], shape[2]), np.float32)))
        init.normal_(self.bias)

    def forward(self, x: Any) -> Tensor:
        """x_k W_k / sqrt(in) + b_k."""
        return self._product(x) + self.bias.unsqueeze(1)

    def _product(self, x: Any) -> Tensor:
        product: Tensor = as_tensor(x) @ self.weight
        return product * (1 / math.sqrt(self.in_features))

    def adapted(self, x: Tensor, mixing: Tensor) -> Tensor:
        """The outputs for rows x [K, N, in], to which weights and biases are adapted first.

        Outputs get the variance 1; a bias is minus a mean of a unit's outputs for a few rows,
        weighed by ``mixing`` [K, N, out], so that units bend where rows are ("he+5").
        """
        product = self._product(x)
        deviation = product.var(1, correction=0, keepdim=True).sqrt().clamp(min=SMALLEST)
        with no_grad():
            self.weight.assign_(self.weight / deviation)
            self.bias.assign_(-(mixing * (product / deviation)).sum(1))
        return product / deviation + self.bias.unsqueeze(1)

    def draw_mixing(self, rows: int) -> Any:
        """For `adapted`: the weights of `MIXED` random rows for each unit, which add up to 1."""
        shape = (self.members, self.out_features, MIXED)
        drawn = np.minimum((random.rand(*shape).numpy() * rows).astype(np.int64), rows - 1)
        shares = -log1p(-random.rand(*shape).numpy().astype(np.float64))
        shares /= shares.sum(-1, keepdims=True)
        mixing = np.zeros((self.members, rows, self.out_features), np.float32)
        k, unit = np.ogrid[: self.members, : self.out_features]
        for i in range(MIXED):
            np.add.at(mixing, (k, drawn[..., i], unit), shares[..., i])
        return mixing

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"members={self.members}, in_features={self.in_features}, "
            f"out_features={self.out_features}"
        )


class MemberScale(Module):
    """y = x ∘ s for x [K, N, width] with a learned s [K, 1, width], 1 at first.

    Before the first layer it learns which inputs count.
    """

    weight: Parameter

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.weight = new_parameter(aligned_copy(np.ones((members, 1, width), np.float32)))

    def forward(self, x: Any) -> Tensor:
        """x ∘ s."""
        y: Tensor = as_tensor(x) * self.weight
        return y


class LearnedActivation(Module):
    """y = x + α (f(x) - x) for x [K, N, width] with a learned α [K, 1, width], 1 at first.

    α says how much of f a unit uses: 0 makes it linear.
    """

    weight: Parameter

    def __init__(self, function: Callable[[Tensor], Tensor], members: int, width: int) -> None:
        super().__init__()
        self.function = function
        self.weight = new_parameter(aligned_copy(np.ones((members, 1, width), np.float32)))

    def forward(self, x: Any) -> Tensor:
        """x + α (f(x) - x)."""
        x = as_tensor(x)
        y: Tensor = x + self.weight * (self.function(x) - x)
        return y
