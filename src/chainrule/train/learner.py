"""One step of learning: what is compiled, and all that it changes.

train_step → differentiate → transform, forward, loss, penalty
           → finish_step → (accumulation) → update → clip, step, constraint, average
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..frontend import CompiledFunction, Tensor, compile, no_grad
from ..nn import Module
from ..optim import LBFGS, Optimizer, SimulatedAnnealing
from ..optim import clip as clipping
from .accumulate import Accumulation, TreeAccumulation
from .batch_source import BatchSource
from .closure import ClosureStepper
from .diagnosis.explain import ReplayLog
from .diagnosis.gradient import gradient_norm
from .diagnosis.lrfinder import RateSearch, find_rate
from .diagnosis.overfit import Overfit, overfit
from .evaluation import Evaluator, WeightAverage
from .history import History
from .metrics import Metric
from .parted import PartedStepper
from .parts import Parts, checked_parts
from .run import Run
from .state import gathered, put_back, set_weights_of, weights_of
from .stepper import SliceLength, Stepper, make_stepper
from .weights import unweighted

__all__ = ["Learner"]

#: what optimizers that evaluate the loss themselves have no place for
_REFUSED: dict[type[Optimizer], tuple[str, ...]] = {
    LBFGS: ("accumulate", "clip", "parts"),
    SimulatedAnnealing: ("accumulate", "clip", "penalty", "parts"),
}


class Learner(Evaluator):
    """The part of a `Trainer` that changes a model, without the loop around it."""

    def __init__(
        self,
        model: Module,
        loss: str | Callable[..., Tensor],
        optimizer: Optimizer,
        metrics: Sequence[str | Metric | Callable[..., float]] = (),
        *,
        accumulate: int = 1,
        clip: Callable[[list[Tensor]], Any] | Mapping[str, Any] | None = None,
        penalty: Callable[[list[Tensor]], Tensor] | None = None,
        constraint: Callable[[list[Tensor]], Any] | None = None,
        average: WeightAverage | None = None,
        transform: Callable[..., Sequence[Tensor]] | None = None,
        explain: bool = True,
        parts: Parts = 0,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ConfigError(
                f"the optimizer is {optimizer!r}",
                help="pass an instance, for example optim.Adam(model.parameters(), lr=1e-3)",
            )
        super().__init__(model, loss, metrics, average)
        self.optimizer = optimizer
        updated = set(self.parameters())
        if not updated.intersection(model.parameters()) and not isinstance(loss, Module):
            raise ConfigError(
                "the optimizer updates none of the model's parameters",
                help="create it from this model: optim.Adam(model.parameters()); a copy or a "
                "loaded model has its own parameters",
            )
        self.clip = clipping.make(clip) if isinstance(clip, Mapping) else clip
        self.penalty, self.constraint, self.transform = penalty, constraint, transform
        self.parts = checked_parts(parts)
        self._check_parts(accumulate)
        summed = getattr(self.criterion.function, "reduction", "mean") == "sum"
        self.accumulation: Accumulation = (
            Accumulation(self.parameters(), accumulate, summed)
            if self.parts == 1
            else TreeAccumulation(accumulate, summed, self.parts)
        )
        self.history = History()
        self.stop_training = False
        self.verbose = False
        self.messages: list[str] = []
        self.run: Run | None = None
        self.stepper = self.make_stepper()
        self._slice_length = SliceLength()
        self._replay_log = ReplayLog(self) if explain else None

    def _check_parts(self, accumulate: int) -> None:
        for name in ("clip", "penalty", "constraint", "transform"):
            part = getattr(self, name)
            if part is not None and not callable(part):
                raise ConfigError(f"{name} is {part!r}", help="pass a function, or leave it out")
        requested = {"accumulate": accumulate != 1, "clip": self.clip, "penalty": self.penalty,
                     "parts": self.parts != 1}  # fmt: skip
        refused = _REFUSED.get(type(self.optimizer), ())
        for name in refused:
            if requested[name]:
                raise ConfigError(
                    f"{type(self.optimizer).__name__} cannot be combined with {name}",
                    help=f"it evaluates the loss itself; leave out {name}, or use another "
                    "optimizer",
                )

    # --------------------------------------------------------------------- what is compiled

    def train_step(self, *arrays: Tensor) -> Tensor:
        """One step on one batch; ``arrays`` are the inputs, then the target."""
        if isinstance(self.optimizer, SimulatedAnnealing):
            # It compares losses of the same batch at two places, and needs no gradient.
            loss: Tensor = self.optimizer.step(lambda: self.batch_loss(*arrays))
            self.after_update()
            return loss
        loss = self.differentiate(*arrays)
        self.finish_step()
        return loss

    def differentiate(self, *arrays: Tensor) -> Tensor:
        """Forward and backward: the loss of one batch; the gradients are with the parameters."""
        self.zero_grad()
        loss = self.batch_loss(*arrays)
        self.penalized(loss, self.accumulation.once).backward()
        return loss

    def zero_grad(self) -> None:
        """Forget all gradients, also of parameters that the optimizer does not update."""
        self.optimizer.zero_grad()
        self.model.zero_grad()

    def finish_step(self) -> None:
        """What follows once the gradients of a batch are there: an update, if it is due."""
        if self.accumulation.every == 1:
            self.update()
        else:
            self.accumulation.update(self.update)

    def batch_loss(self, *arrays: Tensor) -> Tensor:
        """The loss of one batch, transformed if that is wanted."""
        inputs, target = self.transformed(*arrays)
        return self.loss(self.forward(*inputs), target)

    def transformed(self, *arrays: Tensor) -> tuple[list[Tensor], Any]:
        """What the model gets of one batch, and what the loss compares its outputs with."""
        *inputs, target = arrays
        target, weights = unweighted(target)
        if self.transform is not None:
            batch: Any = self.transform(*inputs, target)
            if not isinstance(batch, tuple | list):
                raise ConfigError(
                    f"transform returned {batch!r}",
                    help="return the batch: inputs, then the target",
                )
            *inputs, target = batch
        return list(inputs), target if weights is None else (target, weights)

    def penalized(self, loss: Tensor, weigh: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """What is differentiated; ``weigh`` gives the part of the penalty that belongs to it."""
        if self.penalty is None:
            return loss
        penalty = self.penalty(self.parameters())
        return loss + (penalty if weigh is None else weigh(penalty))

    def update(self) -> None:
        """What happens once the gradients are there."""
        if self.clip is not None:
            self.clip(self.parameters())
        self.optimizer.step()
        self.after_update()

    def after_update(self) -> None:
        """What happens once the weights are new."""
        with no_grad():
            if self.constraint is not None:
                self.constraint(self.parameters())
            if self.average is not None:
                self.average.update()

    def parameters(self) -> list[Tensor]:
        """The parameters that the optimizer updates."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def read(self, data: Any, validation: Any = None) -> tuple[BatchSource, BatchSource | None]:
        """Data, checked, that fits the model and the loss."""
        return self.data_check.pair(data, validation)

    def make_stepper(self) -> Stepper:
        """What runs `train_step` on many batches."""
        if isinstance(self.optimizer, LBFGS):
            return ClosureStepper(self)
        if self.parts != 1:
            return PartedStepper(self, self.parts)
        return self.stepper_of(self.train_step)

    def looked_into(self) -> CompiledFunction[..., Any]:
        """What is computed with every value in sight when a loss is not finite."""
        if isinstance(self.stepper, ClosureStepper):
            return self.stepper.evaluate
        return compile(self.train_step)

    def stepper_of(self, step: Callable[..., Tensor]) -> Stepper:
        """What runs any step on many batches."""
        return make_stepper(step)

    # --------------------------------------------------------------------- state and trials

    def state(self, snapshot: bool = False) -> dict[str, Any]:
        """Everything the training depends on, as copies: weights, optimizer, schedules, random
        numbers, history; within `fit` also the position in the data and the callbacks.
        """
        return gathered(self, self._active_run, snapshot)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to what `state` gave; callbacks are left as they are.

        Raises StateError, before anything is changed, if it belongs to another model.
        """
        put_back(self, state, self._active_run)
        if self._replay_log is not None:
            self._replay_log.begin()

    def go_back(self, state: Mapping[str, Any]) -> None:
        """`set_state` within a training: callbacks too, and later checkpoints are removed."""
        self.set_state(state)
        if self.run is not None:
            self.run.hooks.set_state(state.get("callbacks", ()))
            if self.run.checkpoints is not None:
                self.run.checkpoints.forget_after(self.run.steps)

    @property
    def _active_run(self) -> Run | None:
        """The training that is going on: outside of one a state has no place in the data."""
        return self.run if self.run is not None and self.run.active else None

    def weights(self) -> dict[str, Any]:
        """Copies of the model's weights, and of the averaged ones if there is an average."""
        return weights_of(self)

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Takes over what `weights` gave."""
        set_weights_of(self, weights)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Inside, the model may be trained on trial: afterwards all is as before, to the bit."""
        before, position = self.state(), self.accumulation.position
        rates = [group.get("lr") for group in self.optimizer.param_groups]
        evaluating = not self.model.training
        if evaluating:
            self.model.train()
        try:
            yield
        finally:
            if evaluating:
                self.model.eval()
            for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
                if lr is not None:
                    group["lr"] = lr
            self.set_state(before)
            self.accumulation.begin(*position)

    def gradient_norm(self, data: Any = None) -> float:
        """The Euclidean norm of the gradient of the mean loss (and penalty) over all rows of
        ``data``, by default of the training data, in evaluation mode.
        """
        return gradient_norm(self, data)

    def lr_find(self, data: Any, **settings: Any) -> RateSearch:
        """Tries learning rates in an exponential ramp; the settings are those of
        `chainrule.train.diagnosis.lrfinder.find_rate`. Weights, optimizer and random numbers are as
        before afterwards.
        """
        return find_rate(self, data, **settings)

    def overfit_batch(self, data: Any, steps: int = 200, batch_size: int = 32) -> Overfit:
        """Trains on one batch alone: a network that cannot learn that has a defect somewhere.

        See `chainrule.train.diagnosis.overfit.overfit`. All is as before afterwards.
        """
        return overfit(self, data, steps, batch_size)
