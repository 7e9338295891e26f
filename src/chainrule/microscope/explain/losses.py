"""The loss: what each output contributes to it, and where its gradient comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..shown import MisfitError, Part, Table, Term, Text, sum_of
from ..walk import NO_TARGET, Step

__all__ = ["loss_of"]

Array = npt.NDArray[Any]
ROWS = 12


def loss_of(function: Any, step: Step) -> list[Part]:
    """How the loss of the batch comes about; of a loss that is not known, the gradient alone."""
    name = getattr(function, "__name__", type(function).__name__)
    parts: list[Part] = []
    if step.loss is None:
        return [Text(f"{NO_TARGET} The loss would be {name}."), outputs_of(step)]
    explain = KNOWN.get(name)
    if explain is not None and not isinstance(step.target, tuple):
        try:
            parts += explain(function, step)
        except (MisfitError, ValueError, IndexError):
            parts = []
    if not parts:
        parts = [Text(f"{name} gives {step.loss:.7g} for this batch; how is its own affair, so "
                      "only what it sends back is shown.")]  # fmt: skip
    return [*parts, _sent_back(step)]


def _reduced(function: Any) -> str:
    return str(getattr(function, "reduction", "mean"))


def _usual(function: Any, *names: str) -> None:
    """MisfitError unless settings that the formula here does not know are as usual."""
    for name in names:
        value = getattr(function, name, None)
        if value is not None and value != 0 and not (name == "ignore_index" and value < 0):
            raise MisfitError(name)


def _cross_entropy(function: Any, step: Step) -> list[Part]:
    """-log softmax(z)[class]; dL/dz = (softmax(z) - one-hot) / rows."""
    _usual(function, "weight", "label_smoothing")
    z, target = step.output.array.astype(np.float64), step.target
    if target.dtype.kind not in "iu" or z.ndim < 2:
        raise MisfitError("probabilities as targets")
    z = np.moveaxis(z, 1, -1).reshape(-1, z.shape[1])
    grad = step.output.grad
    classes = target.reshape(-1).astype(np.int64)
    shifted = z - z.max(-1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(-1, keepdims=True)
    if (classes < 0).any():
        raise MisfitError("ignored")
    each = -np.log(p[np.arange(len(p)), classes])
    parts = [_of_rows(function, step, each, "-log of the probability of the true class")]
    row = int(each.argmax())
    divisor = len(each) if _reduced(function) == "mean" else 1
    sent = None if grad is None else np.moveaxis(grad, 1, -1).reshape(p.shape)
    order = sorted(np.argsort(-p[row])[:ROWS].tolist())
    rows = [
        (f"class {k}" + (" (true)" if k == classes[row] else ""), float(z[row, k]),
         float(p[row, k]), float(k == classes[row]),
         float(p[row, k] - (k == classes[row])) / divisor,
         None if sent is None else float(sent[row, k]))
        for k in order
    ]  # fmt: skip
    heads = ("", "z", "softmax p", "target t", "(p - t)" + f"/{divisor}" * (divisor > 1), "dL/dz")
    words = "the last column is the engine's" + (
        f"; the {ROWS} likeliest of {p.shape[1]} classes" if p.shape[1] > ROWS else "")  # fmt: skip
    return [*parts, Table(f"Softmax of row {row}", heads, tuple(rows), words)]


def _elementwise(
    text: str, slope_text: str, value: Callable[[Array, Array], Array],
    slope: Callable[[Array, Array], Array], *refused: str,
) -> Callable[[Any, Step], list[Part]]:  # fmt: skip
    """A loss that is a mean over outputs, each compared with its target."""

    def explain(function: Any, step: Step) -> list[Part]:
        _usual(function, *refused)
        z, t = step.output.array.astype(np.float64), np.asarray(step.target, np.float64)
        if z.shape != t.shape:
            raise MisfitError("shapes")
        each = value(z, t)
        divisor = z.size if _reduced(function) == "mean" else 1
        slopes, grad = slope(z, t) / divisor, step.output.grad
        largest = sorted(np.argsort(-np.abs(each).reshape(-1))[:ROWS].tolist())
        rows = []
        for flat in largest:
            index = np.unravel_index(flat, z.shape)
            rows.append((str(list(map(int, index))), float(z[index]), float(t[index]),
                         float(each[index]), float(slopes[index]),
                         None if grad is None else float(grad[index])))  # fmt: skip
        heads = ("output", "y", "target t", text, slope_text + f" / {divisor}" * (divisor > 1),
                 "dL/dy")  # fmt: skip
        words = "the last column is the engine's"
        return [_of_rows(function, step, each.reshape(-1), text),
                Table("Output by output", heads, tuple(rows), words)]  # fmt: skip

    return explain


def _of_rows(function: Any, step: Step, each: Array, what: str) -> Any:
    """The loss as the sum of its parts."""
    divisor = len(each) if _reduced(function) == "mean" else 1
    terms = [Term(f"[{i}]", (float(v),), float(v) / divisor) for i, v in enumerate(each)]
    formula = f"L = Σ {what}" + f" / {divisor}" * (divisor > 1)
    assert step.loss is not None
    return sum_of("The loss", formula, ("part", "value", "part of the loss"), terms, step.loss,
                  tolerance=1e-4)  # fmt: skip


def outputs_of(step: Step) -> Part:
    """What the model gives, where nothing is sent back."""
    output = step.output.array
    first = [tuple(map(int, np.unravel_index(i, output.shape)))
             for i in range(min(output.size, ROWS))]  # fmt: skip
    rows = tuple((str(list(index)), float(output[index])) for index in first)
    more = "" if output.size <= ROWS else f"the first {ROWS} of {output.size:,}"
    return Table("Outputs", ("output", "y"), rows, more)


def _sent_back(step: Step) -> Part:
    """Where the backward pass begins."""
    grad, output = step.output.grad, step.output.array
    if grad is None:
        return Text("No gradient arrives at the outputs: the loss does not depend on them.")
    order = sorted(np.argsort(-np.abs(grad).reshape(-1))[:ROWS].tolist())
    rows = []
    for flat in order:
        index = np.unravel_index(flat, grad.shape)
        rows.append((str(list(map(int, index))), float(output[index]), float(grad[index])))
    more = "" if grad.size <= ROWS else f"the largest {ROWS} of {grad.size:,}"
    return Table("Here the backward pass begins", ("output", "y", "dL/dy"), tuple(rows), more)


def _sigmoid(z: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def _bce(p: Array, t: Array) -> Array:
    each = t * np.maximum(np.log(p), -100) + (1 - t) * np.maximum(np.log1p(-p), -100)
    return np.asarray(-each)


def _bce_logits(z: Array, t: Array) -> Array:
    return np.asarray(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))))


_mse = _elementwise("(y - t)²", "2 (y - t)", lambda y, t: (y - t) ** 2, lambda y, t: 2 * (y - t))
_l1 = _elementwise("|y - t|", "sign(y - t)", lambda y, t: np.abs(y - t),
                   lambda y, t: np.sign(y - t))  # fmt: skip
_binary = _elementwise("cross-entropy", "(y - t)/(y (1 - y))", _bce,
                       lambda y, t: (y - t) / (y * (1 - y)), "weight")  # fmt: skip
_logits = _elementwise("cross-entropy of sigmoid(y)", "sigmoid(y) - t", _bce_logits,
                       lambda y, t: _sigmoid(y) - t, "weight", "pos_weight")  # fmt: skip

KNOWN: dict[str, Callable[[Any, Step], list[Part]]] = {
    "CrossEntropyLoss": _cross_entropy, "cross_entropy": _cross_entropy,
    "MSELoss": _mse, "mse_loss": _mse, "L1Loss": _l1, "l1_loss": _l1,
    "BCELoss": _binary, "binary_cross_entropy": _binary,
    "BCEWithLogitsLoss": _logits, "binary_cross_entropy_with_logits": _logits,
}  # fmt: skip
