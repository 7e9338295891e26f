"""The networks themselves: from a centred window to what the naive forecasts leave.

Each takes ``past`` [rows, window, channels] (the target first), ``static`` [rows, static] and
``known`` [rows, horizon, known], None if there are none, and gives [rows, horizon, quantiles]. Last
layers start at zero, or near it where layers before them would not learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ...frontend import Tensor, no_grad
from ...frontend.operations.creation import zeros
from ...frontend.operations.shaping import cat, expand
from ...nn import functional as F
from .source import Layout

__all__ = ["DLinear", "Lstm", "NHits", "Tcn", "TsMixer"]

Maybe = Tensor | None
#: of first weights, where zeros would stop the layers before them from learning
SMALL = 0.1


def zeroed(layer: nn.Linear) -> nn.Linear:
    """A layer whose outputs are zero at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def small(layer: nn.Linear) -> nn.Linear:
    """A layer whose outputs are small at first."""
    with no_grad():
        for parameter in layer.parameters():
            parameter.assign_(parameter * SMALL)
    return layer


class Around(nn.Module):
    """The part of a forecast that is linear in all but the past of the target: in covariates of the
    past, in numbers of the series, and step by step in what is known of the future."""

    def __init__(self, layout: Layout, quantiles: int) -> None:
        super().__init__()
        self.shape = layout.horizon, quantiles
        outputs, others = layout.horizon * quantiles, layout.past + layout.known
        self.past = zeroed(nn.Linear(layout.window * others, outputs)) if others else None
        self.static = zeroed(nn.Linear(layout.static, outputs)) if layout.static else None
        self.known = zeroed(nn.Linear(layout.known, quantiles)) if layout.known else None

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        total = zeros(past.shape[0], *self.shape)
        if self.past is not None:
            total = total + self.past(past[:, :, 1:].reshape(past.shape[0], -1)).reshape(
                total.shape
            )
        if self.static is not None:
            total = total + self.static(static).reshape(total.shape)
        return total if self.known is None else total + self.known(known)


