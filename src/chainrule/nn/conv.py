"""Convolutional layers."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..frontend.functional import convolution as F
from ..frontend.functional.windows import Sizes, per_axis, whole
from ..frontend.modes import user_line
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from . import init
from .module import Module, Parameter, as_tensor, new_parameter


class _Convolution(Module):
    """Weights [O, C / groups, *K], transposed [C, O / groups, *K], and a bias for each output.

    In memory the second axis of the weight comes last: so their gradient is computed in place.
    """

    weight: Parameter
    bias: Parameter | None
    axes: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: F.Padding,
        dilation: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ConfigError(
                f"padding_mode of {name} is {padding_mode!r}",
                where=user_line(),
                help='there is "zeros"',
            )
        in_channels = whole(f"in_channels of {name}", in_channels)
        out_channels = whole(f"out_channels of {name}", out_channels)
        groups = whole(f"groups of {name}", groups)
        if in_channels % groups or out_channels % groups:
            raise ShapeError(
                f"{name}({in_channels}, {out_channels}) cannot be split into {groups} groups",
                where=user_line(),
                help="groups must divide both the input and the output channels",
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = per_axis(f"kernel_size of {name}", kernel_size, self.axes)
        self.stride = per_axis(f"stride of {name}", stride, self.axes)
        self.dilation = per_axis(f"dilation of {name}", dilation, self.axes)
        self.padding: F.Padding = padding
        if not isinstance(padding, str):
            self.padding = per_axis(f"padding of {name}", padding, self.axes, least=0)
        elif not self.transposed:
            F.paddings(padding, self.kernel_size, self.stride)  # refuses unknown words
        self.register_parameter("weight", new_parameter(self._empty_weight()))
        self.register_parameter("bias", None)
        if bias:
            self.bias = new_parameter(aligned_empty((out_channels,), np.float32))
        self.reset_parameters()

    def _empty_weight(self) -> Any:
        """In the order in which the product or the sum over taps reads or makes it."""
        rows, columns = self.out_channels, self.in_channels
        order = (0, *range(2, 2 + self.axes), 1)
        single = set(self.kernel_size) == {1} or self.groups == columns
        if single and not self.transposed:
            order = (*range(2, 2 + self.axes), 1, 0)
        if self.transposed:
            rows, columns = columns, rows
            order = (*range(1, 2 + self.axes), 0)
        shape = (rows, columns // self.groups, *self.kernel_size)
        return aligned_empty(shape, np.float32, order)

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in ±1/sqrt(fan-in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5.0))
        if self.bias is not None:
            fan_in, _ = init.fan_in_and_fan_out(self.weight)
            bound = 1.0 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Any) -> Tensor:
        """The convolved images."""
        return self.function(as_tensor(x))

    @abstractmethod
    def function(self, x: Tensor) -> Tensor:
        """What the layer computes."""

    def extra_repr(self) -> str:
        """Sizes and settings that are not the usual ones."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        none, one = (0,) * self.axes, (1,) * self.axes
        text += "" if self.padding == none else f", padding={self.padding!r}"
        text += "" if self.dilation == one else f", dilation={self.dilation}"
        text += "" if self.groups == 1 else f", groups={self.groups}"
        return text + ("" if self.bias is not None else ", bias=False")


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: F.Padding = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode,
        )  # fmt: skip

    def function(self, x: Tensor) -> Tensor:
        return F.convolve(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups,
            self.axes,
        )  # fmt: skip


class Conv1d(_Conv):
    """Convolution of x [N, C, L]; weight [out_channels, in_channels / groups, K]; see `Conv2d`."""

    axes = 1


class Conv2d(_Conv):
    """Convolution of x [N, C, H, W]; weight [out_channels, in_channels / groups, K, L].

    ``padding`` is a number of zeros on each side, "valid" or "same"; the result has
    floor((H + 2·padding - dilation·(K - 1) - 1) / stride) + 1 rows. With ``groups`` each group of
    outputs sees a group of inputs of its own; groups = in_channels is a depthwise convolution.
    Weights and bias are uniform in ±1/sqrt(in_channels / groups · K · L) at first. LeCun et al.,
    1989, "Backpropagation applied to handwritten zip code recognition".
    """

    axes = 2


class Conv3d(_Conv):
    """Convolution of x [N, C, D, H, W]; see `Conv2d`."""

    axes = 3


class _ConvTranspose(_Convolution):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
    ) -> None:
        name = type(self).__name__
        cut = per_axis(f"padding of {name}", padding, self.axes, least=0)  # refuses "same"
        super().__init__(
            in_channels, out_channels, kernel_size, stride, cut, dilation, groups, bias,
            padding_mode,
        )  # fmt: skip
        self.cut = cut
        self.output_padding = per_axis(
            f"output_padding of {name}", output_padding, self.axes, least=0
        )

    def function(self, x: Tensor) -> Tensor:
        return F.convolve_transposed(
            x, self.weight, self.bias, self.stride, self.cut, self.output_padding, self.groups,
            self.dilation, self.axes,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Sizes and settings that are not the usual ones."""
        more = f", output_padding={self.output_padding}" if any(self.output_padding) else ""
        return super().extra_repr() + more


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d`; weight [in_channels, out_channels / groups, K]."""

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d` as a linear map: it makes images larger.

    Weight [in_channels, out_channels / groups, K, L]. The result has
    (H - 1)·stride - 2·padding + dilation·(K - 1) + output_padding + 1 rows.
    """

    axes = 2
