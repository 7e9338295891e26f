"""Averages of the weights along the way: often better than the weights that training ends with.

The averages are states of the compiled step, like an optimizer's slots: `update` stands after
``optimizer.step()`` and runs in the same program. The share that the new weights get is a number
the host computes for each step, so that nothing is compiled anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..arguments import check_state
from ..errors import ConfigError, StateError, TraceError
from ..frontend import Tensor, host_effect, host_scalar, no_grad
from ..frontend.apply import from_array, tensor_of
from ..frontend.modes import thread, user_line
from ..ir.memory import aligned_copy
from .group import Clock

__all__ = ["EMA", "SWA", "update_batch_norm"]

Array: TypeAlias = npt.NDArray[Any]


@runtime_checkable
class Model(Protocol):
    """What is used of a module."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]: ...
    def named_buffers(self) -> Iterator[tuple[str, Tensor]]: ...
    def modules(self) -> Iterator[Any]: ...


Weights: TypeAlias = Model | Iterable[Tensor]


class Average(ABC):
    """A running average of weights: after its t-th update ``a ← (1 - s) a + s p``, s = `share`.

    ``update()`` stands in the step after ``optimizer.step()``; ``with average.swapped():`` the
    model computes with the averages; ``copy_to(model)`` keeps them. Buffers, such as the running
    statistics of batch normalisation, are not averaged: see `update_batch_norm`.
    """

    def __init__(self, model_or_params: Weights) -> None:
        self._params = _named(model_or_params)
        self._buffers = _buffers(model_or_params)
        self._averages = {n: from_array(aligned_copy(p.concrete)) for n, p in self._params.items()}
        self._clock = Clock(len(self._params))
        self._is_swapped = False

    @abstractmethod
    def share(self, t: int) -> float:
        """The share of the new weights in update number t, from 1."""

    @property
    def updates(self) -> int:
        """How often `update` has run."""
        return self._clock.steps

    def update(self) -> None:
        """Takes the weights as they are now into the average."""
        self._check_not_swapped()
        turn = self._clock.turn()
        share = host_scalar(lambda k: self.share(turn(k)))
        with no_grad():
            for name, average in self._averages.items():
                # Both ends are exact: share 0 keeps the average, share 1 takes the weights.
                average.assign_((1 - share) * average + share * self._params[name])
        host_effect(self._clock.advance)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Inside, the model has the averaged weights; afterwards its own again, bit for bit.

        So do buffers of the model: what `update_batch_norm` does inside holds only there.
        """
        self._check_not_swapped()
        if thread.trace is not None:
            raise TraceError(
                "weights are swapped inside a compiled function",
                where=user_line(),
                help="call the compiled function inside `with average.swapped():`",
            )
        weights = {name: p.numpy() for name, p in self._params.items()}
        buffers = [(b, b.numpy()) for b in self._buffers]
        self._is_swapped = True
        try:
            self._assign(self._params, {n: a.concrete for n, a in self._averages.items()})
            yield
        finally:
            self._assign(self._params, weights)
            for buffer, before in buffers:
                buffer.assign_(from_array(before))
            self._is_swapped = False

    def copy_to(self, model_or_params: Weights) -> None:
        """Gives the averaged weights to a model (or parameters) of the same shapes, for good."""
        self._check_not_swapped()
        targets = list(_named(model_or_params).values())
        averages = [average.concrete for average in self._averages.values()]
        mine, theirs = [a.shape for a in averages], [t.shape for t in targets]
        if mine != theirs:
            raise StateError(
                f"averages of shapes {mine} do not match parameters of shapes {theirs}",
                help="pass the averaged model, or one built the same way",
            )
        self._assign(dict(enumerate(targets)), dict(enumerate(averages)))

    def state_dict(self) -> dict[str, Any]:
        """``{"updates": n, "averages": {name: array}}``; names are those of the parameters."""
        averages = {name: average.numpy() for name, average in self._averages.items()}
        return {"updates": self.updates, "averages": averages}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continues from what `state_dict` gave; StateError, before any change, if it misfits."""
        self._check_not_swapped()
        check_state(state_dict, "an average", "average.state_dict()")
        if not {"updates", "averages"} <= set(state_dict):
            raise StateError(
                f"this is not the state of an average: it has {', '.join(map(str, state_dict))}",
                help="pass what average.state_dict() returned",
            )
        saved = {name: np.asarray(array) for name, array in state_dict["averages"].items()}
        mine = {name: average.shape for name, average in self._averages.items()}
        theirs = {name: array.shape for name, array in saved.items()}
        if mine != theirs:
            differing = sorted(n for n in {**mine, **theirs} if mine.get(n) != theirs.get(n))
            raise StateError(
                f"the state belongs to a different model: {', '.join(differing)} differ",
                help="build the model exactly as it was when the state was saved",
            )
        self._assign(self._averages, saved)
        self._clock.steps = int(state_dict["updates"])

    def _check_not_swapped(self) -> None:
        if self._is_swapped:
            raise StateError(
                "the model currently holds the averages",
                where=user_line(),
                help="do this outside `with average.swapped():`",
            )

    def _assign(self, targets: Mapping[Any, Tensor], values: Mapping[Any, Array]) -> None:
        with no_grad():
            for name, target in targets.items():
                target.assign_(from_array(values[name]))


