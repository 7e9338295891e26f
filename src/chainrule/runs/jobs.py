"""A training that can be done anywhere: a `Job` goes out as plain values, an `Outcome` comes back.

    Job ── here, in another process, on another machine: Workplace.perform ──► Outcome

A job has a run folder, or is a trial: then validation data alone judges it, and it may be cut
short. What is done elsewhere has the bits of what is done here. Folders travel as the bytes of
their files, since machines need not share a disk.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

from .. import errors
from ..errors import ChainruleError, StateError
from ..scratch import Held, scratch_folder
from ..train import Callback
from ..train.checkpoints.weights_file import write_whole
from ..version import __version__
from .hidden_folder import unwritable
from .listeners import Listener
from .modality import Modality, Prepared
from .predictor import Predictor
from .preparation import open_data, prepare_data, runs_folder
from .registry import lookup
from .settings.document import RunSettings
from .training import TrainingRun

__all__ = ["Job", "Outcome", "Workplace", "objective_of", "prepared_alike"]

Logs = Mapping[str, float]
Settings = RunSettings
AnyKind = Modality[Any, Any]


@dataclass(frozen=True)
class Job:
    """One training with complete ``settings``, a document, on a ``kind`` of data.

    ``bounds`` make it a trial, which ends early in an epoch in which its best value is worse than
    the bound (None: there is none). Without bounds it leaves a run folder.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    bounds: Sequence[float | None] | None = None
    version: str = __version__

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """What a job has come to: ``values`` of the objective by epoch, the ``best`` epoch (from 0),
    and whether it was ``pruned``; or the name of its ``run`` folder and its ``files``; or an
    ``error`` by class, what, where and help."""

    name: str
    values: Sequence[float] = ()
    best: int = 0
    pruned: bool = False
    seconds: float = 0.0
    run: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: Mapping[str, str] | None = None

    @property
    def value(self) -> float:
        """The value of the best epoch; NaN if there is none."""
        return self.values[self.best] if self.best < len(self.values) else math.nan

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        files = {name: base64.b64encode(content).decode() for name, content in self.files.items()}
        return {**vars(self), "files": files}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        files = {name: base64.b64decode(text) for name, text in told["files"].items()}
        return cls(**{**told, "files": files})

    @classmethod
    def failed(cls, name: str, error: ChainruleError) -> Self:
        """One whose training raised ``error``."""
        known = (c.__name__ for c in type(error).__mro__ if vars(errors).get(c.__name__) is c)
        told = {"class": next(known), "what": error.what, "where": error.where,
                "help": error.help}  # fmt: skip
        return cls(name, error=told)

    def raised(self) -> ChainruleError:
        """The error, as it was raised elsewhere."""
        told = self.error or {}
        kind = getattr(errors, told.get("class", ""), StateError)
        kind = kind if issubclass(kind, ChainruleError) else StateError
        error: ChainruleError = kind(
            told.get("what", ""), where=told.get("where", ""), help=told.get("help", "")
        )
        return error

    def write(self, folder: Path) -> Path:
        """The run folder in ``folder``, with all its files. StateError if it cannot be written."""
        return write_folder(folder, self.run, self.files)


