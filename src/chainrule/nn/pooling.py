"""Layers that take one number from each window."""

from __future__ import annotations

from typing import Any

from ..frontend.functional import pooling as F
from ..frontend.functional.windows import Sizes, per_axis
from ..frontend.tensor import Tensor
from .module import Module, as_tensor


class _Pool(Module):
    axes: int

    def _check(self, **sizes: Sizes) -> None:
        """`ConfigError` for what is no size of a window; only paddings may be 0."""
        for name, size in sizes.items():
            named = f"{name} of {type(self).__name__}"
            per_axis(named, size, self.axes, least=0 if name == "padding" else 1)


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self._check(kernel_size=kernel_size, stride=self.stride, padding=padding, dilation=dilation)
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Tensor:
        """The largest element of each window."""
        return F.max_pool(
            as_tensor(x), self.kernel_size, self.stride, self.padding, self.dilation,
            self.ceil_mode, self.axes,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Settings."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of x [N, C, L]; see `MaxPool2d`."""

    axes = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window of x [N, C, H, W].

    Windows are ``stride`` apart, by default side by side. Of equal elements the first, row by row,
    gets the gradient; a NaN counts as largest.
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element of each window of x [N, C, D, H, W]; see `MaxPool2d`."""

    axes = 3


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.ceil_mode = kernel_size, padding, ceil_mode
        self.stride = kernel_size if stride is None else stride
        self._check(kernel_size=kernel_size, stride=self.stride, padding=padding)
        F.check_divisor(divisor_override)
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Any) -> Tensor:
        """The mean of each window."""
        return F.avg_pool(
            as_tensor(x), self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override, self.axes,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of each window of x [N, C, L]; see `AvgPool2d`."""

    axes = 1


class AvgPool2d(_AvgPool):
    """The mean of each window of x [N, C, H, W].

    Zeros of the padding count as elements unless ``count_include_pad`` is False.
    """

    axes = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of x [N, C, D, H, W]; see `AvgPool2d`."""

    axes = 3


class _AdaptivePool(Module):
    axes: int

    def __init__(self, output_size: F.OutputSize) -> None:
        super().__init__()
        F.check_output_size(f"output_size of {type(self).__name__}", output_size, self.axes)
        self.output_size = output_size

    def extra_repr(self) -> str:
        """The size of the result."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of ``output_size`` windows of x [N, C, L]; see `AdaptiveAvgPool2d`."""

    axes = 1

    def forward(self, x: Any) -> Tensor:
        """The mean of each window."""
        return F.adaptive_avg_pool1d(as_tensor(x), self.output_size)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of ``output_size`` (rows, columns) of windows of x [N, C, H, W], of any H and W.

    Window i of m along n elements is floor(i·n / m) to ceil((i + 1)·n / m).
    """

    axes = 2

    def forward(self, x: Any) -> Tensor:
        """The mean of each window."""
        return F.adaptive_avg_pool2d(as_tensor(x), self.output_size)


class AdaptiveMaxPool1d(_AdaptivePool):
    """The largest elements of ``output_size`` windows of x [N, C, L]."""

    axes = 1

    def forward(self, x: Any) -> Tensor:
        """The largest element of each window."""
        return F.adaptive_max_pool1d(as_tensor(x), self.output_size)


class AdaptiveMaxPool2d(_AdaptivePool):
    """The largest elements of windows of x [N, C, H, W]; windows as in `AdaptiveAvgPool2d`."""

    axes = 2

    def forward(self, x: Any) -> Tensor:
        """The largest element of each window."""
        return F.adaptive_max_pool2d(as_tensor(x), self.output_size)