class EMA(Average):
    """An exponential moving average of weights::

        a ← d a + (1 - d) p

    from the weights it was made with. d is ``decay``; with ``warmup`` it is min(decay, (1 + t) /
    (10 + t)) in update t = 1, 2, ..., so that early weights are soon forgotten; with ``debias`` the
    first weights do not count at all: d is decay (1 - decay**(t-1)) / (1 - decay**t), which makes
    a the weighted mean of the weights seen, as Adam's correction does (Kingma and Ba 2015).

    Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging". Raises
    ConfigError for a decay outside [0, 1), or for both options at once.
    """

    def __init__(
        self,
        model_or_params: Weights,
        decay: float = 0.999,
        *,
        warmup: bool = False,
        debias: bool = False,
    ) -> None:
        if not isinstance(decay, float | int) or not 0 <= decay < 1:
            raise ConfigError(f"decay is {decay!r}", help="decay must be a number in [0, 1)")
        if warmup and debias:
            raise ConfigError(
                "warmup and debias cannot be combined",
                help="both make the average forget the initial weights: choose one",
            )
        super().__init__(model_or_params)
        self.decay, self.warmup, self.debias = float(decay), warmup, debias

    def share(self, t: int) -> float:
        if self.debias:
            return (1 - self.decay) / (1 - self.decay**t)
        if self.warmup:
            return 1 - min(self.decay, (1 + t) / (10 + t))
        return 1 - self.decay


class SWA(Average):
    """The plain mean of the weights after updates ``start``, ``start + every``, ...::

        a ← a + (p - a) / n          for the n-th of them

    Until then the average is the weights themselves. Izmailov et al. 2018, "Averaging weights leads
    to wider optima and better generalization"; there one takes the weights once in each epoch of
    the last quarter of training, at a high, constant or cyclical rate.
    """

    def __init__(self, model_or_params: Weights, start: int = 1, every: int = 1) -> None:
        for name, value in (("start", start), ("every", every)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(
                    f"{name} is {value!r}", help=f"{name} must be a whole number of at least 1"
                )
        super().__init__(model_or_params)
        self.start, self.every = start, every

    def share(self, t: int) -> float:
        if t <= self.start:
            return 1.0
        taken, rest = divmod(t - self.start, self.every)
        return 0.0 if rest else 1 / (taken + 1)

    @property
    def averaged(self) -> int:
        """How many weights the mean is of."""
        return max(0, (self.updates - self.start) // self.every + 1)


@runtime_checkable
class TracksStatistics(Protocol):
    """What is used of a layer of batch normalisation."""

    training: bool
    momentum: float | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def train(self, mode: bool = True) -> Any: ...


def update_batch_norm(model: Any, batches: Iterable[Any]) -> None:
    """Sets the running statistics of the batch normalisations of ``model`` to those of ``batches``.

    Averaged weights have seen no batch, so the statistics of the model are not theirs. Each of
    ``batches`` is an array of inputs, or a tuple that begins with one; the statistics become the
    plain mean over all of them (Izmailov et al. 2018, section 3.2). All other layers work as in
    evaluation, so that dropout draws no random numbers. Modes and momentum stay as they were.
    """
    layers = [m for m in model.modules() if isinstance(m, TracksStatistics)]
    layers = [m for m in layers if m.running_mean is not None]
    if not layers:
        return
    modes = [(module, module.training) for module in model.modules()]
    momenta = [layer.momentum for layer in layers]
    try:
        model.train(False)
        for layer in layers:
            _reset(layer)
        with no_grad():
            for batch in batches:
                model(tensor_of(batch[0] if isinstance(batch, list | tuple) else batch))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes:
            module.train(training)


def _reset(layer: TracksStatistics) -> None:
    """Forgets what ``layer`` has seen; from here on it takes the plain mean over batches."""
    for buffer, value in (
        (layer.running_mean, 0.0),
        (layer.running_var, 1.0),
        (layer.num_batches_tracked, 0),
    ):
        if buffer is not None:
            buffer.assign_(value)
    layer.momentum = None
    layer.train()


def _named(model_or_params: Weights) -> dict[str, Tensor]:
    """Parameters by name: their path in the model, or their number."""
    if isinstance(model_or_params, Model):
        named = dict(model_or_params.named_parameters())
    else:
        given = model_or_params
        tensors = [given] if isinstance(given, Tensor) else list(given)
        named = {str(i): p for i, p in enumerate(tensors)}
    if not named or not all(isinstance(p, Tensor) for p in named.values()):
        raise ConfigError("no parameters to average", help="pass a model, or model.parameters()")
    return named


def _buffers(model_or_params: Weights) -> list[Tensor]:
    if not isinstance(model_or_params, Model):
        return []
    return [buffer for _, buffer in model_or_params.named_buffers()]
