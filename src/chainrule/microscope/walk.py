"""One step of a training with every value in sight: what the compiled engine computed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DataError
from ..frontend import Tensor, compile, no_grad
from ..frontend.apply import from_array
from ..optim import LBFGS, SimulatedAnnealing
from ..train.callbacks.rates import update_counts
from ..train.learner import Learner
from .names import Name, named
from .recording import Call, Read, Recording
from .values import Value

__all__ = ["NO_TARGET", "Parameter", "Seen", "Step", "Value", "Walker"]

Array = npt.NDArray[Any]
Shapes = tuple[Any, ...]
NO_TARGET = "No gradient: no target was given, so there is no loss that could send one back."


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter before and after the update, dL/d(parameter) as it came back and as the optimizer
    got it (clipped), and the optimizer's state of it, before and after."""

    name: str
    before: Array
    after: Array
    grad: Array | None
    used: Array | None
    state: Mapping[str, tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Seen:
    """One call with its values. ``parameters`` are those of the module itself, by short names."""

    call: Call
    arguments: tuple[Value, ...]
    results: tuple[Value, ...]
    parameters: Mapping[str, Parameter]

    @property
    def name(self) -> str:
        return self.call.name

    @property
    def layer(self) -> Any:
        return self.call.layer

    @property
    def kind(self) -> str:
        return self.call.kind

    @property
    def given(self) -> Value:
        """The first argument."""
        return self.arguments[0]

    @property
    def result(self) -> Value:
        """The first result."""
        return self.results[0]


@dataclass(frozen=True, eq=False)
class Step:
    """All that one step computed. ``batch`` are the arrays that went in: inputs, then target.
    Without a target there is the forward pass alone: no ``loss``, and no gradients."""

    batch: tuple[Any, ...]
    loss: float | None
    inputs: tuple[Value, ...]
    output: Value
    output_read: Read
    target: Any
    calls: tuple[Seen, ...]
    parameters: Mapping[str, Parameter]
    steps_before: int
    training: bool

    def silent(self, otherwise: str) -> str:
        """Why there is no gradient: there is no loss, or ``otherwise``."""
        return NO_TARGET if self.loss is None else otherwise


class Walker:
    """Runs a step of ``learner`` on a batch with all values in sight, and leaves no trace: weights,
    optimizer, buffers and random numbers are as before.

    In ``training`` mode dropout drops, batch normalisation uses the batch, and batches are
    transformed; otherwise the model is as it predicts. ``names`` are those of the inputs' numbers.
    """

    def __init__(self, learner: Learner, training: bool, names: Sequence[Name] = ()) -> None:
        if isinstance(learner.optimizer, LBFGS | SimulatedAnnealing):
            name = type(learner.optimizer).__name__
            raise ConfigError(
                f"a step of {name} evaluates the loss several times, so it is not one walk",
                help="look at the gradients with another optimizer, such as optim.SGD",
            )
        self.learner, self.training, self.names = learner, training, tuple(names)
        #: values that parameters have instead of their own, by name
        self.overrides: Mapping[str, Array] = {}
        self._recorded: dict[Shapes, Recording] = {}
        self._own = list(learner.model.named_parameters())
        self._compiled, self._forward_only = compile(self._step), compile(self._forward)

    def batch(self, *arrays: Any) -> tuple[list[Any], Any]:
        """What the model gets, and what the loss compares its outputs with."""
        if self.training:
            return self.learner.transformed(*arrays)
        return list(arrays[:-1]), arrays[-1]

    def _forward(self, *inputs: Any) -> list[Any]:
        """What is compiled where there is no target."""
        recording = Recording(self.learner.model)
        with no_grad():
            recording.begin(list(inputs))
            with recording.watch():
                recording.end(self.learner.forward(*inputs))
        self._recorded[_shapes((*inputs, None))] = recording
        return list(recording.values)

    def _step(self, *arrays: Any) -> tuple[Any, ...]:
        """What is compiled: `Learner.differentiate` and `finish_step`, watched."""
        learner, recording = self.learner, Recording(self.learner.model)
        learner.zero_grad()
        inputs, target = self.batch(*arrays)
        inputs = [x.detach().requires_grad_() if x.dtype.is_float else x for x in inputs]
        recording.begin(inputs)
        with recording.watch():
            output = learner.forward(*inputs)
            recording.end(output)
            loss = learner.loss(output, target)
        learner.penalized(loss, learner.accumulation.once).backward()
        values = [v.detach() for v in recording.values]
        grads = [v.grad if v.requires_grad else None for v in recording.values]
        raw = [_grad(p) for _, p in self._own]
        learner.finish_step()
        used = [_grad(p) for _, p in self._own]
        self._recorded[_shapes(arrays)] = recording
        return loss, target, values, grads, raw, used

    def run(self, batch: Sequence[Any]) -> Step:
        """The step on ``batch``, or its forward pass if the target, the last part, is None.
        DataError for numbers that are not finite."""
        check_finite(batch)
        if batch[-1] is None:
            return self._run_forward(batch)
        learner = self.learner
        with self.mode():
            before, state = _numbers(self._own), _slots(learner)
            steps = _steps_before(learner)
            loss, target, values, grads, raw, used = self._compiled(*batch)
            after, state_after = _numbers(self._own), _slots(learner)
        parameters = {
            name: Parameter(
                name, before[name], after[name], _array(raw[i]), _array(used[i]),
                {k: (v, state_after[name][k]) for k, v in state.get(name, {}).items()},
            )
            for i, (name, _) in enumerate(self._own)
        }  # fmt: skip
        found = [Value(v.numpy(), _array(g)) for v, g in zip(values, grads, strict=True)]
        return self._told(batch, float(loss), found, _arrays(target), parameters, steps)

    def _run_forward(self, batch: Sequence[Any]) -> Step:
        """The forward pass alone: nothing is sent back, and no weight moves."""
        with self.mode():
            own, slots = _numbers(self._own), _slots(self.learner)
            steps = _steps_before(self.learner)
            values = [Value(v.numpy(), None) for v in self._forward_only(*batch[:-1])]
        parameters = {
            name: Parameter(name, array, array, None, None,
                            {k: (v, v) for k, v in slots.get(name, {}).items()})
            for name, array in own.items()
        }  # fmt: skip
        return self._told(batch, None, values, None, parameters, steps)

    def _told(
        self, batch: Sequence[Any], loss: float | None, values: list[Value], target: Any,
        parameters: Mapping[str, Parameter], steps: int,
    ) -> Step:  # fmt: skip
        """What was recorded, with the numbers that were computed."""
        recording = self._recorded[_shapes(batch)]
        if self.names:
            named(recording, values, self.names)
        calls = tuple(_seen(call, values, parameters, self.learner) for call in recording.calls)
        return Step(
            tuple(batch), loss, tuple(values[i] for i in recording.inputs),
            values[recording.output], recording.output_read, target, calls, parameters,
            steps, self.training,
        )  # fmt: skip

    def with_weights(self, overrides: Mapping[str, Array]) -> Walker:
        """The same walk, where some parameters have other values."""
        other = copy.copy(self)
        other.overrides = {**self.overrides, **overrides}
        return other

    def _override(self) -> None:
        if not self.overrides:
            return
        tensors = dict(self.learner.model.named_parameters())
        with no_grad():
            for name, array in self.overrides.items():
                tensors[name].assign_(from_array(array))

    @contextmanager
    def mode(self) -> Iterator[None]:
        """Inside, the model is in the mode of the walk; afterwards all is as it was."""
        model = self.learner.model
        modes = [(m, m.training) for m in model.modules()]
        try:
            with self.learner.undone():
                model.train(self.training)
                self._override()
                yield
        finally:
            for module, training in modes:
                if module.training is not training:
                    module.train(training)
            self.learner.zero_grad()


def _seen(
    call: Call, values: list[Value], parameters: Mapping[str, Parameter], learner: Learner
) -> Seen:
    prefix = f"{call.path}." if call.path else ""
    own = {}
    names = {id(p): name for name, p in learner.model.named_parameters()}
    for short, tensor in call.layer.named_parameters():
        name = names.get(id(tensor), prefix + short)
        if name in parameters:
            own[short] = parameters[name]
    return Seen(
        call,
        tuple(values[i] for i in call.arguments),
        tuple(values[i] for i in call.results),
        own,
    )


def check_finite(batch: Sequence[Any]) -> None:
    """DataError for NaN or infinity in a batch, with its place."""
    for number, part in enumerate(batch):
        for array in part if isinstance(part, tuple) else (part,):
            if array is None:
                continue
            values = np.asarray(array)
            if values.dtype.kind != "f" or np.isfinite(values).all():
                continue
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            last = number == len(batch) - 1
            what = "the target" if last else f"input {number}" if len(batch) > 2 else "the input"
            raise DataError(
                f"{what} holds {values[place]}: every number after it would be NaN, too",
                where=f"index {place}",
                help="clean the data, or choose another example; cr.find_nonfinite follows a "
                "NaN to where it arises",
            )


def _shapes(batch: Sequence[Any]) -> Shapes:
    """What a program, and so a recording, is for."""
    return tuple(
        _shapes(part) if isinstance(part, tuple) else part if part is None else tuple(part.shape)
        for part in batch
    )


def _grad(parameter: Tensor) -> Tensor | None:
    return None if parameter.grad is None else parameter.grad.detach()


def _array(tensor: Tensor | None) -> Array | None:
    return None if tensor is None else tensor.numpy()


def _arrays(value: Any) -> Any:
    return tuple(map(_arrays, value)) if isinstance(value, tuple) else np.asarray(value)


def _numbers(own: Sequence[tuple[str, Tensor]]) -> dict[str, Array]:
    return {name: p.numpy().copy() for name, p in own}


def _slots(learner: Learner) -> dict[str, dict[str, Array]]:
    """The optimizer's state of each parameter, by the parameter's name."""
    names = {id(p): name for name, p in learner.model.named_parameters()}
    return {
        names[id(p)]: {k: slot.numpy().copy() for k, slot in slots.items()}
        for p, slots in learner.optimizer.state.items()
        if id(p) in names
    }


def _steps_before(learner: Learner) -> int:
    return max(update_counts(learner.optimizer), default=0)