class DLinear(nn.Module):
    """One linear map of the trend of the target and one of the rest (Zeng et al., 2023), and
    `Around`."""

    def __init__(self, layout: Layout, quantiles: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.shape = layout.horizon, quantiles
        self.decompose = nn.SeriesDecomposition(min(kernel, layout.window))
        outputs = layout.horizon * quantiles
        self.trend = zeroed(nn.Linear(layout.window, outputs))
        self.rest = zeroed(nn.Linear(layout.window, outputs, bias=False))
        self.dropout = nn.Dropout(dropout)
        self.around = Around(layout, quantiles)

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        rest, trend = self.decompose(past[:, :, 0])
        total = self.trend(self.dropout(trend)) + self.rest(self.dropout(rest))
        around: Tensor = self.around(past, static, known)
        outputs: Tensor = total.reshape(past.shape[0], *self.shape) + around
        return outputs


class _NHitsBlock(nn.Module):
    """Pools the window, and gives a coarse forecast that is interpolated, and what it explains of
    the window; the ``last`` block has nobody to tell."""

    def __init__(
        self,
        layout: Layout,
        quantiles: int,
        pool: int,
        width: int,
        layers: int,
        dropout: float,
        last: bool,
    ) -> None:
        super().__init__()
        self.pool = max(1, min(pool, layout.window))
        self.coarse = max(1, -(-layout.horizon // pool))
        self.horizon, self.quantiles, self.window = layout.horizon, quantiles, layout.window
        others = layout.window * (layout.past + layout.known) + layout.horizon * layout.known
        before = layout.window // self.pool + layout.static + others
        body: list[nn.Module] = []
        for _ in range(layers):
            body += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(dropout)]
            before = width
        self.body = nn.Sequential(*body)
        self.forecast = small(nn.Linear(width, self.coarse * quantiles))
        self.backcast = None if last else small(nn.Linear(width, layout.window))

    def forward(self, x: Tensor, others: Sequence[Tensor]) -> tuple[Tensor, Maybe]:
        """The forecast [rows, horizon, quantiles] and the explained window [rows, window]."""
        pooled = x
        if self.pool > 1:
            start = self.window % self.pool  # the newest steps are always in
            pooled = F.max_pool1d(x[:, start:].unsqueeze(1), self.pool).squeeze(1)
        hidden = self.body(cat([pooled, *others], dim=1))
        coarse = self.forecast(hidden).reshape(x.shape[0], self.quantiles, self.coarse)
        if self.coarse != self.horizon:
            coarse = F.interpolate(coarse, size=self.horizon, mode="linear")
        explained = None if self.backcast is None else self.backcast(hidden)
        return coarse.permute(0, 2, 1), explained


class NHits(nn.Module):
    """Stacks from coarse to fine, each of which forecasts what the ones before left of the window
    (Challu et al., 2023)."""

    def __init__(
        self, layout: Layout, quantiles: int, width: int, layers: int, stacks: int, dropout: float
    ) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(
            _NHitsBlock(
                layout, quantiles, 1 << (stacks - 1 - i), width, layers, dropout, i == stacks - 1
            )
            for i in range(stacks)
        )

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        rows = past.shape[0]
        others = [] if static is None else [static]
        if past.shape[2] > 1:
            others.append(past[:, :, 1:].reshape(rows, -1))
        if known is not None:
            others.append(known.reshape(rows, -1))
        x, forecasts = past[:, :, 0], []
        for stack in self.stacks:
            forecast, explained = stack(x, others)
            x = x if explained is None else x - explained
            forecasts.append(forecast)
        total: Tensor = sum(forecasts[1:], start=forecasts[0])
        return total


class _Mixer(nn.Module):
    """Mixes over time, then over channels, each with a connection around it."""

    def __init__(self, window: int, width: int, dropout: float) -> None:
        super().__init__()
        self.time = nn.Linear(window, window)
        self.channels = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.before_time, self.before_channels = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, window, width] to the same."""
        mixed = F.relu(self.time(self.before_time(x).permute(0, 2, 1))).permute(0, 2, 1)
        x = x + self.dropout(mixed)
        result: Tensor = x + self.dropout(self.channels(self.before_channels(x)))
        return result


class TsMixer(nn.Module):
    """Blocks of linear maps over time and over channels in turn (Chen et al., 2023)."""

    def __init__(
        self, layout: Layout, quantiles: int, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.horizon = layout.horizon
        channels = 1 + layout.past + layout.known + layout.static
        self.enter = nn.Linear(channels, width)
        self.blocks = nn.Sequential(*(_Mixer(layout.window, width, dropout) for _ in range(blocks)))
        self.ahead = nn.Linear(layout.window, layout.horizon)
        self.leave = small(nn.Linear(width + layout.known, quantiles))

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        rows, window = past.shape[:2]
        if static is not None:
            repeated = expand(static.unsqueeze(1), (rows, window, static.shape[1]))
            past = cat([past, repeated], dim=2)
        mixed = self.blocks(self.enter(past))
        ahead = self.ahead(mixed.permute(0, 2, 1)).permute(0, 2, 1)
        outputs: Tensor = self.leave(ahead if known is None else cat([ahead, known], dim=2))
        return outputs


class Ahead(nn.Module):
    """From what a network has seen [rows, width] to all steps ahead, with what is known of them."""

    def __init__(self, layout: Layout, quantiles: int, width: int) -> None:
        super().__init__()
        self.shape = layout.horizon, quantiles
        self.seen = small(nn.Linear(width + layout.static, layout.horizon * quantiles))
        self.known = zeroed(nn.Linear(layout.known, quantiles)) if layout.known else None

    def forward(self, seen: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        if static is not None:
            seen = cat([seen, static], dim=1)
        result: Tensor = self.seen(seen).reshape(seen.shape[0], *self.shape)
        return result if self.known is None or known is None else result + self.known(known)


class Tcn(nn.Module):
    """Dilated causal convolutions, as many as it takes for the last step to see the whole window
    (Bai, Kolter and Koltun, 2018), and a linear map of the last step."""

    def __init__(
        self, layout: Layout, quantiles: int, width: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, dilation, seen = 1 + layout.past + layout.known, 1, 1
        while not blocks or (seen < layout.window and kernel > 1):
            blocks.append(nn.TemporalBlock(before, width, kernel, dilation, dropout))
            seen += 2 * (kernel - 1) * dilation
            before, dilation = width, 2 * dilation
        self.blocks = nn.Sequential(*blocks)
        self.ahead = Ahead(layout, quantiles, width)

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        hidden: Any = self.blocks(past.permute(0, 2, 1))
        outputs: Tensor = self.ahead(hidden[:, :, -1], static, known)
        return outputs


class Lstm(nn.Module):
    """Long short-term memory over the window (Hochreiter and Schmidhuber, 1997), and a linear map
    of what it remembers after the last step."""

    def __init__(
        self, layout: Layout, quantiles: int, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        channels = 1 + layout.past + layout.known
        self.memory = nn.LSTM(
            channels, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.ahead = Ahead(layout, quantiles, width)

    def forward(self, past: Tensor, static: Maybe = None, known: Maybe = None) -> Tensor:
        """[rows, horizon, quantiles]."""
        seen, _ = self.memory(past)
        outputs: Tensor = self.ahead(self.dropout(seen[:, -1]), static, known)
        return outputs
