"""Recurrent cells: one step each, for bodies of `cr.scan` and loops of one's own."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ..errors import ShapeError
from ..frontend.functional import recurrent
from ..frontend.functional.recurrent import Kind, State, Weights
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations.creation import zeros
from ..frontend.tensor import Tensor
from . import init
from .module import Module, Parameter
from .recurrent import kind_of, new_bias, new_weight, real_input, states_of


class _Cell(Module):
    """What the three share."""

    kind: ClassVar[Kind]
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = whole(f"input_size of {name}", input_size)
        self.hidden_size = whole(f"hidden_size of {name}", hidden_size)
        self.bias = bool(bias)
        rows = self.kind.gates * self.hidden_size
        self.weight_ih = new_weight(rows, self.input_size)
        self.weight_hh = new_weight(rows, self.hidden_size)
        self.register_parameter("bias_ih", new_bias(rows) if bias else None)
        self.register_parameter("bias_hh", new_bias(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: all uniform in ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _kind(self) -> Kind:
        """How a step computes."""
        return self.kind

    def _step(self, x: Any, hx: Any) -> State:
        """The new state, for x [batch, features] or [features]."""
        axes = "[batch, features], or [features] of one row"
        x = real_input(x, self.input_size, (1, 2), axes)
        shape = (*x.shape[:-1], self.hidden_size)
        names = ("h", "c")[: self.kind.states]
        if hx is None:
            state: State = tuple(zeros(shape) for _ in names)
        else:
            state = states_of(hx, self.kind)
        for name, given in zip(names, state, strict=True):
            if given.shape != shape:
                raise ShapeError(
                    f"the state {name} has shape {given.shape}",
                    where=user_line(),
                    help=f"this input needs {shape}",
                )
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        kind = self._kind()
        if x.ndim > 1:
            return kind.step(kind.given(x, weights), state, weights)
        row = tuple(s.unsqueeze(0) for s in state)
        new = kind.step(kind.given(x.unsqueeze(0), weights), row, weights)
        return tuple(s[0] for s in new)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ", bias=False" * (not self.bias)


class RNNCell(_Cell):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu; x [batch, input_size] or [input_size].

    ``hx`` is h [batch, hidden_size] or [hidden_size], zero unless given.
    """

    kind = recurrent.RNN_TANH

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        kind_of(nonlinearity)
        super().__init__(input_size, hidden_size, bias)
        self.nonlinearity = nonlinearity

    def _kind(self) -> Kind:
        return kind_of(self.nonlinearity)

    def forward(self, x: Any, hx: Any = None) -> Tensor:
        """h'."""
        return self._step(x, hx)[0]

    def extra_repr(self) -> str:
        """Sizes, and the activation where it is not tanh."""
        other = self.nonlinearity != "tanh"
        return super().extra_repr() + f", nonlinearity={self.nonlinearity!r}" * other


class LSTMCell(_Cell):
    """One step of `LSTM`: (h', c') from x and hx = (h, c), which are zero unless given."""

    kind = recurrent.LSTM

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias)

    def forward(self, x: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """(h', c')."""
        h, c = self._step(x, hx)
        return h, c


class GRUCell(_Cell):
    """One step of `GRU`: h' from x and hx = h, which is zero unless given."""

    kind = recurrent.GRU

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias)

    def forward(self, x: Any, hx: Any = None) -> Tensor:
        """h'."""
        return self._step(x, hx)[0]
