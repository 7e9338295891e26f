"""Recurrent layers: several of them on top of one another, in one direction or both."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ..errors import ConfigError, DTypeError, ShapeError
from ..frontend.functional import dropout as F
from ..frontend.functional import recurrent
from ..frontend.functional.activations import setting
from ..frontend.functional.recurrent import Kind, State, Weights
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations.creation import zeros
from ..frontend.operations.shaping import cat, stack, transpose
from ..frontend.tensor import Tensor
from ..ir.memory import aligned_empty
from ..ir.types import DType
from . import init
from .calling import calls
from .linear import NARROW
from .module import Module, Parameter, as_tensor, new_parameter

NONLINEARITIES = {"tanh": recurrent.RNN_TANH, "relu": recurrent.RNN_RELU}


def new_weight(rows: int, columns: int) -> Parameter:
    """A matrix stored as the forward product reads it: see `Linear`."""
    order = "F" if rows >= NARROW else "C"
    return new_parameter(aligned_empty((rows, columns), np.float32, order))


def new_bias(size: int) -> Parameter:
    """A vector of biases."""
    return new_parameter(aligned_empty((size,), np.float32))


def kind_of(nonlinearity: str) -> Kind:
    """The plain cell with this activation; `ConfigError` if there is none."""
    legal = nonlinearity in NONLINEARITIES
    setting("nonlinearity", nonlinearity, legal, "'tanh' or 'relu'")
    return NONLINEARITIES[nonlinearity]


def real_input(value: Any, features: int, ndims: tuple[int, ...], axes: str) -> Tensor:
    """``value`` as a Tensor; `ShapeError` or `DTypeError` unless it is what ``axes`` says."""
    x: Tensor = as_tensor(value)
    if x.dtype is not DType.f32:
        raise DTypeError(
            f"this layer needs floating-point inputs, got dtype {x.dtype!r}",
            where=user_line(),
            help="convert it with x.astype(np.float32), or x.float() for a Tensor",
        )
    if x.ndim not in ndims:
        raise ShapeError(
            f"an input of shape {x.shape} has {x.ndim} {'axis' if x.ndim == 1 else 'axes'}",
            where=user_line(),
            help=f"pass {axes}",
        )
    if x.shape[-1] != features:
        raise ShapeError(
            f"an input of shape {x.shape} has {x.shape[-1]} features",
            where=user_line(),
            help=f"the layer expects {features} features, along the last axis",
        )
    return x


def states_of(hx: Any, kind: Kind) -> tuple[Tensor, ...]:
    """The states that a user passes: one, or a pair (h, c); `ShapeError` for anything else."""
    if kind.states == 1:
        return (as_tensor(hx),)
    if not (isinstance(hx, tuple | list) and len(hx) == 2):
        size = f" of {len(hx)}" if isinstance(hx, tuple | list) else ""
        raise ShapeError(
            f"the state of an LSTM is a pair, not a {type(hx).__name__}{size}",
            where=user_line(),
            help="pass hx=(h, c)",
        )
    return as_tensor(hx[0]), as_tensor(hx[1])


class _Recurrent(Module):
    """What the three kinds share. ``hx`` is one Tensor, or of an LSTM a pair."""

    kind: ClassVar[Kind]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int = 0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = whole(f"input_size of {name}", input_size)
        self.hidden_size = whole(f"hidden_size of {name}", hidden_size)
        self.num_layers = whole(f"num_layers of {name}", num_layers)
        self.proj_size = whole(f"proj_size of {name}", proj_size, least=0)
        self.bias, self.batch_first = bool(bias), bool(batch_first)
        self.bidirectional = bool(bidirectional)
        if self.proj_size >= self.hidden_size:
            raise ConfigError(
                f"proj_size is {proj_size}, and hidden_size is {hidden_size}",
                where=user_line(),
                help="a projection makes the output smaller: pass a proj_size below hidden_size",
            )
        probability = isinstance(dropout, int | float | np.number) and 0.0 <= dropout <= 1.0
        setting("dropout", dropout, probability, "a probability, from 0 to 1")
        self.dropout = float(dropout)
        if dropout and self.num_layers == 1:
            warnings.warn(
                f"{name} drops nothing: dropout={dropout} acts between layers, and there is one",
                stacklevel=3,
            )
        for layer in range(self.num_layers):
            for end in self._ends():
                self._register(layer, f"_l{layer}{end}")
        self.reset_parameters()

    def _kind(self) -> Kind:
        """The cell."""
        return self.kind

    def _ends(self) -> tuple[str, ...]:
        """How the names of the parameters of each direction end."""
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def _outputs(self) -> int:
        """Features of one direction."""
        return self.proj_size or self.hidden_size

    def _register(self, layer: int, end: str) -> None:
        """The parameters of one direction of a layer, in PyTorch's order."""
        rows = self.kind.gates * self.hidden_size
        features = self._outputs * len(self._ends()) if layer else self.input_size
        self.register_parameter(f"weight_ih{end}", new_weight(rows, features))
        self.register_parameter(f"weight_hh{end}", new_weight(rows, self._outputs))
        if self.bias:
            self.register_parameter(f"bias_ih{end}", new_bias(rows))
            self.register_parameter(f"bias_hh{end}", new_bias(rows))
        if self.proj_size:
            weight = new_weight(self.proj_size, self.hidden_size)
            self.register_parameter(f"weight_hr{end}", weight)

    def reset_parameters(self) -> None:
        """Draw new initial values: all uniform in ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _directions(self) -> Iterator[tuple[int, bool, Weights]]:
        """Layer, whether backwards, and weights, in the order of the first states."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        for layer in range(self.num_layers):
            for end in self._ends():
                found = (self._parameters.get(f"{name}_l{layer}{end}") for name in names)
                yield layer, bool(end), Weights(*found)  # type: ignore[arg-type]

    def _run(self, x: Any, hx: Any, lengths: Any) -> tuple[Tensor, State]:
        """Outputs and last states [layers * directions, rows, ...], all axes as x has them."""
        order = "batch, steps" if self.batch_first else "steps, batch"
        x = real_input(
            x, self.input_size, (2, 3), f"[{order}, features], or [steps, features] of one row"
        )
        alone = x.ndim == 2
        if alone:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = transpose(x, 0, 1)
        steps, rows = x.shape[:2]
        if not steps:
            raise ShapeError("an input without steps", where=user_line(), help="pass at least one")
        state = self._first(hx, rows, alone)
        if lengths is not None:
            if alone:
                raise ShapeError(
                    "lengths were given for a single row",
                    where=user_line(),
                    help="pass the row without its padding, or a batch",
                )
            lengths, known = recurrent.lengths_of_rows(lengths, steps, rows)
            x = recurrent.padding_cleared(x, lengths)
            state = state if known else recurrent.refused_beyond(state, lengths, steps)
        y, last = self._layers(x, state, lengths)
        if alone:
            return y[:, 0], tuple(s[:, 0] for s in last)
        return (transpose(y, 0, 1) if self.batch_first else y), last

    def _layers(self, x: Tensor, first: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """All layers, one after the other, for time-major x."""
        kind = self._kind()
        ends: list[State] = []
        ys: list[Tensor] = []
        for number, (layer, reverse, weights) in enumerate(self._directions()):
            if layer and not reverse:
                joined = cat(ys, -1) if len(ys) > 1 else ys[0]
                x, ys = F.dropout(joined, self.dropout, self.training), []
            state = tuple(s[number] for s in first)
            given = kind.given(x, weights)
            if calls.step_watcher is not None and not reverse:
                calls.step_watcher(self, given)
            y, end = recurrent.run(kind, given, state, weights, reverse=reverse, lengths=lengths)
            ys.append(y)
            ends.append(end)
        y = cat(ys, -1) if len(ys) > 1 else ys[0]
        return y, tuple(stack(parts) for parts in zip(*ends, strict=True))

    def _first(self, hx: Any, rows: int, alone: bool) -> State:
        """First states [layers * directions, rows, features]: zero unless given."""
        count = self.num_layers * len(self._ends())
        sizes = (self._outputs, self.hidden_size)[: self.kind.states]
        if hx is None:
            return tuple(zeros(count, rows, size) for size in sizes)
        wanted_of = {"h_0": sizes[0], "c_0": sizes[-1]}
        states = []
        for state, (name, size) in zip(states_of(hx, self.kind), wanted_of.items(), strict=False):
            wanted = (count, size) if alone else (count, rows, size)
            if state.shape != wanted:
                raise ShapeError(
                    f"{name} has shape {state.shape}",
                    where=user_line(),
                    help=f"this input needs {wanted}: [layers * directions, "
                    + ("features]" if alone else "batch, features], with batch_first, too"),
                )
            states.append(state.unsqueeze(1) if alone else state)
        return tuple(states)

    def extra_repr(self) -> str:
        """Sizes, and what is not as usual."""
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        usual |= {"bidirectional": False, "proj_size": 0}
        told = [f"{k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        return ", ".join([str(self.input_size), str(self.hidden_size), *told])


class RNN(_Recurrent):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: Elman, 1990, "Finding structure in time".

    Settings, shapes, lengths and parameters are those of `LSTM`, without the second state c.
    ``nonlinearity`` is "tanh" or "relu".
    """

    kind = recurrent.RNN_TANH

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        kind_of(nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )
        self.nonlinearity = nonlinearity

    def _kind(self) -> Kind:
        return kind_of(self.nonlinearity)

    def forward(self, x: Any, hx: Any = None, *, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """The outputs of all steps, and the last states h_n."""
        y, (h,) = self._run(x, hx, lengths)
        return y, h

    def extra_repr(self) -> str:
        """Sizes, and what is not as usual."""
        other = self.nonlinearity != "tanh"
        return super().extra_repr() + f", nonlinearity={self.nonlinearity!r}" * other


class LSTM(_Recurrent):
    """Long short-term memory, for x [steps, batch, input_size] and first states (h_0, c_0).

        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh       i, f, o through sigmoid, g through tanh
        c' = f c + i g
        h' = o tanh(c')                                  W_hr o tanh(c') with ``proj_size``

    Returns the outputs [steps, batch, directions * out] and the last states (h_n, c_n), each
    [layers * directions, batch, out], where out is ``proj_size`` or ``hidden_size`` (of c always
    ``hidden_size``). With ``batch_first`` inputs and outputs, but not the states, are [batch,
    steps, ...]. One row may come as [steps, input_size], with states [layers * directions, out].

    ``num_layers`` stand on top of one another, in training with ``dropout`` between them;
    ``bidirectional`` ones have a second set of weights that goes from the last step to the first.
    ``lengths`` [batch] says how many steps of each row are data; results and gradients are those
    of the rows without their padding, and outputs in the padding are 0. A length that does not
    exist is a `DataError`; in a compiled function, where nobody can be told, one that is too large
    makes the row NaN, and one below 1 means a row without steps.

    Parameters are PyTorch's: weight_ih_l0 [4 * hidden_size, input_size], weight_hh_l0, bias_ih_l0,
    bias_hh_l0, weight_hr_l0, then ``_reverse`` and further layers; all uniform in
    ±1/sqrt(hidden_size) at first. Hochreiter and Schmidhuber, 1997; Gers et al., 2000.
    """

    kind = recurrent.LSTM

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
        )

    def forward(
        self, x: Any, hx: Any = None, *, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The outputs of all steps, and the last states (h_n, c_n)."""
        y, (h, c) = self._run(x, hx, lengths)
        return y, (h, c)


class GRU(_Recurrent):
    """The gated recurrent unit: Cho et al., 2014.

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r (W_hn h + b_hn))
        h' = (1 - z) n + z h

    Settings, shapes, lengths and parameters are those of `LSTM`, without the second state c and
    with 3 * hidden_size rows of weights, in the order r, z, n.
    """

    kind = recurrent.GRU

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )

    def forward(self, x: Any, hx: Any = None, *, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """The outputs of all steps, and the last states h_n."""
        y, (h,) = self._run(x, hx, lengths)
        return y, h
