"""What can be seen of a training from outside once it is over: of its model, data, settings and
results.

What is learned in each epoch is the `History`, what layers do in single steps an `Observation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...errors import ChainruleError
from ...nn import Module
from ...optim import Optimizer
from ..accumulate import Accumulation
from ..batch_source import BatchSource, spread_rows
from ..callbacks.stopping import EarlyStopping
from ..criterion import Criterion
from ..run import Run
from .data_facts import MOST_ROWS, DataFacts, facts_of_data, sample_of
from .fit_facts import FitFacts, facts_of_fit

__all__ = ["Examination", "LayerFacts", "TrainingFacts", "examine"]

#: settings of layers that say something of their health
OPTIONS = ("p", "momentum", "eps", "out_features", "in_features", "num_layers")


@dataclass(frozen=True)
class LayerFacts:
    """A layer without layers in it. ``trained``: whether the optimizer updates its parameters, None
    if it has none. ``twins``: the share of its units whose weights equal those of another."""

    path: str
    kind: str
    parameters: int
    trained: bool | None
    twins: float
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingFacts:
    """How it was trained. ``steps`` are those of an epoch; ``seconds`` are those spent in all, and
    in parts of it."""

    loss: str
    optimizer: str
    batch: int
    steps: int
    accumulate: int
    shuffled: bool
    epochs: int
    stopped: bool
    restores_best: bool
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Examination:
    """All of it; ``fit`` is None where an error ended the training."""

    layers: tuple[LayerFacts, ...]
    data: DataFacts
    training: TrainingFacts
    fit: FitFacts | None


class Examinable(Protocol):
    """A trainer that has trained."""

    @property
    def model(self) -> Module: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def criterion(self) -> Criterion: ...
    @property
    def accumulation(self) -> Accumulation: ...
    @property
    def run(self) -> Run | None: ...

    def loss_of(self, outputs: Any, target: Any) -> float:
        """The loss of these outputs."""

    def outputs_of(self, source: BatchSource, rows: Any) -> tuple[Any, Any]:
        """Outputs and targets of some rows, in evaluation mode."""

    def parameters(self) -> list[Any]:
        """Those that the optimizer updates."""


def examine(trainer: Examinable, failed: bool = False) -> Examination | None:
    """Looks at a trainer after its training, which may have ``failed``; None if there was none."""
    run = trainer.run
    if run is None:
        return None
    samples = [sample_of(source, spread_rows(source.rows, MOST_ROWS))
               for source in (run.train, run.validation) if source is not None]  # fmt: skip
    data = facts_of_data(run.train, run.validation, samples, trainer.criterion)
    try:
        fit = None if failed else facts_of_fit(trainer, run)
    except ChainruleError:  # of weights that are not finite, say
        fit = None
    return Examination(_layers(trainer), data, _training(trainer, run), fit)


def _layers(trainer: Examinable) -> tuple[LayerFacts, ...]:
    updated = {id(p) for p in trainer.parameters()}
    facts = []
    for path, layer in trainer.model.named_modules():
        own = [p for name, p in layer.named_parameters() if "." not in name]
        inner = any(True for _ in layer.children())
        if inner and not own:
            continue
        trained = any(id(p) in updated and p.requires_grad for p in own) if own else None
        options = {
            n: float(v) for n in OPTIONS if isinstance(v := getattr(layer, n, None), int | float)
        }
        count = sum(p.numel() for p in own)
        facts.append(LayerFacts(path, type(layer).__name__, count, trained, _twins(own), options))
    return tuple(facts)


def _twins(parameters: list[Any]) -> float:
    """The share of rows of the largest matrix that equal another row."""
    matrices = [p for p in parameters if p.ndim > 1 and p.shape[0] > 1]
    if not matrices:
        return 0.0
    rows = max(matrices, key=lambda p: p.numel()).numpy()
    rows = np.ascontiguousarray(rows.reshape(rows.shape[0], -1))
    if rows.shape[1] < 2:
        return 0.0
    distinct = len(np.unique(rows.view(f"V{rows.dtype.itemsize * rows.shape[1]}").ravel()))
    return 1.0 - distinct / len(rows) if distinct < len(rows) else 0.0


def _training(trainer: Examinable, run: Run) -> TrainingFacts:
    stopping = [c for c in run.hooks if isinstance(c, EarlyStopping)]
    order = run.order
    function = trainer.criterion.function
    return TrainingFacts(
        loss=getattr(function, "__name__", type(function).__name__),
        optimizer=type(trainer.optimizer).__name__,
        batch=order.batch,
        steps=order.steps,
        accumulate=trainer.accumulation.every,
        shuffled=order.shuffle,
        epochs=run.epoch,
        stopped=run.epoch < run.epochs,
        restores_best=any(c.restore_best for c in stopping),
        seconds=dict(run.clock),
    )
