"""Ensembles as one module: K copies of a layer whose parameters share a leading axis.

    x [N, I] ── MemberLinear, activation, dropout, ... ──► [K, N, O] ── average_members ──► [N, O]

Each copy has its own first weights and dropout, and none sees the others: trained with
`EnsembleLoss` on shared batches, each learns what it would learn alone. Ensembles of networks that
differ in nothing but chance: Lakshminarayanan et al., 2017, "Simple and scalable predictive
uncertainty estimation using deep ensembles".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.functional.activations import log_softmax, logsigmoid
from ..frontend.functional.normalization import layer_norm
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations import reductions
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_copy
from . import init
from .linear import Linear
from .module import Module, Parameter, as_tensor, new_parameter
from .norm import BatchNorm1d

__all__ = ["EnsembleLoss", "MemberBatchNorm", "MemberEmbedding", "MemberLayerNorm",
           "MemberLinear", "Outputs", "average_members"]  # fmt: skip

#: what outputs are: logits of several classes, the logit of the second of two, or numbers
Outputs = Literal["softmax", "sigmoid", "identity"]


class MemberLinear(Module):
    """y_k = x_k W_k + b_k for x [N, in] that all members share, or x [K, N, in]: y is [K, N, out].

    weight [K, in, out] and bias [K, out] hold the first weights of K layers `Linear`, which are
    drawn one after the other, or are those of ``layers``. A shared x takes one product for all.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, layers: Sequence[Linear]) -> None:
        super().__init__()
        shapes = {layer.weight.shape for layer in layers}
        biases = [layer.bias for layer in layers if layer.bias is not None]
        if len(shapes) != 1 or len(biases) not in (0, len(layers)):
            raise ConfigError(
                f"the members of a MemberLinear are {list(layers)!r}",
                help="pass one Linear for each member, all of one size",
            )
        self.members = len(layers)
        self.in_features, self.out_features = layers[0].in_features, layers[0].out_features
        weights = [layer.weight.numpy().T for layer in layers]
        self.weight = new_parameter(aligned_copy(np.stack(weights)))
        self.register_parameter("bias", None)
        if biases:
            self.bias = new_parameter(aligned_copy(np.stack([b.numpy() for b in biases])))

    @classmethod
    def drawn(
        cls, members: int, in_features: int, out_features: int, bias: bool = True
    ) -> MemberLinear:
        """From K new layers `Linear`."""
        members = whole("members of MemberLinear", members)
        return cls([Linear(in_features, out_features, bias) for _ in range(members)])

    def forward(self, x: Any) -> Tensor:
        """x_k W_k + b_k of each member."""
        x = as_tensor(x)
        sizes = (self.members, self.in_features)
        if x.ndim not in (2, 3) or (x.shape[0], x.shape[-1])[3 - x.ndim :] != sizes[3 - x.ndim :]:
            raise ShapeError(
                f"an input of shape {x.shape} does not match {self.members} members with "
                f"{self.in_features} features",
                where=user_line(),
                help="pass [rows, features] for all members, or [members, rows, features]",
            )
        y = x @ self.weight if x.ndim == 3 else self._shared(x)
        return y if self.bias is None else y + self.bias.unsqueeze(1)

    def _shared(self, x: Tensor) -> Tensor:
        """x W_k as one product with the weights of all members beside one another."""
        beside = self.weight.permute(1, 0, 2).reshape(self.in_features, -1)
        return (x @ beside).reshape(x.shape[0], self.members, -1).permute(1, 0, 2)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"members={self.members}, in_features={self.in_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class MemberEmbedding(Module):
    """Rows of K tables at indices [N]: [K, N, width]; weight [num_embeddings, K, width].

    The tables are standard normal at first, as those of `Embedding`. They lie beside one another,
    so that an index is looked up once for all members.
    """

    weight: Parameter

    def __init__(self, members: int, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        shape = (
            whole("num_embeddings of MemberEmbedding", num_embeddings),
            whole("members of MemberEmbedding", members),
            whole("embedding_dim of MemberEmbedding", embedding_dim),
        )
        self.weight = new_parameter(aligned_copy(np.zeros(shape, np.float32)))
        init.normal_(self.weight)

    def forward(self, indices: Any) -> Tensor:
        """Vectors of each member."""
        rows: Tensor = self.weight[as_tensor(indices)]
        return rows.permute(1, 0, 2)

    def extra_repr(self) -> str:
        """Sizes."""
        count, members, width = self.weight.shape
        return f"members={members}, {count}, {width}"


class MemberLayerNorm(Module):
    """`LayerNorm` of x [K, N, width], with weight and bias [K, 1, width] of each member's own."""

    weight: Parameter
    bias: Parameter

    def __init__(self, members: int, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        shape = (members, 1, width)
        self.eps = eps
        self.weight = new_parameter(aligned_copy(np.ones(shape, np.float32)))
        self.bias = new_parameter(aligned_copy(np.zeros(shape, np.float32)))

    def forward(self, x: Any) -> Tensor:
        """(x - mean) / sqrt(var + eps) * weight + bias, over the last axis."""
        x = as_tensor(x)
        normal = layer_norm(x, (x.shape[-1],), eps=self.eps)
        return normal * self.weight + self.bias


class MemberBatchNorm(Module):
    """`BatchNorm1d` of x [K, N, width] over the rows, for each member by itself.

    It is one of K · width features, whose rows hold the features of all members.
    """

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.members, self.width = members, width
        self.norm = BatchNorm1d(members * width)

    def forward(self, x: Any) -> Tensor:
        """x, with mean 0 and variance 1 of each feature of each member, scaled and shifted."""
        x = as_tensor(x)
        rows = x.permute(1, 0, 2).reshape(-1, self.members * self.width)
        normal: Tensor = self.norm(rows)
        return normal.reshape(-1, self.members, self.width).permute(1, 0, 2)


def average_members(outputs: Any, kind: Outputs) -> Tensor:
    """The outputs [N, O] of a whole ensemble from those of its members [K, N, O].

    ``identity``: the mean. ``softmax`` and ``sigmoid``: the logits of the mean probability, so that
    losses and metrics take them as they take those of one network:

        softmax   log mean_k softmax(z_k)
        sigmoid   log mean_k σ(z_k) - log mean_k σ(-z_k)
    """
    z = as_tensor(outputs)
    if kind == "identity":
        return reductions.mean(z, 0)
    if kind == "softmax":
        return log_mean_exp(log_softmax(z, -1))
    return log_mean_exp(logsigmoid(z)) - log_mean_exp(logsigmoid(-z))


def log_mean_exp(z: Tensor) -> Tensor:
    """log mean_k exp(z_k) over the first axis, without overflow."""
    return reductions.logsumexp(z, 0) - math.log(z.shape[0])


class EnsembleLoss(Module):
    """The loss of an ensemble: outputs [K, N, O] of members in training, or [N, O] of the whole.

    Its value is the mean of the members' losses, comparable with the loss of one network; its
    gradient is that of their sum, so that each member learns as it would alone.
    """

    def __init__(self, loss: Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Any, target: Any) -> Tensor:
        """The loss of one batch."""
        return of_members(self.loss, as_tensor(outputs), as_tensor(target))


def of_members(loss: Callable[..., Tensor], outputs: Tensor, *by_row: Tensor) -> Tensor:
    """The loss of outputs of members, which share what there is ``by_row``, or of outputs of the
    whole ensemble; see `EnsembleLoss`."""
    if outputs.ndim < 3:
        return loss(outputs, *by_row)
    members, rows = outputs.shape[:2]
    repeated = [
        part.unsqueeze(0).expand(members, *part.shape).reshape(members * rows, *part.shape[1:])
        for part in by_row
    ]
    mean = loss(outputs.reshape(members * rows, *outputs.shape[2:]), *repeated)
    # The second part is 0; its gradient is that of the members' losses but one.
    return mean + (members - 1) * (mean - mean.detach())
