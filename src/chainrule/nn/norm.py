"""Layers that normalise activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.functional import normalization
from ..frontend.functional.activations import setting
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from . import init
from .module import Module, Parameter, as_tensor, new_parameter, zero_buffer


def _learned(shape: tuple[int, ...], value: float) -> Parameter:
    parameter = new_parameter(aligned_empty(shape, np.float32))
    init.constant_(parameter, value)
    return parameter


def _check_eps(name: str, eps: float) -> None:
    """`ConfigError` for a number below 0, which would make roots of negative numbers."""
    if not eps >= 0.0:
        raise ConfigError(
            f"eps of {name} is {eps!r}", where=user_line(), help="pass 1e-5, or 0 at least"
        )


class _ChannelNorm(Module):
    """Learned scale, shift and running statistics of each channel, all of them optional."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    #: numbers of axes that an input may have, and how they are called
    layouts: Mapping[int, str]

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        num_features = whole(f"num_features of {name}", num_features)
        setting(f"eps of {name}", eps, eps > 0.0, normalization.ABOVE_0)
        if momentum is not None and not 0.0 <= momentum <= 1.0:
            raise ConfigError(
                f"momentum of {name} is {momentum!r}",
                where=user_line(),
                help="pass the weight of each batch in the running statistics, 0 to 1, or None",
            )
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter("weight", _learned((num_features,), 1.0) if affine else None)
        self.register_parameter("bias", _learned((num_features,), 0.0) if affine else None)
        buffers: dict[str, Tensor | None] = {
            "running_mean": None, "running_var": None, "num_batches_tracked": None,
        }  # fmt: skip
        if track_running_stats:
            buffers["running_mean"] = zero_buffer((num_features,))
            buffers["running_var"] = init.ones_(zero_buffer((num_features,)))
            buffers["num_batches_tracked"] = zero_buffer((), np.int32)
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)

    def _checked(self, value: Any) -> Tensor:
        """The input, which must have an axis of ``num_features`` channels."""
        x = as_tensor(value)
        if x.ndim not in self.layouts or x.shape[1] != self.num_features:
            shown = " or ".join(self.layouts.values()).replace("C", str(self.num_features))
            axes = x.ndim not in self.layouts
            has = f"{x.ndim} axes" if axes else f"{x.shape[1]} channels"
            raise ShapeError(
                f"an input of shape {x.shape} does not match {self.num_features} features",
                where=user_line(),
                help=f"pass {shown}; the input has {has}",
            )
        return x

    def extra_repr(self) -> str:
        """Settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Any) -> Tensor:
        """The normalised Tensor."""
        return normalization.batch_norm(
            self._checked(x),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=self._momentum(),
            eps=self.eps,
        )

    def _momentum(self) -> float | Tensor:
        """Counts the batch, if one is learned from; the share it gets in the running statistics."""
        if not self.training or self.num_batches_tracked is None:
            return 0.0
        with no_grad():
            self.num_batches_tracked.assign_(self.num_batches_tracked + 1)
        if self.momentum is not None:
            return self.momentum
        return 1.0 / self.num_batches_tracked


class BatchNorm1d(_BatchNorm):
    """(x - mean) / sqrt(var + eps) · weight + bias per feature of x [N, C] or [N, C, L].

    In training, with the statistics of the batch; running ones move toward them by ``momentum``
    (None: their plain average over all batches) and are used in evaluation.
    Ioffe and Szegedy, 2015.
    """

    layouts = MappingProxyType({2: "[batch, C]", 3: "[batch, C, length]"})


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` per channel of images x [N, C, H, W]."""

    layouts = MappingProxyType({4: "[batch, C, height, width]"})


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` per channel of volumes x [N, C, D, H, W]."""

    layouts = MappingProxyType({5: "[batch, C, depth, height, width]"})


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, x: Any) -> Tensor:
        """The normalised Tensor."""
        return normalization.instance_norm(
            self._checked(x),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            use_input_stats=self.training or not self.track_running_stats,
            momentum=self.momentum or 0.0,
            eps=self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(var + eps) for each channel of each example of x [N, C, L].

    ``affine`` adds learned scale and shift; ``track_running_stats`` uses running statistics in
    evaluation. Ulyanov, Vedaldi and Lempitsky, 2016, "Instance normalization: the missing
    ingredient for fast stylization".
    """

    layouts = MappingProxyType({3: "[batch, C, length]"})


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images x [N, C, H, W]."""

    layouts = MappingProxyType({4: "[batch, C, height, width]"})


class GroupNorm(Module):
    """(x - mean) / sqrt(var + eps) · weight + bias over groups of channels of each example.

    x is [N, num_channels, ...]. One group is layer normalisation of the whole example, a group for
    each channel instance normalisation. Wu and He, 2018, "Group normalization".
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        num_groups = whole("num_groups of GroupNorm", num_groups)
        num_channels = whole("num_channels of GroupNorm", num_channels)
        _check_eps("GroupNorm", eps)
        if num_channels % num_groups:
            raise ShapeError(
                f"GroupNorm cannot split {num_channels} channels into {num_groups} groups",
                where=user_line(),
                help="the number of groups must divide the number of channels",
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self.register_parameter("weight", _learned((num_channels,), 1.0) if affine else None)
        self.register_parameter("bias", _learned((num_channels,), 0.0) if affine else None)

    def forward(self, x: Any) -> Tensor:
        """The normalised Tensor."""
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(
                f"an input of shape {x.shape} does not match {self.num_channels} channels",
                where=user_line(),
                help=f"pass [batch, {self.num_channels}, ...]: channels come second",
            )
        return normalization.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Settings."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) · weight + bias over the last axes (Ba et al., 2016)."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape, "LayerNorm")
        _check_eps("LayerNorm", eps)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        shape = self.normalized_shape
        self.register_parameter("weight", _learned(shape, 1.0) if elementwise_affine else None)
        with_bias = elementwise_affine and bias
        self.register_parameter("bias", _learned(shape, 0.0) if with_bias else None)

    def forward(self, x: Any) -> Tensor:
        """The normalised Tensor."""
        return normalization.layer_norm(
            as_tensor(x), self.normalized_shape, self.weight, self.bias, self.eps
        )

    def extra_repr(self) -> str:
        """Settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class RMSNorm(Module):
    """x / sqrt(mean x² + eps) · weight over the last axes (Zhang and Sennrich, 2019)."""

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape, "RMSNorm")
        _check_eps("RMSNorm", 0.0 if eps is None else eps)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        learned = _learned(self.normalized_shape, 1.0) if elementwise_affine else None
        self.register_parameter("weight", learned)

    def forward(self, x: Any) -> Tensor:
        """The normalised Tensor."""
        return normalization.rms_norm(as_tensor(x), self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Settings."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


def _shape(shape: int | Sequence[int], name: str) -> tuple[int, ...]:
    """The lengths of the last axes, at least one of them."""
    lengths = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    what = f"normalized_shape of {name}"
    if not lengths:
        raise ConfigError(f"{what} is {shape!r}", where=user_line(), help="pass one axis at least")
    return tuple(whole(what, n, least=0) for n in lengths)
