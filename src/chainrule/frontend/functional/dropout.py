"""Random changes of activations in training: what is dropped, and noise that is added.

All numbers come from ``generator`` or the default one. Outside of training, and with a probability
of 0, each function returns x itself. Every call takes one count of the generator.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...errors import DTypeError, ShapeError
from ...ir.types import Shape
from ..apply import tensor_of
from ..modes import user_line
from ..operations.arithmetic import broadcast_to, where
from ..random import Generator, bernoulli, randn
from .activations import setting

if TYPE_CHECKING:
    from ..tensor import Tensor

# What SELU tends to for x -> -inf, -scale · alpha: Klambauer et al., "Self-Normalizing Neural
# Networks", 2017, section 2.
_SELU_FLOOR = -1.7580993408473768635


def dropout(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Each element 0 with probability p, else divided by 1 - p."""
    return _dropped(x, x.shape, p, training, generator)


def dropout1d(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Whole channels of x [N, C, L] or [C, L] set to 0 with probability p."""
    return _dropped(x, _channels(x, 1, alone=True), p, training, generator)


def dropout2d(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Whole channels of x [N, C, H, W] set to 0 with probability p.

    Three axes are refused: PyTorch reads them as [N, C, L], against its own documentation.
    """
    return _dropped(x, _channels(x, 2), p, training, generator)


def dropout3d(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Whole channels of x [N, C, D, H, W] or [C, D, H, W] set to 0 with probability p."""
    return _dropped(x, _channels(x, 3, alone=True), p, training, generator)


def drop_path(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Whole rows of the batch set to 0 with probability p, the others divided by 1 - p."""
    return _dropped(x, (x.shape[0], *[1] * (x.ndim - 1)), p, training, generator)


def alpha_dropout(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """With probability p an element becomes SELU's lower limit; then all are scaled and moved.

    a · (x or α') + b with α' = -1.7581, a = ((1 - p)(1 + p α'²))^(-1/2) and b = -a p α': the result
    has mean 0 and variance 1 if x has (Klambauer et al., 2017, section 2).
    """
    return _alpha_dropped(x, x.shape, p, training, generator)


def feature_alpha_dropout(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """`alpha_dropout` of whole channels of x [N, C, ...]; `ShapeError` below two axes."""
    if x.ndim < 2:
        raise ShapeError(
            f"an input of shape {x.shape} has no channels to drop",
            where=user_line(),
            help="pass [batch, channels, ...]",
        )
    return _alpha_dropped(x, (*x.shape[:2], *[1] * (x.ndim - 2)), p, training, generator)


def word_dropout(
    tokens: Tensor,
    p: float,
    unk: int,
    training: bool = True,
    padding_idx: int | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Each whole number becomes ``unk`` with probability p; ``padding_idx`` stays.

    `DTypeError` for real numbers.
    """
    tokens = tensor_of(tokens)
    if tokens.dtype.is_float:
        raise DTypeError(
            f"word dropout needs integers, not {tokens.dtype!r}",
            where=user_line(),
            help="pass token indices, before the embedding; for real numbers use nn.Dropout",
        )
    if not training or p == 0.0:
        return tokens
    replaced = bernoulli(tokens.shape, p, generator)
    if padding_idx is not None:
        replaced = replaced & (tokens != padding_idx)
    return where(replaced, unk, tokens)


def gaussian_noise(
    x: Tensor, std: float = 0.1, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """x + std · z with z standard normal."""
    x = tensor_of(x)
    if not training or std == 0.0:
        return x
    return x + std * randn(x.shape, generator=generator)


def gaussian_dropout(
    x: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """x · (1 + sqrt(p / (1 - p)) z), z standard normal: the moments of dropout, p < 1."""
    x = tensor_of(x)
    setting("p", p, 0.0 <= p < 1.0, "a number from 0 to below 1")
    if not training or p == 0.0:
        return x
    return x * (1.0 + math.sqrt(p / (1.0 - p)) * randn(x.shape, generator=generator))


def _channels(x: Tensor, axes: int, alone: bool = False) -> Shape:
    """The shape of one number for each channel, which has ``axes`` axes.

    ``alone`` also takes one example without the axis of the batch.
    """
    if x.ndim != axes + 2 and not (alone and x.ndim == axes + 1):
        raise ShapeError(
            f"dropout{axes}d got an input of shape {x.shape}",
            where=user_line(),
            help=f"pass [batch, channels, ...] with {axes + 2} axes",
        )
    return (*x.shape[: x.ndim - axes], *[1] * axes)


def _dropped(
    x: Tensor, shape: Shape, p: float, training: bool, generator: Generator | None
) -> Tensor:
    """x times a mask of ``shape``, which stretches to that of x."""
    x = tensor_of(x)
    setting("p", p, 0.0 <= p <= 1.0, "a probability, from 0 to 1")
    if not training or p == 0.0:
        return x
    if p >= 1.0:
        return x * 0.0
    kept = broadcast_to(bernoulli(shape, 1.0 - p, generator), x.shape)
    return where(kept, x * (1.0 / (1.0 - p)), 0.0)


def _alpha_dropped(
    x: Tensor, shape: Shape, p: float, training: bool, generator: Generator | None
) -> Tensor:
    x = tensor_of(x)
    setting("p", p, 0.0 <= p <= 1.0, "a probability, from 0 to 1")
    if not training or p == 0.0:
        return x
    if p >= 1.0:
        return x * 0.0
    a = ((1.0 - p) * (1.0 + p * _SELU_FLOOR**2)) ** -0.5
    b = -a * p * _SELU_FLOOR
    kept = broadcast_to(bernoulli(shape, 1.0 - p, generator), x.shape)
    return where(kept, a * x + b, a * _SELU_FLOOR + b)
