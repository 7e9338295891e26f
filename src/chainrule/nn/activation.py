"""Activation functions as layers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from ..frontend import random
from ..frontend.functional import activations as F
from ..frontend.operations.arithmetic import sigmoid, tanh, where
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from .init import constant_
from .module import Module, Parameter, as_tensor, new_parameter


class _Activation(Module):
    """An activation with settings: ``Settings(a=1)`` keeps them as attributes and shows them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._names = tuple(settings)
        for name, value in settings.items():
            setattr(self, name, value)

    def forward(self, x: Any) -> Tensor:
        """The function of each element (or along an axis)."""
        return self.function(as_tensor(x))

    @abstractmethod
    def function(self, x: Tensor) -> Tensor:
        """What the layer computes."""

    def extra_repr(self) -> str:
        """Settings."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._names)


class ReLU(_Activation):
    """max(x, 0). ``inplace`` changes nothing: every result is new."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def function(self, x: Tensor) -> Tensor:
        return F.relu(x)


class ReLU6(_Activation):
    """min(max(x, 0), 6)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def function(self, x: Tensor) -> Tensor:
        return F.relu6(x)


class LeakyReLU(_Activation):
    """x for x > 0, else negative_slope · x."""

    negative_slope: float

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)

    def function(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)


class ELU(_Activation):
    """x for x > 0, else alpha · (exp(x) - 1)."""

    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)

    def function(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)


class CELU(_Activation):
    """x for x > 0, else alpha · (exp(x / alpha) - 1)."""

    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)

    def function(self, x: Tensor) -> Tensor:
        return F.celu(x, self.alpha)


class SELU(_Activation):
    """The scaled ELU of self-normalising networks."""

    def function(self, x: Tensor) -> Tensor:
        return F.selu(x)


class GELU(_Activation):
    """x · Φ(x); ``approximate="tanh"`` as in the first transformers."""

    approximate: str

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    def function(self, x: Tensor) -> Tensor:
        return F.gelu(x, self.approximate)


class SiLU(_Activation):
    """x · sigmoid(x)."""

    def function(self, x: Tensor) -> Tensor:
        return F.silu(x)


class Mish(_Activation):
    """x · tanh(softplus(x))."""

    def function(self, x: Tensor) -> Tensor:
        return F.mish(x)


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))."""

    def function(self, x: Tensor) -> Tensor:
        return sigmoid(x)


class Tanh(_Activation):
    """tanh(x)."""

    def function(self, x: Tensor) -> Tensor:
        return tanh(x)


class Softplus(_Activation):
    """log(1 + exp(beta x)) / beta."""

    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)

    def function(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


class LogSigmoid(_Activation):
    """log sigmoid(x)."""

    def function(self, x: Tensor) -> Tensor:
        return F.logsigmoid(x)


class Softsign(_Activation):
    """x / (1 + |x|)."""

    def function(self, x: Tensor) -> Tensor:
        return F.softsign(x)


class Tanhshrink(_Activation):
    """x - tanh(x)."""

    def function(self, x: Tensor) -> Tensor:
        return F.tanhshrink(x)


class Hardtanh(_Activation):
    """x, kept between two bounds."""

    min_val: float
    max_val: float

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__(min_val=min_val, max_val=max_val)

    def function(self, x: Tensor) -> Tensor:
        return F.hardtanh(x, self.min_val, self.max_val)


class Hardsigmoid(_Activation):
    """x/6 + 1/2, kept between 0 and 1."""

    def function(self, x: Tensor) -> Tensor:
        return F.hardsigmoid(x)


class Hardswish(_Activation):
    """x · hardsigmoid(x)."""

    def function(self, x: Tensor) -> Tensor:
        return F.hardswish(x)


class Hardshrink(_Activation):
    """x where |x| > lambd, else 0."""

    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def function(self, x: Tensor) -> Tensor:
        return F.hardshrink(x, self.lambd)


class Softshrink(_Activation):
    """x moved toward 0 by lambd."""

    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        F.check_lambd(lambd)
        super().__init__(lambd=lambd)

    def function(self, x: Tensor) -> Tensor:
        return F.softshrink(x, self.lambd)


class Threshold(_Activation):
    """x above ``threshold``, else ``value``."""

    threshold: float
    value: float

    def __init__(self, threshold: float, value: float) -> None:
        super().__init__(threshold=threshold, value=value)

    def function(self, x: Tensor) -> Tensor:
        return F.threshold(x, self.threshold, self.value)


class GLU(_Activation):
    """a · sigmoid(b) for the halves a, b of an axis."""

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)

    def function(self, x: Tensor) -> Tensor:
        return F.glu(x, self.dim)


class Softmax(_Activation):
    """exp(x) / sum exp(x) along an axis."""

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)

    def function(self, x: Tensor) -> Tensor:
        return F.softmax(x, self.dim)


class LogSoftmax(_Activation):
    """log softmax(x) along an axis."""

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)

    def function(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, self.dim)


class Softmin(_Activation):
    """softmax(-x) along an axis."""

    dim: int

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)

    def function(self, x: Tensor) -> Tensor:
        return F.softmin(x, self.dim)


class PReLU(_Activation):
    """x for x > 0, else w · x with learned w: one, or one for each channel (axis 1)."""

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__(num_parameters=num_parameters)
        self.weight = new_parameter(aligned_empty((num_parameters,), np.float32))
        constant_(self.weight, init)

    def function(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.weight)


class RReLU(_Activation):
    """x for x > 0, else s · x; s is drawn for each element in training, else the middle."""

    lower: float
    upper: float

    def __init__(self, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0) -> None:
        super().__init__(lower=lower, upper=upper)

    def function(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.leaky_relu(x, (self.lower + self.upper) / 2.0)
        slope = random.uniform(x.shape, self.lower, self.upper)
        return where(x > 0.0, x, x * slope)
