"""Activation functions. At a kink the derivative is the one PyTorch uses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import ConfigError, ShapeError
from ..apply import tensor_of
from ..modes import user_line
from ..operations import reductions
from ..operations.arithmetic import (
    absolute,
    clamp,
    erf,
    exp,
    expm1,
    floating,
    less,
    less_equal,
    log,
    log1p,
    sigmoid,
    tanh,
    where,
)
from ..operations.shaping import axis_of, split

if TYPE_CHECKING:
    from ..tensor import Tensor

# The fixed point of a self-normalising network: Klambauer et al., "Self-Normalizing Neural
# Networks", 2017, equation 14.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def relu(x: Tensor) -> Tensor:
    """max(x, 0). NaN stays NaN; the derivative at 0 is 0."""
    return where(less_equal(x, 0), 0, x)


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(x, 0, 6)  # whole bounds: whole numbers stay whole


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x for x > 0, else negative_slope · x."""
    x = tensor_of(x)
    return where(less(0.0, x), x, x * negative_slope)


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, else w · x, with one w for all or one for each channel (axis 1).

    `ShapeError` for any other number of weights.
    """
    x, weight = tensor_of(x), tensor_of(weight)
    if weight.shape not in ((), (1,)):
        if x.ndim < 2 or weight.shape != (x.shape[1],):
            raise ShapeError(
                f"prelu has {weight.shape} weights for an input of shape {x.shape}",
                where=user_line(),
                help="use one weight, or one per channel of the input",
            )
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    elif x.ndim == 0:
        weight = weight.reshape(())
    return where(less(0.0, x), x, x * weight)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x for x > 0, else alpha · (exp(x) - 1)."""
    above = less(0.0, x)
    return where(above, x, alpha * expm1(where(above, 0.0, x)))


def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x for x > 0, else alpha · (exp(x / alpha) - 1). `ConfigError` if alpha is 0."""
    setting("alpha", alpha, alpha != 0, "a number other than 0")
    above = less(0.0, x)
    return where(above, x, alpha * expm1(where(above, 0.0, x) / alpha))


def selu(x: Tensor) -> Tensor:
    """The scaled ELU that keeps mean 0 and variance 1 from layer to layer."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x · Φ(x), Φ the normal distribution function; "tanh" takes Hendrycks' approximation."""
    x = tensor_of(x)
    setting("approximate", approximate, approximate in ("none", "tanh"), '"none" or "tanh"')
    if approximate == "tanh":
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + tanh(inner))
    return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))


def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x), also called swish."""
    x = tensor_of(x)
    return x * sigmoid(x)


def mish(x: Tensor) -> Tensor:
    """x · tanh(softplus(x))."""
    x = tensor_of(x)
    return x * tanh(softplus(x))


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, as max(x, 0) + log1p(exp(-|x|)): nothing overflows.

    Above ``beta x > threshold`` the result is x itself, as in PyTorch. `ConfigError` if beta is 0.
    """
    x = tensor_of(x)
    setting("beta", beta, beta != 0, "a number other than 0")
    scaled = x if beta == 1.0 else x * beta
    smooth = smooth_rectifier(scaled)
    linear = where(less(threshold, scaled), scaled, smooth)
    return linear if beta == 1.0 else linear / beta


def logsigmoid(x: Tensor) -> Tensor:
    """log sigmoid(x) = -log(1 + exp(-x)), without overflow."""
    return -smooth_rectifier(-tensor_of(x))


def smooth_rectifier(x: Tensor) -> Tensor:
    """log(1 + exp(x)) as max(x, 0) + log1p(exp(-|x|)).

    Said with the two sides of 0, each of which has all its derivatives; those of max and |x| at 0
    would give the second derivative 0 there, not 1/4.
    """
    below = less(x, 0.0)
    return where(below, 0.0, x) + log1p(exp(where(below, x, -x)))


def setting(name: str, value: object, legal: bool, rule: str) -> None:
    """`ConfigError` unless ``legal``: out of its range the result would still be a number."""
    if not legal:
        raise ConfigError(f"{name} is {value!r}", where=user_line(), help=f"{name} is {rule}")


def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    x = tensor_of(x)
    return x / (1.0 + absolute(x))


def tanhshrink(x: Tensor) -> Tensor:
    """x - tanh(x)."""
    x = tensor_of(x)
    return x - tanh(x)


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x, kept between the two bounds; the derivative at a bound is 0.

    `ConfigError` if the bounds are in no order.
    """
    setting("min_val", min_val, min_val <= max_val, f"at most max_val, which is {max_val}")
    below = less_equal(x, min_val)
    return where(below, min_val, where(less_equal(max_val, x), max_val, x))


def hardsigmoid(x: Tensor) -> Tensor:
    """x/6 + 1/2, kept between 0 and 1."""
    return hardtanh(x, -3.0, 3.0) / 6.0 + 0.5


def hardswish(x: Tensor) -> Tensor:
    """x · hardsigmoid(x)."""
    x = tensor_of(x)
    low, high = less_equal(x, -3.0), less_equal(3.0, x)
    inside = where(low, 0.0, where(high, 0.0, x))  # infinity times the derivative 0 is NaN
    return where(low, 0.0, where(high, x, inside * (inside + 3.0) / 6.0))


def hardshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0."""
    return where(less_equal(absolute(x), lambd), 0.0, x)


def check_lambd(lambd: float) -> None:
    """`ConfigError` for what would move numbers away from 0."""
    setting("lambd", lambd, lambd >= 0.0, "a number of at least 0")


def softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved toward 0 by ``lambd``, at most to 0; `ConfigError` for one below 0."""
    check_lambd(lambd)
    x = tensor_of(x)
    return where(less(lambd, x), x - lambd, where(less(x, -lambd), x + lambd, x * 0.0))


def threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    """x above ``threshold``, else ``value``."""
    return where(less_equal(x, threshold), value, x)


def glu(x: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b) for the two halves a, b of ``dim``; `ShapeError` if its length is odd."""
    x = tensor_of(x)
    axis = axis_of(dim, x.ndim)
    if x.shape[axis] % 2:
        raise ShapeError(
            f"glu halves axis {dim}, which has odd length {x.shape[axis]}",
            where=user_line(),
            help="pass twice as many channels as it should return",
        )
    a, b = split(x, x.shape[axis] // 2, axis)
    return a * sigmoid(b)


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """exp(x) / sum exp(x) along ``dim``, with the largest x taken out first."""
    shifted = _shifted(x, dim)
    e = exp(shifted)
    return e / reductions.sum(e, dim, keepdim=True)


def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """log softmax(x) = x - max - log sum exp(x - max)."""
    shifted = _shifted(x, dim)
    return shifted - log(reductions.sum(exp(shifted), dim, keepdim=True))


def softmin(x: Tensor, dim: int = -1) -> Tensor:
    """softmax(-x)."""
    return softmax(-tensor_of(x), dim)


def _shifted(x: Tensor, dim: int) -> Tensor:
    """x - max x. The maximum cancels in the result, so no derivative needs to pass it."""
    x = floating(x)
    return x - reductions.amax(x.detach(), dim, keepdim=True)


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps) along ``dim``."""
    x = floating(x)
    return x / clamp(reductions.norm(x, p, dim, keepdim=True), min=eps)
