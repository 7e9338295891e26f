"""Recurrent layers, unrolled: the cell is called step by step, and each state keeps its gradient.

The steps are those of the layer's own cell (`functional.recurrent`); what comes out must be what
the layer gave in its one loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...frontend import Tensor
from ...frontend.apply import from_array
from ...frontend.functional.recurrent import Weights
from ...frontend.operations.shaping import cat, stack
from ..shown import Bars, MisfitError, Part, Sum, Table, Term, sum_of
from ..walk import Seen, Walker

__all__ = ["RECURRENT", "recurrent_of"]

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)
GATES = {"LSTM": ("input gate i", "forget gate f", "candidate g", "output gate o"),
         "GRU": ("reset gate r", "update gate z", "candidate n"), "RNN": ("z",)}  # fmt: skip
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Unrolled:
    """The last layer in its forward direction: states [steps, units] of one row after each step,
    with what arrives at them, the inputs of each step, the weights, and the state before."""

    states: tuple[Array, ...]
    gradients: tuple[Array, ...]
    inputs: Array
    first: tuple[Array, ...]
    weights: Weights


def recurrent_of(walker: Walker, seen: Seen, place: tuple[int, ...]) -> list[Part]:
    """The gates and the gradient of one unit, step by step; the weighted sum at its step."""
    layer = seen.layer
    row, step, unit = _where(layer, seen, place)
    unrolled = _unroll(walker, seen, row)
    if unit >= unrolled.states[0].shape[1]:
        raise MisfitError("of the backward direction")
    steps = len(unrolled.states[0])
    labels = tuple(f"step {t}" for t in range(steps))
    norms = np.sqrt((unrolled.gradients[0].astype(np.float64) ** 2).sum(1))
    words = f"from {norms[-1]:.3g} at the last step to {norms[0]:.3g} at the first"
    parts: list[Part] = [
        Bars("Size of dL/dh by time step", labels, tuple(map(float, norms)), words),
        _by_step(layer, unrolled, unit, step),
    ]
    return parts + _at_step(layer, unrolled, unit, step)


def _where(layer: Any, seen: Seen, place: tuple[int, ...]) -> tuple[int, int, int]:
    """(row, step, unit) of an output."""
    if len(place) == 2:
        return 0, place[0], place[1]
    row, step = (place[0], place[1]) if layer.batch_first else (place[1], place[0])
    return row, step, place[2]


def _unroll(walker: Walker, seen: Seen, row: int) -> Unrolled:
    layer = seen.layer
    if len(seen.arguments) > 1 or (layer.dropout and layer.training):
        raise MisfitError("states, lengths or dropout")
    x = seen.given.array
    alone = x.ndim == 2
    x = x[:, None] if alone else np.swapaxes(x, 0, 1) if layer.batch_first else x
    with walker.mode():
        kept: list[list[tuple[Tensor, ...]]] = []
        inputs: list[Tensor] = []
        weights: list[Weights] = []
        below, ends = from_array(np.array(x)), []
        for depth in range(layer.num_layers):
            outputs = []
            for level, backwards, w in layer._directions():
                if level != depth:
                    continue
                found = _steps(layer, below, w, backwards)
                kept.append(found)
                inputs.append(below)
                weights.append(w)
                ends.append(found[0] if backwards else found[-1])
                outputs.append(stack([s[0] for s in found], 0))
            below = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        y = below.numpy()
        given = seen.result.array
        ours = y[:, 0] if alone else np.swapaxes(y, 0, 1) if layer.batch_first else y
        if not np.allclose(ours, given, rtol=1e-4, atol=1e-5):
            raise MisfitError("other states")
        _pull(layer, seen, below, ends, alone)
        at = len(kept) - len(layer._ends())
        own, count = kept[at], len(kept[at][0])
        states = tuple(np.stack([s[k].numpy()[row] for s in own]) for k in range(count))
        gradients = tuple(np.stack([_grad(s[k])[row] for s in own]) for k in range(count))
        first = tuple(np.zeros_like(s[0]) for s in states)
        return Unrolled(states, gradients, inputs[at].numpy()[:, row], first, weights[at])


def _steps(layer: Any, x: Tensor, w: Weights, backwards: bool) -> list[tuple[Tensor, ...]]:
    """The states after each step, in the order of the input."""
    kind, rows = layer._kind(), x.shape[1]
    sizes = (w.hh.shape[1], layer.hidden_size)[: kind.states]
    state = tuple(from_array(np.zeros((rows, s), np.float32)) for s in sizes)
    given, found = kind.given(x, w), []
    order = range(x.shape[0])
    for t in reversed(order) if backwards else order:
        state = kind.step(given[t], state, w)
        for part in state:
            part.retain_grad()
        found.append(state)
    return found[::-1] if backwards else found


def _pull(layer: Any, seen: Seen, y: Tensor, ends: list[Any], alone: bool) -> None:
    """Sends back what arrived at the outputs and at the last states."""
    arrived = seen.result.grad
    layer.zero_grad()
    total = None
    if arrived is not None:
        g = arrived[:, None] if alone else (
            np.swapaxes(arrived, 0, 1) if layer.batch_first else arrived)  # fmt: skip
        total = (y * from_array(np.ascontiguousarray(g))).sum()
    for number, result in enumerate(seen.results[1:]):
        if result.grad is not None:
            last = stack([end[number] for end in ends], 0)
            g = result.grad[:, None] if alone else result.grad
            part = (last * from_array(np.ascontiguousarray(g))).sum()
            total = part if total is None else total + part
    if total is None:
        raise MisfitError("no gradient arrives")
    total.backward()


def _grad(tensor: Tensor) -> Array:
    return np.zeros(tensor.shape, np.float32) if tensor.grad is None else tensor.grad.numpy()


def _products(unrolled: Unrolled, line: int, step: int) -> tuple[list[Term], list[Term]]:
    """The terms of W x and of U h for a row of the weights, with their biases."""
    w = unrolled.weights
    x, before = unrolled.inputs[step], _before(unrolled, step)[0]
    sides = []
    for name, values, weight, bias in (
        ("x", x, w.ih, w.bias_ih), ("h", before, w.hh, w.bias_hh),
    ):  # fmt: skip
        line_of = weight.numpy()[line]
        terms = [
            Term(f"{name}[{i}]", (float(a), float(v)), float(a) * float(v))
            for i, (a, v) in enumerate(zip(values, line_of, strict=True))
        ]
        if bias is not None:
            value = float(bias.numpy()[line])
            terms.append(Term(f"bias of {name}", (value,), value))
        sides.append(terms)
    return sides[0], sides[1]


def _before(unrolled: Unrolled, step: int) -> tuple[Array, ...]:
    return unrolled.first if step == 0 else tuple(s[step - 1] for s in unrolled.states)


def _gates(layer: Any, unrolled: Unrolled, unit: int, step: int) -> list[float]:
    """The gates of a unit at a step: its weighted sums, through their functions."""
    hidden, name = layer.hidden_size, type(layer).__name__
    sums = []
    for gate in range(len(GATES[name])):
        given, recurred = _products(unrolled, gate * hidden + unit, step)
        sums.append((sum(t.value for t in given), sum(t.value for t in recurred)))
    if name == "LSTM":
        i, f, g, o = (a + b for a, b in sums)
        return [_sigmoid(i), _sigmoid(f), float(np.tanh(g)), _sigmoid(o)]
    if name == "GRU":
        r, z = (_sigmoid(a + b) for a, b in sums[:2])
        return [r, z, float(np.tanh(sums[2][0] + r * sums[2][1]))]
    return [sums[0][0] + sums[0][1]]


def _sigmoid(value: float) -> float:
    return float(1.0 / (1.0 + np.exp(-value)))


def _by_step(layer: Any, unrolled: Unrolled, unit: int, step: int) -> Table:
    """Gates, states and gradients of a unit around a step."""
    steps = len(unrolled.states[0])
    start = max(0, min(step - 8, steps - 16))
    names = ("h", "c")[: len(unrolled.states)]
    wide = layer.proj_size > 0  # the unit of a projection is none of the cell's
    gates = () if wide else GATES[type(layer).__name__]
    heads = ("step", *gates, *(() if wide else names), *(("h",) if wide else ()), "dL/dh")
    rows = []
    for t in range(start, min(start + 16, steps)):
        values = [] if wide else [float(s[t, unit]) for s in unrolled.states]
        shown = [float(unrolled.states[0][t, unit])] if wide else values
        found = [] if wide else _gates(layer, unrolled, unit, t)
        rows.append((t, *found, *shown, float(unrolled.gradients[0][t, unit])))
    words = f"steps {start} to {rows[-1][0]} of {steps}" if steps > 16 else ""
    return Table(f"Unit {unit}, step by step", heads, tuple(rows), words)


def _at_step(layer: Any, unrolled: Unrolled, unit: int, step: int) -> list[Part]:
    """The sums at one step: of the state from its gates, and of the first gate from its inputs."""
    if layer.proj_size:
        return []
    gates, name = _gates(layer, unrolled, unit, step), type(layer).__name__
    before = _before(unrolled, step)
    given, recurred = _products(unrolled, unit, step)
    parts: list[Part] = []
    if name == "LSTM":
        i, f, g, _ = gates
        c = float(before[1][unit])
        parts.append(
            _state(
                "c' = f·c + i·g",
                [Term("forget · c", (f, c), f * c), Term("input · candidate", (i, g), i * g)],
                unrolled.states[1][step, unit],
            )
        )
    elif name == "GRU":
        _, z, n = gates
        h = float(before[0][unit])
        parts.append(_state("h' = (1 - z)·n + z·h", [Term("(1 - z) · n", (1 - z, n), (1 - z) * n),
                     Term("z · h", (z, h), z * h)], unrolled.states[0][step, unit]))  # fmt: skip
    else:
        after = np.maximum(gates[0], 0) if layer.nonlinearity == "relu" else np.tanh(gates[0])
        if not np.isclose(after, unrolled.states[0][step, unit], rtol=1e-4, atol=1e-5):
            raise MisfitError("another function of z")
    terms = given + recurred
    title = f"Weighted sum of the {GATES[name][0]} at step {step}"
    parts.append(sum_of(title, "z = W·x + U·h + b", ("input", "value", "weight", "product"), terms,
                        float(sum(t.value for t in terms))))  # fmt: skip
    return parts


def _state(formula: str, terms: list[Term], total: Any) -> Sum:
    return sum_of("The new state", formula, ("term", "factor", "factor", "product"), terms,
                  float(total), tolerance=1e-4)  # fmt: skip
