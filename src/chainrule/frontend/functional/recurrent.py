"""Recurrent cells, and layers of them: one loop over the steps, in either direction.

A step computes its new state from its row and the state before:

    RNN    h' = tanh(W x + b + U h + c)           or relu
    LSTM   i, f, g, o = W x + b + U h + c         i, f, o through sigmoid, g through tanh
           c' = f c + i g,  h' = o tanh(c')       h' = P o tanh(c') with a projection P
    GRU    r, z = sigmoid(W x + b + U h + c)      the first two thirds of the rows of W and U
           n = tanh(W x + b + r (U h + c))        the last third
           h' = (1 - z) n + z h

What does not depend on the state, W x and the biases, is one product over all steps before the
loop; in the loop remain the product with U and what is computed element by element.

Hochreiter and Schmidhuber, 1997, "Long short-term memory" (with the forget gate of Gers et al.,
2000); Cho et al., 2014, "Learning phrase representations using RNN encoder-decoder", with the
reset gate after the product, as in cuDNN and PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import DataError, DTypeError, ShapeError
from ...ir.types import DType
from ..apply import tensor_of
from ..loops import scan
from ..modes import thread, user_line
from ..operations.arithmetic import cast, less, less_equal, sigmoid, tanh, where
from ..operations.creation import iota, zeros
from ..operations.products import linear, matmul
from ..operations.shaping import cat, chunk, transpose
from ..storage import Storage
from .activations import relu

if TYPE_CHECKING:
    from ..tensor import Tensor

State = tuple["Tensor", ...]


class Weights(NamedTuple):
    """The parameters of one direction of one layer: W, U, their biases, and P."""

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    hr: Tensor | None = None


@dataclass(frozen=True)
class Kind:
    """A sort of cell. ``gates`` rows of the weights belong to each hidden unit."""

    gates: int
    states: int
    given: Callable[[Tensor, Weights], Tensor]
    step: Callable[[Tensor, State, Weights], State]


def _all_given(x: Tensor, w: Weights) -> Tensor:
    """W x with both biases."""
    bias = None if w.bias_ih is None or w.bias_hh is None else w.bias_ih + w.bias_hh
    return linear(x, w.ih, bias)


def _gru_given(x: Tensor, w: Weights) -> Tensor:
    """W x with both biases, but for the one that the reset gate scales."""
    if w.bias_ih is None or w.bias_hh is None:
        return linear(x, w.ih)
    hidden = w.hh.shape[1]
    return linear(x, w.ih, w.bias_ih + cat([w.bias_hh[: 2 * hidden], zeros(hidden)]))


def _recurred(h: Tensor, w: Weights) -> Tensor:
    """U h."""
    return matmul(h, transpose(w.hh, 0, 1))


def _rnn_step(
    nonlinearity: Callable[[Tensor], Tensor], given: Tensor, state: State, w: Weights
) -> State:
    (h,) = state
    return (nonlinearity(given + _recurred(h, w)),)


def _lstm_step(given: Tensor, state: State, w: Weights) -> State:
    h, c = state
    i, f, g, o = chunk(given + _recurred(h, w), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if w.hr is None else linear(h, w.hr)), c


def _gru_step(given: Tensor, state: State, w: Weights) -> State:
    (h,) = state
    hidden = h.shape[-1]
    given_r, given_z, given_n = chunk(given, 3, -1)
    r, z, n = chunk(_recurred(h, w), 3, -1)
    if w.bias_hh is not None:
        n = n + w.bias_hh[2 * hidden :]
    n = tanh(given_n + sigmoid(given_r + r) * n)
    return (n + sigmoid(given_z + z) * (h - n),)


RNN_TANH = Kind(1, 1, _all_given, partial(_rnn_step, tanh))
RNN_RELU = Kind(1, 1, _all_given, partial(_rnn_step, relu))
LSTM = Kind(4, 2, _all_given, _lstm_step)
GRU = Kind(3, 1, _gru_given, _gru_step)


def run(
    kind: Kind,
    given: Tensor,
    state: State,
    w: Weights,
    *,
    reverse: bool = False,
    lengths: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Outputs [steps, rows, out] and the last state, for what `Kind.given` makes of the inputs.

    Beyond the ``lengths`` [rows] of a row its state stays and its outputs are 0: so in reverse it
    starts with its own last step.
    """
    if lengths is None:

        def body(state: State, row: Tensor) -> tuple[State, Tensor]:
            new = kind.step(row, state, w)
            return new, new[0]

        last, y = scan(body, state, given, reverse=reverse)
        return y, last

    def masked(state: State, row: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        given, t = row
        inside = less(t, lengths).unsqueeze(1)
        new = kind.step(given, state, w)
        kept = tuple(where(inside, n, s) for n, s in zip(new, state, strict=True))
        return kept, where(inside, new[0], 0.0)

    last, y = scan(masked, state, (given, iota(given.shape[:1], 0)), reverse=reverse)
    return y, last


def lengths_of_rows(lengths: Any, steps: int, rows: int) -> tuple[Tensor, bool]:
    """``lengths`` as a Tensor [rows], and whether its numbers are known and have been checked.

    `ShapeError` for another shape, `DTypeError` for real numbers, and `DataError` for a length
    that is not from 1 to ``steps``.
    """
    given = tensor_of(lengths)
    if given.dtype.is_float or given.dtype is DType.bool:
        raise DTypeError(
            f"lengths have dtype {given.dtype!r}",
            where=user_line(),
            help="pass whole numbers: how many steps of each row are data",
        )
    if given.shape != (rows,):
        raise ShapeError(
            f"lengths have shape {given.shape}, but there are {rows} rows",
            where=user_line(),
            help="pass one length for each row of the batch",
        )
    known = thread.trace is None or not isinstance(lengths, Storage)
    if known:
        _check_lengths(lengths.concrete if isinstance(lengths, Storage) else lengths, steps)
    return cast(given, DType.i32), known


def _check_lengths(lengths: Any, steps: int) -> None:
    numbers = np.asarray(lengths)
    wrong = np.flatnonzero((numbers < 1) | (numbers > steps))
    if wrong.size:
        row = int(wrong[0])
        long = numbers[row] > steps
        raise DataError(
            f"the length of row {row} is {numbers[row]}, but "
            + (f"there are only {steps} steps" if long else "a row has at least one step"),
            where=user_line(),
            help="pass x with all of its steps" if long else "leave out rows without steps",
        )


def padding_cleared(x: Tensor, lengths: Tensor) -> Tensor:
    """x [steps, rows, in] with 0 beyond the length of each row, whatever stands there."""
    inside = less(iota(x.shape[:2], 0), lengths)
    return where(inside.unsqueeze(2), x, 0.0)


def refused_beyond(state: State, lengths: Tensor, steps: int) -> State:
    """``state`` with NaN for rows longer than there are steps: in a compiled function nobody can
    be told, and a wrong result is worse than none."""
    fits = less_equal(lengths, steps).unsqueeze(1)
    return tuple(where(fits, s, math.nan) for s in state)
