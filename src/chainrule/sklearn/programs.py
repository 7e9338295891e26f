"""The compiled programs of estimators, shared by all of one form.

A program is recorded and compiled for one network, loss and optimizer. It is kept when a fit is
over: the next estimator of the same form, of another fold or another learning rate, only brings its
numbers.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import driver, optim
from ..frontend import CompiledFunction, Generator, Tensor, compile, no_grad
from ..frontend.transforms import value_and_grad
from ..nn import Module, Parameter
from ..train.muon import muon_with_adamw
from ..train.stepper import make_stepper
from . import formulas
from .examples import Rows, dense, with_room
from .formulas import Loss
from .solvers import SGD, Adam

__all__ = ["Form", "Updates", "forward", "gradients", "network_outputs", "reported_outputs",
           "updates_of"]  # fmt: skip

Array = npt.NDArray[Any]
Arrays = Sequence[Array]

assert driver.DEFAULT  # loaded, it makes compiled functions native

#: solvers of scikit-learn, by its formulas
_THEIRS: Mapping[str, Any] = {"sgd": SGD, "adam": Adam}
#: programs for training that wait for the next fit
KEPT = 16
#: rows of a block of predictions: each has a program
BLOCKS = (32, 256, 2048)


@dataclass(frozen=True)
class Form:
    """All that a training program is made of; ``units`` are the widths of all layers."""

    units: tuple[int, ...]
    activation: str
    loss: Loss
    dropout: float
    optimizer: str
    #: settings of the optimizer, but for the learning rate
    settings: tuple[tuple[str, Any], ...]
    #: whether some of them are none that scikit-learn has
    settings_added: bool = False


class _Weights(Module):
    """All matrices, then all biases."""

    def __init__(self, units: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(units))
        shapes = [*pairs, *((width,) for width in units[1:])]
        for i, shape in enumerate(shapes):
            self.register_parameter(f"p{i}", Parameter(np.zeros(shape, np.float32)))


class Updates:
    """Training steps of one `Form`, with the weights and the optimizer's state that they update."""

    def __init__(self, form: Form) -> None:
        self.form = form
        model = _Weights(form.units)
        self.parameters: list[Tensor] = list(model.parameters())
        self._half_alpha = Tensor(np.zeros((), np.float32))
        self._generator = Generator()
        settings: Mapping[str, Any] = {**dict(form.settings), "lr": 1e-3}
        if form.optimizer == "muon":
            self.optimizer: optim.Optimizer = muon_with_adamw(model, **settings)
        elif form.optimizer in _THEIRS and not form.settings_added:
            self.optimizer = _THEIRS[form.optimizer](self.parameters, **settings)
        else:
            self.optimizer = optim.make(form.optimizer, self.parameters, **settings)
        self._stepper = make_stepper(self._step)
        self._fresh = self.optimizer.state_dict()

    def _step(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """One update: gradient of sum w l / sum w + alpha / (2 sum w) · sum W². The reported loss
        is the mean over outputs where that is scikit-learn's."""
        form, total = self.form, weights.sum()
        share = (total > 0.0).float() / (total + (total <= 0.0).float())
        self.optimizer.zero_grad()
        dropout = formulas.dropping(form.dropout, self._generator)
        z = formulas.outputs(x, self.parameters, form.activation, dropout)
        fit = (formulas.row_losses(form.loss, z, y) * weights).sum() * share
        matrices = self.parameters[: len(self.parameters) // 2]
        squares = sum(((W * W).sum() for W in matrices[1:]), (matrices[0] * matrices[0]).sum())
        penalty = self._half_alpha * squares * share
        (fit + penalty).backward()
        self.optimizer.step()
        return fit / reported_outputs(form.loss, form.units[-1]) + penalty

    def begin(
        self, weights: Arrays, alpha: float, lr: Any, seed: int, state: Mapping[str, Any] | None
    ) -> None:
        """Start from these weights, and from a fresh optimizer or one that `state` was read of."""
        with no_grad():
            for parameter, value in zip(self.parameters, weights, strict=True):
                parameter.assign_(np.asarray(value, np.float32))
            self._half_alpha.assign_(np.float32(alpha / 2))
        self._generator.manual_seed(seed)
        self.optimizer.load_state_dict(self._fresh if state is None else state)
        self.set_rate(lr)

    def set_rate(self, lr: Any) -> None:
        """A number or a schedule."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def weights(self) -> list[Array]:
        """Copies."""
        return [parameter.numpy() for parameter in self.parameters]

    def state(self) -> dict[str, Any]:
        """That of the optimizer, as arrays and numbers."""
        return self.optimizer.state_dict()

    def run(self, rows: Rows, batches: npt.NDArray[np.int32]) -> Array:
        """One update for each of the batches; the loss of each."""
        pieces = [self._stepper.run(*call) for call in rows.calls(batches)]
        return np.concatenate(pieces)


def reported_outputs(loss: Loss, outputs: int) -> int:
    """By what the sum over outputs is divided when a loss is reported."""
    return outputs if loss.link == "identity" else 1


_kept: OrderedDict[Form, list[Updates]] = OrderedDict()
_lock = threading.Lock()


@contextmanager
def updates_of(form: Form) -> Iterator[Updates]:
    """Steps of this form that nobody else uses meanwhile."""
    with _lock:
        waiting = _kept.get(form, [])
        updates = waiting.pop() if waiting else None
    if updates is None:
        updates = Updates(form)
    try:
        yield updates
    finally:
        with _lock:
            _kept.setdefault(form, []).append(updates)
            _kept.move_to_end(form)
            while sum(map(len, _kept.values())) > KEPT:
                oldest = next(iter(_kept))
                _kept[oldest].pop()
                if not _kept[oldest]:
                    del _kept[oldest]


@lru_cache(KEPT)
def forward(units: tuple[int, ...], activation: str) -> CompiledFunction[..., Tensor]:
    """The network as a function of rows and weights."""

    def outputs(x: Tensor, *weights: Tensor) -> Tensor:
        return formulas.outputs(x, weights, activation)

    return compile(outputs)


@lru_cache(KEPT)
def gradients(units: tuple[int, ...], activation: str, loss: Loss) -> CompiledFunction[..., Any]:
    """Of sum w l: ((loss, outputs), gradients) as a function of rows, targets, their weights and
    those of the network."""

    def total(network: Sequence[Tensor], x: Tensor, y: Tensor, weights: Tensor) -> Any:
        z = formulas.outputs(x, network, activation)
        return (formulas.row_losses(loss, z, y) * weights).sum(), z

    derived = value_and_grad(total, has_aux=True)

    def both(x: Tensor, y: Tensor, weights: Tensor, *network: Tensor) -> Any:
        (_, z), gradient = derived(list(network), x, y, weights)
        return (z, *gradient)

    return compile(both)


def network_outputs(X: Any, weights: Arrays, activation: str) -> npt.NDArray[np.float32]:
    """The outputs of all rows, dense or sparse, in blocks of few sizes: the bits of a row do not
    depend on the rows beside it."""
    count, layers = X.shape[0], len(weights) // 2
    units = (weights[0].shape[0], *(b.shape[0] for b in weights[layers:]))
    block = next((size for size in BLOCKS if count <= size), BLOCKS[-1])
    network = [np.asarray(w, np.float32, order="C") for w in weights]
    compiled = forward(tuple(map(int, units)), activation)
    outputs = np.empty((count, units[-1]), np.float32)
    for start in range(0, count, block):
        part = dense(X, slice(start, start + block))
        rows = with_room(part, block) if len(part) < block else part
        outputs[start : start + block] = compiled(rows, *network).numpy()[: count - start]
    return outputs