class Workplace:
    """Where jobs are done, one at a time: data is read and prepared once for all that agree on it.

    ``source``, unless it is None, replaces the data that settings name.
    """

    def __init__(self, kind: AnyKind | None = None, source: object = None) -> None:
        self.kind, self.source = kind, source
        self._prepared: Prepared[Any] | None = None
        self._key: Any = None

    def prepared(self, settings: Settings, folder: Path | None = None) -> Prepared[Any]:
        """The data, prepared as ``settings`` say; those are resolved."""
        assert self.kind is not None
        key = prepared_alike(self.kind, settings)
        if self._prepared is not None and key == self._key:
            goal = self.kind.goal(self._prepared.preprocessor)
            settings.train.resolved(self._prepared.sizes["train"], type(goal))  # raises for misfits
            return self._prepared.with_settings(settings)
        self._prepared = None  # not two of them in memory
        opened = [open_data(self.kind, settings, self.source, folder)]
        return self.keep(prepare_data(opened.pop(), settings, folder))

    def keep(self, prepared: Prepared[Any]) -> Prepared[Any]:
        """``prepared``, which later jobs will use."""
        assert self.kind is not None
        self._key = prepared_alike(self.kind, prepared.settings)
        self._prepared = prepared
        return prepared

    def perform(self, job: Job) -> Outcome:
        """Trains. An error of ours is part of the outcome; whatever else is raised, is raised."""
        started = time.monotonic()
        try:
            if job.version != __version__:
                raise StateError(
                    f"this is Chainrule {__version__}, and {job.version} asks for a training",
                    where="the machine that was to train",
                    help="install the same release everywhere",
                )
            if self.kind is None or self.kind.name != job.kind:
                self.kind, self._prepared = lookup(job.kind), None
            settings = self.kind.settings.read(job.settings)
            if job.bounds is None:
                return self._run(job.name, settings)
            outcome = self._measure(job.name, settings, job.bounds)
        except ChainruleError as error:
            outcome = Outcome.failed(job.name, error)
        return Outcome(**vars(outcome) | {"seconds": round(time.monotonic() - started, 3)})

    def _measure(self, name: str, settings: Settings, bounds: Sequence[float | None]) -> Outcome:
        assert self.kind is not None
        prepared = self.prepared(settings, runs_folder(settings))
        unobserved = prepared.settings.changed(observe=type(settings.observe)("off"))
        prepared = prepared.with_settings(unobserved)
        objective, rises = objective_of(self.kind, prepared)
        pruner = _Pruner(objective, rises, bounds)
        run = TrainingRun(self.kind, prepared, None, _Attended(pruner), named=False)
        history, best = run.measure()
        return Outcome(name, tuple(history[objective]), best, pruner.pruned)

    def _run(self, name: str, settings: Settings) -> Outcome:
        """A run folder, made where there is room, and read back. What the data is to decide is left
        in ``settings``, so it is prepared anew."""
        assert self.kind is not None
        self._prepared = None
        with closing(scratch_folder()) as room:
            opened = [open_data(self.kind, settings, self.source, room.path)]
            prepared = prepare_data(opened.pop(), settings, room.path)
            run = TrainingRun(self.kind, prepared, room.path, Listener(), named=True)
            predictor: Predictor[Any, Any, Any] = run.run()
            assert predictor.run is not None
            return Outcome(name, run=predictor.run.name, files=read_folder(predictor.run))


def prepared_alike(kind: AnyKind, settings: Settings) -> Any:
    """What must be equal for two trainings to share their data, prepared."""
    document = settings.to_document()
    chosen = [settings.split_seed]
    for key in kind.prepared_by:
        part: Any = document
        for name in key.split("."):
            part = part[name]
        chosen.append(part)
    return chosen


def objective_of(kind: AnyKind, prepared: Prepared[Any]) -> tuple[str, bool]:
    """What judges a trial, as a name in the history, and whether more of it is better."""
    metric = prepared.settings.train.metric
    if metric == "auto":
        return "val_loss", False
    return f"val_{metric}", bool(kind.goal(prepared.preprocessor).higher_is_better(metric))


class _Pruner(Callback):
    """Ends a trial that is worse than most others were by the same epoch."""

    def __init__(self, objective: str, rises: bool, bounds: Sequence[float | None]) -> None:
        self.objective, self.sign, self.bounds = objective, -1.0 if rises else 1.0, bounds
        self.pruned = False
        self._best = math.inf

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self.sign * logs.get(self.objective, math.nan)
        self._best = min(self._best, value) if value == value else self._best
        bound = self.bounds[epoch] if epoch < len(self.bounds) else None
        if bound is not None and self._best > self.sign * bound:
            self.pruned = self.trainer.stop_training = True


class _Attended(Listener):
    """Says nothing, and has one callback."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback

    def callbacks(self, epochs: int) -> list[Callback]:
        return [self.callback]


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files in a folder, by their path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_folder(parent: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """A folder with these files, which appears when it is complete. StateError if it cannot be
    written, or a file would lie outside of it."""
    try:
        hidden = Held(parent, lambda: f".{name}", mode=0o777)
        for file, content in files.items():
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts:
                raise StateError(f"{file!r} is not a file in a run folder", where=name)
            (hidden.path / path.parent).mkdir(parents=True, exist_ok=True)
            write_whole(hidden.path / path, content)
        hidden.keep_as(parent / name)
    except OSError as error:
        raise unwritable(parent, error) from None
    return parent / name
