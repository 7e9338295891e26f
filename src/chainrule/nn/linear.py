"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations import products, shaping
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from ..ir.types import DType
from . import init
from .module import Module, Parameter, as_tensor, new_parameter

#: with fewer outputs than a vector has elements the weight is stored as (out, in)
NARROW = 16


class Identity(Module):
    """The input itself; takes and ignores any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """x."""
        return x


class Linear(Module):
    """y = x Wᵀ + b for x [..., in_features]; weight [out_features, in_features].

    Both are uniform in ±1/sqrt(in_features) at first. In memory the weight is an (in, out) matrix,
    which is how the forward product reads it; with few outputs it lies as it is, which is how its
    gradient is computed then.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        in_features = whole("in_features of Linear", in_features, least=0)
        out_features = whole("out_features of Linear", out_features, least=0)
        self.in_features, self.out_features = in_features, out_features
        order = "F" if out_features >= NARROW else "C"
        self.weight = new_parameter(aligned_empty((out_features, in_features), np.float32, order))
        self.register_parameter("bias", None)
        if bias:
            self.bias = new_parameter(aligned_empty((out_features,), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5.0))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Tensor:
        """x Wᵀ + b."""
        x = _real(as_tensor(x))
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            given = "a single number" if x.ndim == 0 else f"{x.shape[-1]} features"
            raise ShapeError(
                f"an input of shape {x.shape} does not match weights of shape {self.weight.shape}",
                where=user_line(),
                help=f"the layer expects {self.in_features} features, but the input has {given}",
            )
        return products.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


def _real(x: Tensor) -> Tensor:
    """x, which must be real numbers; whole numbers are a common slip worth a clear word."""
    if x.dtype is not DType.f32:
        raise DTypeError(
            f"this layer needs floating-point inputs, got dtype {x.dtype!r}",
            where=user_line(),
            help="convert it with x.astype(np.float32), or x.float() for a Tensor",
        )
    return x


class Bilinear(Module):
    """y_o = aᵀ W_o b + bias_o; weight [out_features, in1_features, in2_features]."""

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True
    ) -> None:
        super().__init__()
        in1_features = whole("in1_features of Bilinear", in1_features)
        in2_features = whole("in2_features of Bilinear", in2_features)
        out_features = whole("out_features of Bilinear", out_features, least=0)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = new_parameter(aligned_empty(shape, np.float32))
        self.register_parameter("bias", None)
        if bias:
            self.bias = new_parameter(aligned_empty((out_features,), np.float32))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in ±1/sqrt(in1_features)."""
        bound = 1.0 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, first: Any, second: Any) -> Tensor:
        """aᵀ W b + bias."""
        a, b = _real(as_tensor(first)), _real(as_tensor(second))
        sizes = (self.in1_features, self.in2_features)
        if (a.shape[-1], b.shape[-1]) != sizes or a.shape[:-1] != b.shape[:-1]:
            raise ShapeError(
                f"inputs of shapes {a.shape} and {b.shape} do not match weights of shape "
                f"{self.weight.shape}",
                where=user_line(),
                help=f"the layer expects {sizes[0]} and {sizes[1]} features",
            )
        return products.bilinear(a, b, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim`` merged into one; by default all but the batch."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Tensor:
        """The merged Tensor."""
        return as_tensor(x).flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis ``dim`` split into axes of the lengths ``unflattened_size``."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Tensor:
        """The split Tensor."""
        whole = as_tensor(x)
        axis = shaping.axis_of(self.dim, whole.ndim)
        before, after = whole.shape[:axis], whole.shape[axis + 1 :]
        return whole.reshape(*before, *self.unflattened_size, *after)
