"""The microscope at a run: its data, its model and its optimizer, at one of its checkpoints.

    run folder ── data opened and prepared, trainer built ── state of a checkpoint ──► Scope

Nothing is known here of kinds of data: `runs.modality` says how each is opened, built and read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, StateError
from ..frontend import manual_seed
from ..runs.folder import WEIGHTS_FILE, has_weights
from ..runs.loading import read_facts, read_history, read_settings
from ..runs.modality import Modality, PartName, Prepared, judged_part
from ..runs.predictor import Predictor
from ..runs.preparation import new_trainer, open_data, prepare_data, seeded_generator
from ..runs.recognition import kind_of_run
from ..train import Checkpoint, Checkpoints, Trainer, load
from ..train.batch_source import BatchSource, host_batch
from ..train.callback import CallbackList
from ..train.diagnosis.replay import replay
from ..train.order import Order
from ..train.run import Run
from ..train.state import gathered, put_back
from .interventions import Interventions, check_history, read_interventions
from .scope import Scope
from .walk import Walker

__all__ = ["RunScope", "open_run", "scope_of_run"]


@dataclass
class RunScope:
    """A run that can be looked at: its trainer, its prepared data, and its checkpoints by step."""

    kind: Modality[Any, Any]
    folder: Path
    name: str
    trainer: Trainer
    prepared: Prepared[Any]
    train: BatchSource
    held: BatchSource | None
    order: Order
    checkpoints: list[Checkpoint]
    #: the trainer's state before the first step
    initial: Mapping[str, Any]
    _walkers: dict[bool, Walker] = field(default_factory=dict)

    @classmethod
    def of(
        cls, kind: Modality[Any, Any], prepared: Prepared[Any], folder: Path, name: str,
        checkpoints: Sequence[Checkpoint] = (),
    ) -> RunScope:  # fmt: skip
        """Of prepared data, with the trainer that it had before its first step."""
        trainer = new_trainer(kind, prepared)
        train, held = trainer.read(prepared.train, prepared.validation)
        settings = prepared.settings
        order = Order.of(train.rows, settings.train.batch, settings.seed, True)
        return cls(
            kind, folder, name, trainer, prepared, train, held, order, list(checkpoints),
            gathered(trainer, None),
        )  # fmt: skip

    @property
    def seed(self) -> int:
        return int(self.prepared.settings.seed)

    @property
    def epochs(self) -> int:
        return int(self.prepared.settings.train.epochs)

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate follows a schedule, which depends on the epochs planned."""
        return bool(self.prepared.settings.train.schedule.name != "constant")

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
        return self._scope(training, host_batch(source, rows), title, note)

    def row(self, given: object, target: object = None) -> Scope:
        """A new example, read as the run reads its data; without a ``target`` of its own or one
        that is given, the forward pass alone.

        Raises DataError or ConfigError for what the network cannot read.
        """
        wanted = None if target is None else str(target)
        example = self.predictor.example(given, wanted)
        source = self.trainer.data_check.inputs(example.inputs)
        if source.rows != 1:
            raise DataError(
                f"expected one example, got {source.rows}", where="--row",
                help="give one row, one text, or a file with one of them",
            )  # fmt: skip
        note = self.restore()
        batch = host_batch(source, np.zeros(1, np.int32))
        inputs = batch[:-1] if source.labelled else batch
        aim = None if example.target is None else self._like_a_target(example.target)
        title = f"{self.name}: a new example"
        words = [f"of the new example: {said}" for said in example.notes]
        if aim is None:
            words.append(f"without a target there is no loss and no gradient: {self._how_to_aim()}")
        return self._scope(False, (*inputs, aim), title, note, *words)

    def _how_to_aim(self) -> str:
        form = self.predictor.form()
        what = ", ".join(form.classes[:12]) or form.aim
        return f"give one with --target ({what})"

    def _like_a_target(self, target: Any) -> Any:
        """One target in the shape and type of those of the training; where examples have weights,
        this one counts as one."""
        *_, usual = host_batch(self.train, np.zeros(1, np.int32))
        if isinstance(usual, tuple):
            return self._shaped(target, usual[0]), np.ones_like(usual[1])
        return self._shaped(target, usual)

    @staticmethod
    def _shaped(target: Any, usual: Any) -> Any:
        array = np.asarray(target, usual.dtype)
        return array.reshape(usual.shape) if array.size == usual.size else array

    @cached_property
    def predictor(self) -> Predictor[Any, Any, Any]:
        """What reads new examples, with the network that is looked at."""
        pre = self.prepared.preprocessor
        made: Predictor[Any, Any, Any] = self.kind.predictor(
            self.trainer.model, pre, self.prepared.settings, self.kind.goal(pre)
        )
        return made

    def _scope(self, training: bool, batch: Sequence[Any], title: str, *notes: str) -> Scope:
        walker = self._walkers.get(training)
        if walker is None:  # its programs serve one example after another
            names = self.predictor.input_names()
            walker = self._walkers[training] = Walker(self.trainer, training, names)
        return Scope(walker, batch, title, notes, self.predictor.form(), self.row)

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
        happened = self._interventions()
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
            if self.scheduled:
                happened.check_planned(begun, step, self.epochs)
            for change in happened.between(begun, step):
                replay(self.trainer, run, change.step)
                change.apply(self.trainer.optimizer)
            rows = replay(self.trainer, run, step - 1)
            run.active = False
            check_history(self.trainer.history, read_history(self.folder), self.name)
            source = f"the checkpoint after step {begun}" if begun else "the beginning"
            note = f"replayed from {source}; the batch is the one that the training had"
            title = f"{self.name}: step {step}"
            batch = host_batch(self.train, rows)
            return self._scope(True, batch, title, note)

    def _interventions(self) -> Interventions:
        """What happened to the training, as far as the run recorded it."""
        known = self.checkpoints[-1].state()["callbacks"] if self.checkpoints else ()
        guard: Mapping[str, Any] = dict(known).get("DivergenceGuard", {})
        return read_interventions(self.folder, guard, self.order.steps)

    def _begin_again(self) -> None:
        """Everything as it was before the first step."""
        put_back(self.trainer, self.initial, None)
        manual_seed(2 * self.seed + 1)


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
    found = Checkpoints(run / "checkpoints", owner=str(facts["name"])).readable()
    intact = [checkpoint for checkpoint in found if checkpoint.intact()]
    return RunScope.of(kind, prepared, run, str(facts["name"]), intact)


