"""All of a training but the training: data prepared, settings decided, no run folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..train import RateSearch, Trainer
from .modality import Modality, Opened, Prepared, Words
from .planning import sketch
from .settings.document import RunSettings
from .task import Task
from .training import described, generator_at, opened, prepared_from, untrained

__all__ = ["PreparedRun", "find_lr", "prepared_run", "sketch_schedule"]

S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True)
class PreparedRun(Generic[S]):
    """A training with nothing left to decide: its kind of data, the data as it was found, and as it
    was prepared."""

    kind: Modality[S, Any]
    opened: Opened[S]
    prepared: Prepared[S]

    @property
    def settings(self) -> S:
        return self.prepared.settings

    @property
    def goal(self) -> Task:
        """What is learned."""
        return self.kind.goal(self.prepared.preprocessor)

    @property
    def words(self) -> Words:
        """How the run speaks of its data."""
        return self.kind.describe(described(self.kind, self.prepared))

    def trainer(self, unhindered: bool = False) -> Trainer:
        """A trainer for a network with the weights that training would begin with; ``unhindered``
        by all that keeps it from learning a few examples by heart."""
        if not unhindered:
            return untrained(self.kind, self.prepared)[1]
        prepared = self.prepared.with_settings(self.settings.unhindered())
        return untrained(self.kind, prepared)[1]


@contextlib.contextmanager
def prepared_run(
    kind: Modality[S, Any], settings: S, source: object = None
) -> Iterator[PreparedRun[S]]:
    """What `training.fit` would train with; ``source`` stands for the data unless it is None.

    Inside, random numbers are those of a training; arrays that do not fit into memory lie in
    temporary files. Raises what `fit` raises before it trains.
    """
    folder = Path(tempfile.gettempdir())
    data = opened(kind, settings, source, folder)
    prepared = prepared_from(data, None, folder)
    with generator_at(2 * settings.seed + 1):
        yield PreparedRun(kind, data, prepared)


def find_lr(
    kind: Modality[S, Any],
    settings: S,
    source: object = None,
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
) -> RateSearch:
    """Trains ``steps`` updates while the rate rises from ``start`` to ``end``, as ``settings`` say;
    nothing is written. See `chainrule.train.diagnosis.lrfinder.find_rate`.

    Raises what `fit` raises before it trains, and ConfigError for a ramp that does not rise.
    """
    with prepared_run(kind, settings, source) as run:
        chosen = run.settings
        return run.trainer().lr_find(
            run.prepared.train,
            start=start,
            end=end,
            steps=steps,
            batch_size=chosen.train.batch,
            seed=chosen.seed,
        )


def sketch_schedule(kind: Modality[S, Any], settings: S, width: int = 60) -> str:
    """The learning rate of a run as a drawing in text; reads how many examples there are."""
    rows = opened(kind, settings, None, Path(tempfile.gettempdir())).training_rows()
    return sketch(settings.train, rows, width)
