"""All of a training but the training: the table prepared, settings decided, no run folder."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import Prepared, PreparedRows, Table
from ...runs.training import generator_at
from ...train import Trainer
from .fit import completed
from .fitting import prepared_arrays, task_of, untrained
from .network import inputs_of
from .opening import open_table
from .settings import Settings

__all__ = ["Ready", "arrays_of", "readied"]


@dataclass(frozen=True)
class Ready:
    """A table and the settings of its training, with nothing left to decide."""

    table: Table
    prepared: Prepared
    settings: Settings

    def trainer(self) -> Trainer:
        """A trainer for a network with the weights that training would begin with."""
        return untrained(self.prepared, self.settings)[1]


@contextlib.contextmanager
def readied(settings: Settings, source: object = None) -> Iterator[Ready]:
    """What `fit_settings` would train with; ``source`` stands for the table if it is given.

    Inside, random numbers are those of a training; arrays that do not fit into memory lie in
    temporary files. Raises what `fit` raises before it trains.
    """
    origin = source if source is not None else settings.data.path
    table, known = open_table(origin, settings.data.query or None)
    settings = completed(settings, origin, table, known)
    arrays = Path(tempfile.gettempdir())
    prepared = prepared_arrays(table, settings.data, settings.seed, arrays)
    settings = settings.resolved(len(prepared.train), task_of(prepared))
    with generator_at(2 * settings.seed + 1):
        yield Ready(table, prepared, settings)


def arrays_of(part: PreparedRows) -> tuple[Any, Any]:
    """Inputs and target of some rows, as a trainer takes them."""
    return inputs_of(part.features), part.target
