"""The recurrent networks as PyTorch modules, in three ways.

==========  =====================================================================================
`Layers`    ``nn.LSTM`` and ``nn.GRU`` whole. Where rows differ in length, one for each direction:
            backwards each row is turned round within its length, so padding follows data and is
            never read by it
`Packed`    ``nn.LSTM`` on packed sequences, rows from long to short
`Cells`     for ``torch.compile``, which leaves whole layers as they are: cells in a loop, compiled
            in pieces of some steps, since the time to compile grows with their number
==========  =====================================================================================

All have the same parameters in the same order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.recurrent import GATES, Recurrent

MOST_STEPS = 10  # of a piece


def of_sequences(model: Recurrent, form: str) -> nn.Module:
    if form == "packed":
        return Packed(model)
    return Cells(model) if form == "compile cells" else Layers(model)


def long_to_short(rows: Tensor, lengths: Tensor) -> Tensor:
    """The same rows in the order that packing wants; sequences keep their loss."""
    return rows[lengths[rows].argsort(descending=True, stable=True)]


class Moved(torch.autograd.Function):
    """Steps of x [rows, steps, features] where ``places`` [rows * steps] say, an exchange of pairs:
    so gradients move as values do, and need no scattered sum.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return x.flatten(0, 1).index_select(0, places).view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (g,), (places,) = gradients, ctx.saved_tensors
        return g.flatten(0, 1).index_select(0, places).view_as(g), None


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row [steps, features] backwards up to its length; what follows is its padding."""
    rows, count = x.shape[:2]
    steps = torch.arange(count)
    back = lengths.long()[:, None] - 1 - steps
    places = torch.where(back >= 0, back, steps) + count * torch.arange(rows)[:, None]
    moved: Tensor = Moved.apply(x, places.flatten())
    return moved


class Read(nn.Module):
    """What the linear layer makes of the outputs [rows, steps, features] and the last state."""

    def __init__(self, model: Recurrent) -> None:
        super().__init__()
        self.model = model

    def read(self, y: Tensor, last: Tensor, lengths: Tensor | None) -> Tensor:
        if self.model.reading == "last":
            y = last
        elif self.model.reading == "mean":
            assert lengths is not None
            inside = torch.arange(y.shape[1]) < lengths[:, None]
            y = (y * inside[:, :, None]).sum(1) / lengths[:, None]
        out: Tensor = self.head(y)
        return out


class Layers(Read):
    """Whole layers; see above."""

    def __init__(self, model: Recurrent) -> None:
        super().__init__(model)
        kind: Any = nn.LSTM if model.cell == "lstm" else nn.GRU
        widths = list(model.widths)
        if model.shortest:
            each = [kind(width, model.hidden, batch_first=True) for width in widths]
        else:
            sizes = {"num_layers": model.layers, "bidirectional": model.both}
            each = [kind(model.inputs, model.hidden, batch_first=True, **sizes)]
        self.layers = nn.ModuleList(each)
        self.head = nn.Linear(model.head.inputs, model.outputs)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            y, state = self.layers[0](x)
            return self.read(y, (state if self.model.cell == "gru" else state[0])[-1], None)
        modules = iter(self.layers)
        for _ in range(self.model.layers):
            y = next(modules)(x)[0]
            if self.model.both:
                back = next(modules)(turned(x, lengths))[0]
                y = torch.cat([y, turned(back, lengths)], 2)
            x = y
        return self.read(x, x, lengths)


class Packed(Read):
    """Packed sequences; rows come from long to short."""

    def __init__(self, model: Recurrent) -> None:
        super().__init__(model)
        kind: Any = nn.LSTM if model.cell == "lstm" else nn.GRU
        self.layers = kind(
            model.inputs, model.hidden, model.layers, batch_first=True, bidirectional=model.both
        )
        self.head = nn.Linear(model.head.inputs, model.outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed, _ = self.layers(pack_padded_sequence(x, lengths.long(), batch_first=True))
        y, _ = pad_packed_sequence(packed, batch_first=True)
        return self.read(y, y, lengths)


class Direction(nn.Module):
    """The parameters of one direction of one layer."""

    def __init__(self, rows: int, width: int, hidden: int) -> None:
        super().__init__()
        self.ih = nn.Parameter(torch.empty(rows, width))
        self.hh = nn.Parameter(torch.empty(rows, hidden))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))


def lstm_steps(given: Tensor, hh: Tensor, bias: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
    """Outputs of these steps and the states after them, for W_ih x [rows, steps, ...]."""
    outputs = []
    for row in given.unbind(1):
        i, f, g, o = (row + h @ hh.T).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return [torch.stack(outputs, 1), h, c]


def gru_steps(given: Tensor, hh: Tensor, bias: Tensor, h: Tensor) -> list[Tensor]:
    """The same of the other cell, which has one state."""
    outputs = []
    for row in given.unbind(1):
        given_r, given_z, given_n = row.chunk(3, 1)
        r, z, n = torch.addmm(bias, h, hh.T).chunk(3, 1)
        n = (given_n + (given_r + r).sigmoid() * n).tanh()
        h = n + (given_z + z).sigmoid() * (h - n)
        outputs.append(h)
    return [torch.stack(outputs, 1), h]


class Cells(Read):
    """Cells in a loop; the pieces and what is around them are compiled."""

    def __init__(self, model: Recurrent) -> None:
        super().__init__(model)
        rows = GATES[model.cell] * model.hidden
        each = [Direction(rows, width, model.hidden) for width in model.widths]
        self.layers = nn.ModuleList(each)
        self.head = nn.Linear(model.head.inputs, model.outputs)
        steps: Any = lstm_steps if model.cell == "lstm" else gru_steps
        self.piece = torch.compile(steps, dynamic=False)
        self.size = max(d for d in range(1, MOST_STEPS + 1) if model.steps % d == 0)
        self.read = torch.compile(self.read, dynamic=False)  # type: ignore[method-assign]

    def direction(self, x: Tensor, w: Any) -> tuple[Tensor, Tensor]:
        """Outputs and the last one."""
        biases = w.bias_ih + w.bias_hh if self.model.cell == "lstm" else w.bias_ih
        given = nn.functional.linear(x, w.ih, biases)
        count = 2 if self.model.cell == "lstm" else 1
        # states of later pieces have gradients, and one program is to do for all
        state = [torch.zeros(len(x), self.model.hidden, requires_grad=True) for _ in range(count)]
        outputs = []
        for part in given.split(self.size, 1):
            y, *state = self.piece(part, w.hh, w.bias_hh, *state)
            outputs.append(y)
        return torch.cat(outputs, 1), state[0]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        modules = iter(self.layers)
        for _ in range(self.model.layers):
            y, last = self.direction(x, next(modules))
            if self.model.both:
                assert lengths is not None
                back, _ = self.direction(turned(x, lengths), next(modules))
                y = torch.cat([y, turned(back, lengths)], 2)
            x = y
        return self.read(x, last, lengths)
