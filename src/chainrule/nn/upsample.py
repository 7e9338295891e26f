"""Layers that change the size of images without weights."""

from __future__ import annotations

from typing import Any

from ..frontend.functional import resizing as F
from ..frontend.functional.windows import Sizes, per_axis, whole
from ..frontend.tensor import Tensor
from .module import Module, as_tensor


class Upsample(Module):
    """x [N, C, *S] resized to ``size``, or to floor(S · scale_factor).

    ``mode`` is "nearest", or "linear", "bilinear", "trilinear" for one to three image axes. With
    ``align_corners`` the corner elements stay where they are; otherwise elements are squares whose
    borders are aligned.
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: F.Factors | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        F.check_interpolation(size, scale_factor, mode, align_corners)
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Any) -> Tensor:
        """The resized images."""
        return F.interpolate(
            as_tensor(x), self.size, self.scale_factor, self.mode, self.align_corners
        )

    def extra_repr(self) -> str:
        """Settings."""
        how = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{how}, mode={self.mode!r}"


class PixelShuffle(Module):
    """x [N, C·r², H, W] as [N, C, H·r, W·r] (Shi et al., 2016)."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = whole("upscale_factor of PixelShuffle", upscale_factor)

    def forward(self, x: Any) -> Tensor:
        """The larger images."""
        return F.pixel_shuffle(as_tensor(x), self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class _ZeroPad(Module):
    axes: int

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = per_axis(
            f"padding of {type(self).__name__}", padding, 2 * self.axes, least=None
        )

    def forward(self, x: Any) -> Tensor:
        """The images with zeros around."""
        return F.pad(as_tensor(x), self.padding)

    def extra_repr(self) -> str:
        """Widths."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros around x [N, C, L]: one number, or (left, right)."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around x [N, C, H, W]: one number, or (left, right, top, bottom).

    A negative width takes elements away.
    """

    axes = 2
