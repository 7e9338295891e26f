"""Convolutions over time that see nothing of the future."""

from __future__ import annotations

from typing import Any

from ..frontend.functional.windows import whole
from ..frontend.operations.creation import zeros
from ..frontend.operations.shaping import cat
from ..frontend.tensor import Tensor
from .activation import ReLU
from .conv import Conv1d
from .dropout import Dropout
from .module import Module, as_tensor


class CausalConv1d(Module):
    """A `Conv1d` of which output t sees inputs up to t: x [N, C, L] to [N, out, L].

    The past is padded with (kernel_size - 1) · dilation zeros, the future not at all. The weights
    are those of `Conv1d`, under ``conv``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.conv = Conv1d(
            in_channels, out_channels, kernel_size, dilation=dilation, groups=groups, bias=bias
        )
        self.padding = (self.conv.kernel_size[0] - 1) * self.conv.dilation[0]

    def forward(self, x: Any) -> Tensor:
        """The result, as long as ``x``."""
        x = as_tensor(x)
        if self.padding:
            before = zeros(*x.shape[:-1], self.padding)
            x = cat([before, x], dim=-1)
        result: Tensor = self.conv(x)
        return result


class TemporalBlock(Module):
    """Two dilated causal convolutions with ReLU and dropout, and a connection around them (Bai,
    Kolter and Koltun, 2018): x [N, C, L] to [N, out, L].

    The connection is a convolution of width 1 where the channels change. Output t sees the last
    2 (kernel_size - 1) dilation + 1 inputs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        whole("dilation of TemporalBlock", dilation)
        self.first = CausalConv1d(in_channels, out_channels, kernel_size, dilation)
        self.second = CausalConv1d(out_channels, out_channels, kernel_size, dilation)
        self.activation, self.dropout = ReLU(), Dropout(dropout)
        self.around = Conv1d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Any) -> Tensor:
        """The result, as long as ``x``."""
        inside = self.dropout(self.activation(self.first(x)))
        inside = self.dropout(self.activation(self.second(inside)))
        beside = as_tensor(x) if self.around is None else self.around(x)
        result: Tensor = self.activation(inside + beside)
        return result
