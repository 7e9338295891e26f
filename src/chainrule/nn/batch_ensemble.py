"""Members of an ensemble that share most of their weights, as in TabM.

    x [N, I] ── BatchEnsembleLinear, activation, dropout ... [K, N, H] ── MemberLinear ──► [K, N, O]

Wen et al., 2020, "BatchEnsemble: an alternative approach to efficient ensemble and lifelong
learning"; Gorishniy et al., 2025, "TabM: advancing tabular deep learning with parameter-efficient
ensembling".
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy
from . import init
from .linear import Linear
from .module import Module, Parameter, as_tensor, new_parameter

__all__ = ["BatchEnsembleLinear", "FirstScales"]

#: 1; or -1 and 1 with equal chances; or standard normal
FirstScales = Literal["ones", "signs", "normal"]


class BatchEnsembleLinear(Module):
    """y_k = ((x_k ∘ r_k) W) ∘ s_k + b_k for x [K, N, in], or x [N, in] that all share: [K, N, out].

    All members share W [in, out]; each has a scale r_k of the inputs [K, in], s_k of the outputs
    and a bias b_k [K, out]. W and the biases, which are equal at first, are drawn as those of
    `Linear`; s is 1, and r is what ``start`` says: ``signs`` make members differ from the first
    layer on, ``normal`` suits inputs that are embedded, ``ones`` the layers after it.

    It takes one product for all members, of K · N rows.
    """

    weight: Parameter
    before: Parameter
    after: Parameter
    bias: Parameter

    def __init__(
        self, members: int, in_features: int, out_features: int, start: FirstScales = "ones"
    ) -> None:
        super().__init__()
        self.members = whole("members of BatchEnsembleLinear", members)
        self.in_features = whole("in_features of BatchEnsembleLinear", in_features)
        self.out_features = whole("out_features of BatchEnsembleLinear", out_features)
        shared = Linear(self.in_features, self.out_features)
        assert shared.bias is not None
        self.weight = new_parameter(aligned_copy(shared.weight.numpy().T))
        self.before = _scales(self.members, self.in_features, start)
        self.after = _scales(self.members, self.out_features, "ones")
        self.bias = new_parameter(aligned_copy(np.tile(shared.bias.numpy(), (self.members, 1))))

    def forward(self, x: Any) -> Tensor:
        """((x_k ∘ r_k) W) ∘ s_k + b_k of each member."""
        x = as_tensor(x)
        fits = x.ndim == 2 or (x.ndim == 3 and x.shape[0] == self.members)
        if not fits or x.shape[-1] != self.in_features:
            raise ShapeError(
                f"an input of shape {x.shape} does not match {self.members} members with "
                f"{self.in_features} features",
                where=user_line(),
                help="pass [rows, features] for all members, or [members, rows, features]",
            )
        scaled = x * self.before.unsqueeze(1)
        product = (scaled.reshape(-1, self.in_features) @ self.weight).reshape(
            self.members, -1, self.out_features
        )
        y: Tensor = product * self.after.unsqueeze(1) + self.bias.unsqueeze(1)
        return y

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"members={self.members}, in_features={self.in_features}, "
            f"out_features={self.out_features}"
        )


def _scales(members: int, width: int, start: FirstScales) -> Parameter:
    """A factor for each feature of each member, [K, width]."""
    if start not in ("ones", "signs", "normal"):
        raise ConfigError(
            f"the first scales are {start!r}", help="pass 'ones', 'signs' or 'normal'"
        )
    parameter = new_parameter(aligned_copy(np.ones((members, width), np.float32)))
    if start == "normal":
        init.normal_(parameter)
    if start == "signs":
        init.uniform_(parameter, -1.0, 1.0)
        with no_grad():
            parameter.assign_(np.where(parameter.numpy() < 0, -1, 1).astype(np.float32))
    return parameter
