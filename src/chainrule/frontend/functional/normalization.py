"""Layers that bring activations to mean 0 and variance 1, or to root mean square 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...errors import ShapeError
from ...ir.types import DType, Shape
from ..modes import no_grad, user_line
from ..operations import reductions
from ..operations.arithmetic import broadcast_to, cast, maximum, sqrt, where
from ..operations.shaping import reshape, whole_lengths
from .activations import setting

if TYPE_CHECKING:
    from ..tensor import Tensor

#: machine epsilon of f32, PyTorch's default for RMS normalisation
F32_EPS = 2.0**-23
ABOVE_0 = "a number above 0, such as 1e-5, to avoid division by 0"


def _last_axes(x: Tensor, normalized_shape: int | Sequence[int]) -> Shape:
    shape = whole_lengths(
        normalized_shape if isinstance(normalized_shape, Iterable) else (normalized_shape,),
        "normalized_shape",
    )
    if not shape or x.shape[x.ndim - len(shape) :] != shape or len(shape) > x.ndim:
        raise ShapeError(
            f"an input of shape {x.shape} does not end with {shape}",
            where=user_line(),
            help=f"the last axes must be {shape}, as the layer was built for",
        )
    return tuple(range(x.ndim - len(shape), x.ndim))


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) · weight + bias over the last axes; var divides by n."""
    axes = _last_axes(x, normalized_shape)
    centred = x - reductions.mean(x, axes, keepdim=True)
    y = centred / sqrt(reductions.mean(centred * centred, axes, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean x² + eps) · weight over the last axes."""
    axes = _last_axes(x, normalized_shape)
    mean_square = reductions.mean(x * x, axes, keepdim=True)
    y = x / sqrt(mean_square + (F32_EPS if eps is None else eps))
    return y if weight is None else y * weight


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) · weight + bias for each channel (axis 1).

    In training, or without running statistics, mean and variance are those of the batch, and the
    running ones move toward them by ``momentum`` (the variance there divides by n - 1). Otherwise
    the running ones are used. `ShapeError` if a channel of a batch has a single value, or if there
    are no channels.
    """
    return _batch_norm(x, None, running_mean, running_var, weight, bias, training, momentum, eps)


def masked_batch_norm(
    x: Tensor,
    inside: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` with the statistics of those values alone that are ``inside``, a bool that
    broadcasts to [N, 1, ...]: padding moves no mean. What is outside is scaled like the rest."""
    return _batch_norm(x, inside, running_mean, running_var, weight, bias, training, momentum, eps)


def _batch_norm(
    x: Tensor,
    inside: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float | Tensor,
    eps: float,
) -> Tensor:
    if x.ndim < 2:
        raise ShapeError(
            f"an input of shape {x.shape} has no channels",
            where=user_line(),
            help="pass [batch, channels, ...]; a single example is x.unsqueeze(0)",
        )
    setting("eps", eps, eps > 0.0, ABOVE_0)
    along = [1, x.shape[1]] + [1] * (x.ndim - 2)
    if running_mean is None or running_var is None or training:
        mean, centred, variance, unbiased = _moments(x, inside, along)
        if training and running_mean is not None and running_var is not None:
            with no_grad():
                _move(running_mean, mean, momentum)
                _move(running_var, variance * unbiased, momentum)
    else:
        mean, variance = running_mean, running_var
        centred = x - reshape(mean, along)
    scale = 1.0 / sqrt(variance + eps)
    y = centred * reshape(scale if weight is None else scale * weight, along)
    return y if bias is None else y + reshape(bias, along)


def _moments(
    x: Tensor, inside: Tensor | None, along: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, float | Tensor]:
    """Of each channel the mean, x without it, the variance, and n / (n - 1) for n values."""
    axes = [a for a in range(x.ndim) if a != 1]
    count = x.shape[0] * _product(x.shape[2:])
    if count < 2:
        raise ShapeError(
            f"batch statistics need more than one value per channel; the input is {x.shape}",
            where=user_line(),
            help="use a larger batch, or model.eval()",
        )
    if inside is None:
        mean = reductions.mean(x, axes)
        centred = x - reshape(mean, along)
        return mean, centred, reductions.mean(centred * centred, axes), count / (count - 1)
    places = broadcast_to(inside, (x.shape[0], 1, *x.shape[2:]))
    known = cast(reductions.sum(places), DType.f32)
    mean = reductions.sum(where(inside, x, 0.0), axes) / known
    centred = x - reshape(mean, along)
    variance = reductions.sum(where(inside, centred * centred, 0.0), axes) / known
    return mean, centred, variance, known / maximum(known - 1.0, 1.0)


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) · weight + bias, statistics over each group of channels.

    x is [N, C, ...]; the C channels fall into ``num_groups`` groups, in each example on its own.
    `ShapeError` if they do not.
    """
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ShapeError(
            f"an input of shape {x.shape} cannot be split into {num_groups} channel groups",
            where=user_line(),
            help="pass [batch, channels, ...]; the groups must divide the channels evenly",
        )
    grouped = reshape(x, (x.shape[0], num_groups, x.shape[1] // num_groups, *x.shape[2:]))
    axes = range(2, grouped.ndim)
    centred = grouped - reductions.mean(grouped, axes, keepdim=True)
    variance = reductions.mean(centred * centred, axes, keepdim=True)
    y = reshape(centred * (1.0 / sqrt(variance + eps)), x.shape)
    along = [1, x.shape[1]] + [1] * (x.ndim - 2)
    y = y if weight is None else y * reshape(weight, along)
    return y if bias is None else y + reshape(bias, along)


def instance_norm(
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) · weight + bias for each channel of each example [N, C, *S].

    Running statistics, if given, move toward the averages over the batch by ``momentum``; without
    ``use_input_stats`` they are what is used. `ShapeError` if a channel has a single value.
    """
    setting("eps", eps, eps > 0.0, ABOVE_0)
    tracked = running_mean is not None and running_var is not None
    if tracked and not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    count = _product(x.shape[2:])
    if count < 2:
        raise ShapeError(
            f"statistics of an example need more than one value per channel; the input is "
            f"{x.shape}",
            where=user_line(),
            help="use larger images",
        )
    if running_mean is not None and running_var is not None:
        axes = range(2, x.ndim)
        with no_grad():
            mean = reductions.mean(x, axes)
            _move(running_mean, reductions.mean(mean, 0), momentum)
            _move(running_var, reductions.mean(reductions.var(x, axes), 0), momentum)
    return group_norm(x, x.shape[1], weight, bias, eps)


def _move(running: Tensor, value: Tensor, momentum: float | Tensor) -> None:
    running.assign_(running + momentum * (value.detach() - running))


def _product(lengths: Sequence[int]) -> int:
    result = 1
    for n in lengths:
        result *= n
    return result
