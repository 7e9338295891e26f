"""Optimizers: parameters and kept state after several steps with the same gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_optimizers import optim_db

import chainrule as cr
from benchmarks.parity.compare import bound, by_design, compared, judged
from benchmarks.parity.differences import difference_of
from benchmarks.parity.effort import Effort
from benchmarks.parity.samples import Arguments, array_of
from benchmarks.parity.verdict import Array, Exact, Result

STEPS = 7
SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (4,), (2, 3, 2), (1,), ())
MATRICES: tuple[tuple[int, ...], ...] = ((3, 4), (5, 2), (4, 4))


def entries(only: set[str]) -> list[Any]:
    """The entries with a counterpart."""
    known = [o for o in optim_db if full_name(o) in cr.optim.__all__]
    return [o for o in known if not only or full_name(o) in only]


def full_name(optimizer: Any) -> str:
    """As in `torch.optim`."""
    return str(optimizer.optim_cls.__name__)


def results(optimizer: Any, effort: Effort) -> Iterator[Result]:
    """The result of each sample."""
    name = full_name(optimizer)
    for number, sample in enumerate(optimizer.optim_inputs_func(device="cpu")):
        arguments = Arguments((), sample.kwargs)
        task = _Task(optimizer, arguments, effort.rng(name, number))
        outcomes = [
            by_design(judged(way, functools.partial(task.ours, way)), task.known)
            for way in ("eager", "compiled")
        ]
        yield Result(name, "float32", number, tuple(outcomes), f"{sample.desc}: {arguments}")


class _Task:
    """Parameters, what the loss is made of in each step, and PyTorch's way from there."""

    def __init__(self, optimizer: Any, arguments: Arguments, rng: np.random.Generator) -> None:
        self.optimizer, self.arguments = optimizer, arguments
        self.closure = optimizer.step_requires_closure
        shapes = MATRICES if full_name(optimizer) == "Muon" else SHAPES
        self.start = [_drawn(rng, s) for s in shapes]
        self.weights = [[_drawn(rng, s) for s in shapes] for _ in range(STEPS)]
        self.known = difference_of(full_name(optimizer), "float32")
        run = self.known.instead(self.theirs) if self.known else self.theirs
        self.single, self.single_state = run(torch.float32)
        self.double, self.double_state = run(torch.float64)

    def loss(self, params: Sequence[Any], weights: Sequence[Any]) -> Any:
        """A sum whose derivatives are the weights; a bowl around them where it is searched."""
        if self.closure:
            parts = [
                ((p - w) * (p - w) * (1.0 + w * w)).sum()
                for p, w in zip(params, weights, strict=True)
            ]
        else:
            parts = [(p * w).sum() for p, w in zip(params, weights, strict=True)]
        return functools.reduce(lambda a, b: a + b, parts)

    def theirs(self, dtype: torch.dtype) -> tuple[list[Array], dict[str, Array]]:
        """Parameters after every step, and the state at the end."""
        params = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in self.start]
        _, kwargs = self.arguments.for_torch(self.arguments.leaves)
        optimizer = self.optimizer.optim_cls(params, **kwargs)
        history = []
        for arrays in self._weights():
            weights = [torch.tensor(a, dtype=dtype) for a in arrays]

            def closure(weights: list[torch.Tensor] = weights) -> Any:
                optimizer.zero_grad()
                loss = self.loss(params, weights)
                loss.backward()
                return loss

            optimizer.step(closure)
            history += [array_of(p).copy() for p in params]
        state = optimizer.state_dict()["state"]
        kept = {
            f"{i}.{name}": array_of(value)
            for i, slots in state.items()
            for name, value in slots.items()
            if isinstance(value, torch.Tensor)
        }
        return history, kept

    def _weights(self) -> list[list[Array]]:
        return [self.weights[0]] * STEPS if self.closure else self.weights

    def ours(self, way: str) -> str:
        """How ours differs from that."""
        params = [cr.nn.Parameter(a) for a in self.start]
        make = getattr(cr.optim, full_name(self.optimizer))
        _, kwargs = self.arguments.for_ours([cr.tensor(a) for a in self.arguments.arrays()])
        bound(make, (params,), kwargs)
        optimizer = make(params, **kwargs)
        step = self._searched if self.closure else self._stepped
        run = step(optimizer, params, way == "compiled")
        history = []
        for arrays in self._weights():
            run(arrays)
            history += [p.numpy() for p in params]
        found = compared(history, self.single, list(map(Exact.of, self.double)), "parameter")
        return found or self._state(optimizer)

    def _stepped(self, optimizer: Any, params: Any, compile: bool) -> Callable[[Any], Any]:
        def step(weights: Any) -> Any:
            optimizer.zero_grad()
            loss = self.loss(params, weights)
            loss.backward()
            optimizer.step()
            return loss

        return cr.compile(step) if compile else lambda arrays: step([cr.tensor(a) for a in arrays])

    def _searched(self, optimizer: Any, params: Any, compile: bool) -> Callable[[Any], Any]:
        weights = [cr.tensor(a) for a in self.weights[0]]

        def closure() -> Any:
            optimizer.zero_grad()
            loss = self.loss(params, weights)
            loss.backward()
            return loss

        ready = cr.compile(keep_grads=True)(closure) if compile else closure
        return lambda arrays: optimizer.step(ready)

    def _state(self, optimizer: Any) -> str:
        """What both keep under one name is the same; the last way of a search is noise."""
        if self.closure:
            return ""
        mine = {
            f"{i}.{name}": np.asarray(value)
            for i, slots in optimizer.state_dict()["state"].items()
            for name, value in slots.items()
            if name != "step"
        }
        for name in mine.keys() & self.single_state.keys():
            exact = Exact.of(self.double_state[name])
            found = compared([mine[name]], [self.single_state[name]], [exact], name)
            if found:
                return f"state {found}"
        return ""


def _drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.standard_normal(shape), np.float32)
