"""The microscope at a run: its data, its model and its optimizer, at one of its checkpoints.

    run folder ── data opened and prepared, trainer built ── state of a checkpoint ──► Scope

Nothing is known here of kinds of data: `runs.modality` says how each is opened, built and read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, StateError
from ..runs.folder import WEIGHTS_FILE, has_weights
from ..runs.loading import read_facts, read_settings
from ..runs.modality import PartName, Prepared, judged_part
from ..runs.preparation import new_trainer, open_data, prepare_data, seeded_generator
from ..runs.recognition import kind_of_run
from ..train import Checkpoint, Checkpoints, Trainer, load
from ..train.batch_source import BatchSource, host_batch
from ..train.callback import CallbackList
from ..train.diagnosis.replay import replay
from ..train.order import Order
from ..train.run import Run
from ..train.state import put_back
from .scope import Scope
from .walk import Walker

__all__ = ["RunScope", "open_run", "scope_of_run"]


@dataclass
class RunScope:
    """A run that can be looked at: its trainer, its prepared data, and its checkpoints by step."""

    folder: Path
    name: str
    seed: int
    epochs: int
    trainer: Trainer
    prepared: Prepared[Any]
    train: BatchSource
    held: BatchSource | None
    order: Order
    checkpoints: list[Checkpoint]

    def part(self, name: PartName) -> BatchSource:
        """One of the three parts, as it is read."""
        return self.trainer.data_check.labelled(getattr(self.prepared, name), f"{name} data")

    def example(self, number: int, part: PartName | None = None, training: bool = False) -> Scope:
        """One example at the newest checkpoint, or with the weights the run predicts with."""
        name = part or judged_part(self.prepared.sizes)
        source = self.part(name)
        if not 0 <= number < source.rows:
            raise ConfigError(
                f"the {name} part has no example {number}",
                help=f"it has {source.rows}: 0 to {source.rows - 1}"
                if source.rows
                else f"the {name} part is empty; choose another one with --part",
            )
        note = self.restore()
        rows = np.array([number], np.int32)
        title = f"{self.name}: example {number} of the {name} part"
        return Scope(Walker(self.trainer, training), host_batch(source, rows), title, (note,))

    def restore(self) -> str:
        """Takes over the newest checkpoint; says in words what is looked at."""
        if self.checkpoints:
            newest = self.checkpoints[-1]
            put_back(self.trainer, newest.state(), None)
            return f"weights and optimizer after step {newest.step} (epoch {newest.epoch})"
        if not has_weights(self.folder):
            raise StateError(
                "the run has neither checkpoints nor a model",
                where=str(self.folder),
                help="wait for its first epoch, or train again with output.checkpoints.every = "
                '"epoch"',
            )
        self.trainer.model.load_state_dict(load(self.folder / WEIGHTS_FILE))
        return ("the run kept no checkpoints: these are the weights that it predicts with, and the "
                "optimizer's state begins at zero")  # fmt: skip

    def replay(self, step: int) -> Scope:
        """Step ``step`` of the training, counted from 1, on its own batch, done again from the
        nearest checkpoint before it, or from the beginning."""
        most = self.epochs * self.order.steps
        if not 1 <= step <= most:
            raise ConfigError(f"there is no step {step}", help=f"the run planned 1 to {most}")
        earlier = [c for c in self.checkpoints if c.step < step]
        hooks = CallbackList([], self.trainer)
        run = Run(self.train, self.held, self.order, self.epochs, hooks)
        self.trainer.run = run
        with seeded_generator(2 * self.seed + 1):
            self.trainer.accumulation.begin(self.order, 0)
            if earlier:
                put_back(self.trainer, earlier[-1].state(), run)
            else:
                self._begin_again()
            begun = run.steps
            rows = replay(self.trainer, run, step - 1)
            run.active = False
            source = f"the checkpoint after step {begun}" if begun else "the beginning"
            note = f"replayed from {source}; the batch is the one that the training had"
            title = f"{self.name}: step {step}"
            batch = host_batch(self.train, rows)
            return Scope(Walker(self.trainer, True), batch, title, (note,))

    def _begin_again(self) -> None:
        """Initial weights, as the training had them."""
        kind = kind_of_run(read_facts(self.folder))
        fresh = new_trainer(kind, self.prepared)
        self.trainer.model.load_state_dict(fresh.model.state_dict())
        self.trainer.optimizer.load_state_dict(fresh.optimizer.state_dict())


def open_run(run: Path, source: object = None) -> RunScope:
    """The run in the folder ``run``; ``source`` is its data, if that came from Python.

    Raises StateError or DataError if the folder cannot be read, or its data is gone or changed.
    """
    facts = read_facts(run)
    kind = kind_of_run(facts)
    settings = read_settings(kind, run)
    if source is None and not settings.data.path:
        raise StateError(
            "the data of this run came from Python",
            where=str(run),
            help="pass it: cr.microscope.scope_of_run(run, data); or look at a model with cr.scope",
        )
    prepared = prepare_data(open_data(kind, settings, source, None), settings, None)
    if (expected := facts["data"].get("fingerprint")) not in (None, prepared.fingerprint):
        raise StateError(
            "the data is not the same as when this run was trained",
            where=prepared.name,
            help=f"bring back the data ({expected}), or train again",
        )
    trainer = new_trainer(kind, prepared)
    train, held = trainer.read(prepared.train, prepared.validation)
    own = settings.train
    order = Order.of(train.rows, own.batch, settings.seed, True)
    found = Checkpoints(run / "checkpoints", owner=str(facts["name"])).readable()
    return RunScope(
        run, str(facts["name"]), settings.seed, own.epochs, trainer, prepared, train, held, order,
        [c for c in found if c.intact()],
    )  # fmt: skip


def scope_of_run(
    run: str | Path,
    source: object = None,
    *,
    example: int = 0,
    part: PartName | None = None,
    step: int | None = None,
) -> Scope:
    """A `Scope` at a run: one ``example`` at its newest checkpoint, or ``step`` of its training,
    replayed on its own batch.

    ``part`` is ``train``, ``validation`` or ``test``, by default the one that the run was judged
    by. ``source`` is the data of the run, if that came from Python.
    """
    opened = open_run(Path(run), source)
    return opened.example(example, part) if step is None else opened.replay(step)