def scope_of_run(
    run: str | Path,
    source: object = None,
    *,
    example: int = 0,
    part: PartName | None = None,
    step: int | None = None,
    row: object = None,
    target: object = None,
) -> Scope:
    """A `Scope` at a run: one ``example`` at its newest checkpoint, ``step`` of its training,
    replayed on its own batch, or a new ``row``.

    A row is one that `Predictor.predict` takes, such as a dict of columns; or text: of a table
    ``"age=45,heart_rate=80"`` or a JSON object, a text itself, or the path of a file with one
    example. Its ``target`` is a class by its name, a number, a text: without it, and without one in
    the row, only the forward pass is shown.

    ``part`` is ``train``, ``validation`` or ``test``, by default the one that the run was judged
    by. ``source`` is the data of the run, if that came from Python.
    """
    if row is None and target is not None:
        raise ConfigError(
            "a target goes with a new row", where="--target",
            help="give one with --row; the target of an example is changed by what_if",
        )  # fmt: skip
    if row is not None and (step is not None or part is not None):
        raise ConfigError(
            "a new row is in no part of the data and no step", where="--row",
            help="leave --part and --step out",
        )  # fmt: skip
    opened = open_run(Path(run), source)
    if row is not None:
        return opened.row(row, target)
    return opened.example(example, part) if step is None else opened.replay(step)
