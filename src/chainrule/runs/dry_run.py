"""Everything a training does before it trains: data prepared, settings decided, no run folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..train import RateSearch, Trainer
from .modality import Modality, Opened, Prepared, Words
from .planning import draw_schedule
from .preparation import new_trainer, open_data, prepare_data, seeded_generator
from .settings.document import RunSettings
from .task import Task

__all__ = ["PreparedRun", "find_lr", "prepare_run", "sketch_schedule"]

S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True)
class PreparedRun(Generic[S]):
    """A training with nothing left to decide: its kind of data, and the data as it was opened and
    as it was prepared."""

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
        return self.kind.describe(
            {"data": self.prepared.data_facts(), "model": self.prepared.model_facts()}
        )

    def trainer(self, unregularized: bool = False) -> Trainer:
        """A new trainer with the initial weights of the training.

        ``unregularized`` leaves out all that keeps a network from memorising a few examples.
        """
        if not unregularized:
            return new_trainer(self.kind, self.prepared)
        prepared = self.prepared.with_settings(self.settings.unregularized())
        return new_trainer(self.kind, prepared)


@contextlib.contextmanager
def prepare_run(
    kind: Modality[S, Any], settings: S, source: object = None
) -> Iterator[PreparedRun[S]]:
    """What `training.train` would train; ``source``, unless it is None, replaces the data.

    Inside, random numbers are those of a training; arrays that do not fit into memory lie in
    temporary files. Raises what `train` raises before it trains.
    """
    folder = Path(tempfile.gettempdir())
    data = open_data(kind, settings, source, folder)
    prepared = prepare_data(data, None, folder)
    with seeded_generator(2 * settings.seed + 1):
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
    """Trains ``steps`` updates while the learning rate rises from ``start`` to ``end``; nothing is
    written. See `chainrule.train.diagnosis.lrfinder.find_rate`.

    Raises what `train` raises before it trains, and ConfigError for a range that does not rise.
    """
    with prepare_run(kind, settings, source) as run:
        return run.trainer().lr_find(
            run.prepared.train,
            start=start,
            end=end,
            steps=steps,
            batch_size=run.settings.train.batch,
            seed=run.settings.seed,
        )


def sketch_schedule(kind: Modality[S, Any], settings: S, width: int = 60) -> str:
    """The learning rate of a run, drawn as text; of the data, only the number of rows is read."""
    rows = open_data(kind, settings, None, Path(tempfile.gettempdir())).training_rows()
    return draw_schedule(settings.train, rows, width)
