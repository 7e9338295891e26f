"""The course of a training, whatever is learned: its folder, checkpoints, interruptions, end."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..data import Finding
from ..errors import ChainruleError
from ..frontend import default_generator, manual_seed
from ..nn import Module
from ..optim import EMA, SWA
from ..train import Checkpoint, Checkpoints, History, Trainer, save
from ..train.callbacks import TimeLimit
from .folder import RUN, RunFolder
from .listeners import Listener, Recorder, headline, result_lines
from .predictor import RunSettings, Trained
from .provenance import git_commit, machine, versions
from .trainer import callbacks_of

__all__ = ["Course", "generator_at"]

P = TypeVar("P", bound=Trained[Any, Any, Any])
M = TypeVar("M", bound=Module)


class Course(ABC, Generic[M, P]):
    """One training in a run folder below ``place`` (None: nothing is written).

    Subclasses say what is learned from what; ``heard`` is told of every stage. ``named``: whether
    the name of the run was given.
    """

    settings: RunSettings
    place: Path | None
    heard: Listener
    named: bool

    @property
    @abstractmethod
    def data_name(self) -> str:
        """What the data is called in the names of run folders."""

    @property
    @abstractmethod
    def model_name(self) -> str:
        """What the model is called there."""

    @property
    @abstractmethod
    def findings(self) -> Sequence[Finding]:
        """What was noticed in the data."""

    @abstractmethod
    def untrained(self) -> tuple[M, Trainer]:
        """The network with its first weights, and what trains it."""

    @abstractmethod
    def examples(self) -> tuple[Any, Any]:
        """Training and validation data, as `Trainer.fit` takes them."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """For ``run.json``: task, classes, data and split."""

    @abstractmethod
    def sizes(self, model: M) -> dict[str, Any]:
        """For ``run.json``: what the model is like, its number of parameters apart."""

    @abstractmethod
    def pipeline_text(self) -> str:
        """``pipeline.json``: what happens to the data before the network."""

    @abstractmethod
    def judged(self, model: M, trainer: Trainer, folder: RunFolder) -> P:
        """The predictor with its metrics; writes ``evaluation.json``."""

    def run(self) -> P:
        """Trains in a new run folder."""
        model, trainer = self.untrained()
        return self._in(self._new_folder(model), model, trainer)

    def go_on(self, folder: RunFolder) -> P:
        """Trains on from the newest checkpoint in ``folder``, or from the start without one."""
        model, trainer = self.untrained()
        kept = self._checkpoints(folder)
        newest = kept.newest() if kept else None
        done = newest.epoch if newest else 0
        ended = folder.facts["status"] in ("done", "interrupted")
        earlier = ended and done < folder.facts.get("epochs", 0) and not (kept and kept.damaged)
        lost = folder.cut_metrics(_numbers(newest) if newest else [])
        folder.write("run.toml", self.settings.to_toml())
        settings = self.settings.to_document()
        folder.update(status="running", settings=settings, **self._model_facts(model))
        folder.event("resume", epoch=done, status="running")
        if kept and earlier:
            text = f"the newest checkpoint is gone: the training goes on after epoch {done}"
            self._note(folder, text)
        if lost:
            text = "metrics.jsonl was damaged: what it says of epoch{} {} is now the checkpoint's"
            self._note(folder, text.format("s" * (len(lost) > 1), ", ".join(map(str, lost))))
        return self._in(folder, model, trainer, resume=True)

    def _note(self, folder: RunFolder, text: str) -> None:
        folder.event("note", message=text)
        folder.log(text)
        self.heard.note(text)

    def _in(self, folder: RunFolder, model: M, trainer: Trainer, resume: bool = False) -> P:
        folder.log(headline(folder.facts))
        self.heard.begin(folder.facts)
        try:
            # Not the seed of the weights: dropout must not repeat the draws that made them.
            with generator_at(2 * self.settings.seed + 1):
                self._train(trainer, folder, resume)
            return self._finish(model, trainer, folder)
        except KeyboardInterrupt:
            self._save(trainer, folder, status="interrupted")
            self.heard.interrupted(folder.facts, folder.path)
            raise
        except ChainruleError as error:
            with contextlib.suppress(ChainruleError):  # a full disk is told once
                folder.event("failed", message=str(error))
                folder.update(status="failed", error=str(error), seconds=folder.seconds())
            raise
        finally:
            folder.close()

    def _new_folder(self, model: M) -> RunFolder:
        settings = self.settings
        folder = RunFolder.create(
            self.place, self.data_name, self.model_name, name=settings.name if self.named else ""
        )
        # First what it takes to go on, then the file that makes the folder a run.
        folder.write("run.toml", settings.to_toml())
        folder.write("pipeline.json", self.pipeline_text())
        folder.update(
            format=RUN.format,
            version=RUN.version,
            name=folder.name or settings.name,
            status="running",
            started=folder.started.isoformat(timespec="microseconds"),
            seed=settings.seed,
            settings=settings.to_document(),
            **self.facts(),
            **self._model_facts(model),
            findings=[f.to_dict() for f in self.findings],
            versions=versions(),
            machine=machine(),
            git=git_commit(Path.cwd()),
        )
        folder.event("start", status="running")
        for finding in self.findings:
            folder.event("finding", **finding.to_dict())
            folder.log(str(finding))
        return folder

    def _model_facts(self, model: M) -> dict[str, Any]:
        parameters = sum(int(np.prod(p.shape)) for p in model.parameters())
        return {"model": {**self.sizes(model), "parameters": parameters}}

    def _checkpoints(self, folder: RunFolder) -> Checkpoints | None:
        chosen = self.settings.output.checkpoints
        if folder.path is None or chosen.every == "none":
            return None
        owner = str(folder.facts["name"])
        place = folder.path / "checkpoints"
        return Checkpoints(place, chosen.every, chosen.keep, monitor=None, owner=owner)

    def _train(self, trainer: Trainer, folder: RunFolder, resume: bool) -> None:
        chosen = self.settings.train
        checkpoints = self._checkpoints(folder)
        train, validation = self.examples()
        try:
            trainer.fit(
                train,
                validation=validation,
                epochs=chosen.epochs,
                batch_size=chosen.batch,
                callbacks=[
                    Recorder(folder, self.heard),
                    *callbacks_of(chosen),
                    *self.heard.callbacks(chosen.epochs),
                ],
                seed=self.settings.seed,
                verbose=False,
                checkpoints=checkpoints,
                resume=resume and checkpoints is not None,
            )
        finally:
            # From here on the average is the model.
            if isinstance(trainer.average, EMA | SWA) and trainer.average.updates:
                trainer.average.copy_to(trainer.model)

    def _save(self, trainer: Trainer, folder: RunFolder, **facts: Any) -> None:
        """Weights first, and last the ``run.json`` that vouches for all files."""
        history = trainer.history
        best: dict[str, Any] = {"epoch": 0, "val_loss": None}
        if history.epoch:
            at = history.best("val_loss") if self.settings.train.early_stopping.restore_best else -1
            best = {"epoch": history.epoch[at] + 1, "val_loss": history["val_loss"][at]}
        if folder.path is not None:
            save(trainer.model, folder.path / "model.safetensors")
        folder.event(str(facts["status"]), best=best)
        folder.update(
            **facts,
            best=best,
            epochs=len(history.epoch),
            stopped=_stopped(trainer),
            seconds=folder.seconds(),
        )

    def _finish(self, model: M, trainer: Trainer, folder: RunFolder) -> P:
        predictor = self.judged(model, trainer, folder)
        self._save(
            trainer, folder, status="done", metrics=predictor.metrics, baseline=predictor.baseline
        )
        folder.log("\n".join(result_lines(folder.facts)))
        self.heard.done(predictor, folder.facts)
        return predictor


def _numbers(checkpoint: Checkpoint) -> list[dict[str, float]]:
    """Those of all epochs before a checkpoint."""
    history = History()
    with checkpoint.taken_apart():
        history.set_state(checkpoint.state()["history"])
    return history.rows()


def _stopped(trainer: Trainer) -> bool:
    """Whether a callback ended the training for good; a time limit only interrupts it."""
    hooks = trainer.run.hooks if trainer.run is not None else ()
    late = any(isinstance(callback, TimeLimit) and callback.reached for callback in hooks)
    return trainer.stop_training and not late


@contextlib.contextmanager
def generator_at(seed: int) -> Iterator[None]:
    """Inside, the default generator starts from ``seed``; afterwards it goes on as before."""
    before = default_generator.get_state()
    manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state(before)
