"""One training in its folder, whatever is learned: checkpoints, interruptions, end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..arguments import user_path
from ..errors import ChainruleError
from ..frontend import default_generator, manual_seed
from ..nn import Module
from ..optim import EMA, SWA
from ..train import Checkpoint, Checkpoints, History, Scores, Trainer, save
from ..train.callbacks import TimeLimit
from .fixes import as_word, finding_document
from .folder import RUN, RunFolder, json_text, unwritable
from .listeners import Listener, Recorder, headline, result_lines
from .modality import Modality, Opened, Prepared, inputs_of
from .predictor import Predictor
from .provenance import git_commit, machine, versions
from .settings.document import RunSettings
from .trainer import callbacks_of, trainer_of

__all__ = ["TrainingRun", "described", "fit", "generator_at", "opened", "prepared_from",
           "runs_folder", "untrained"]  # fmt: skip

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def fit(kind: Modality[S, P], settings: S, source: object, listener: Listener) -> P:
    """Trains with settings that are complete but for what the data decides.

    ``source`` stands for the data of ``settings.data.path`` unless it is None. Raises what
    `chainrule.fit` raises.
    """
    place = runs_folder(settings)
    # Not by a name here: what is read would stay in memory beside its parts.
    prepared = prepared_from(opened(kind, settings, source, place), None, place)
    listener.findings(prepared.findings)
    return TrainingRun(kind, prepared, place, listener, named=bool(settings.name)).run()


def runs_folder(settings: RunSettings) -> Path | None:
    """Where run folders go; None if nothing is to be written."""
    where = settings.output.runs_dir
    return user_path(where, "output.runs_dir") if where else None


def opened(kind: Modality[S, Any], settings: S, source: object, folder: Path | None) -> Opened[S]:
    """The data of a training. StateError if ``folder`` has no room for what memory cannot hold."""
    try:
        return kind.open(settings, source, folder)
    except OSError as error:
        raise unwritable(folder or Path(), error) from None


def prepared_from(data: Opened[S], settings: S | None, folder: Path | None) -> Prepared[S]:
    """Opened data, prepared with ``settings`` or its own; errors as `opened`."""
    try:
        return data.prepare(settings or data.settings, folder)
    except OSError as error:
        raise unwritable(folder or Path(), error) from None


def untrained(kind: Modality[S, Any], prepared: Prepared[S]) -> tuple[Module, Trainer]:
    """The network with its first weights, and what trains it."""
    settings = prepared.settings
    with generator_at(2 * settings.seed):
        model = kind.build(prepared.preprocessor, settings)
    trainer = trainer_of(
        model, kind.loss(prepared), [kind.goal(prepared.preprocessor).monitored], settings.train,
        prepared.sizes["train"], settings.seed, kind.transform(prepared),
    )  # fmt: skip
    return model, trainer


def described(kind: Modality[S, Any], prepared: Prepared[S]) -> dict[str, Any]:
    """What is learned from what, with which model: what `Modality.describe` takes."""
    data, goal = prepared.settings.data, kind.goal(prepared.preprocessor)
    return {
        "task": goal.name,
        "classes": list(goal.labels),
        "data": {
            **({} if kind.unmarked else {"kind": kind.name}),
            "name": prepared.name,
            "path": data.path,
            "fingerprint": prepared.fingerprint,
            **prepared.data_facts(),
            "target": data.target,
        },
        "split": prepared.sizes,
        "model": prepared.model_facts(),
    }


class TrainingRun(Generic[S, P]):
    """One training in a run folder below ``place`` (None: nothing is written).

    ``listener`` is told of every stage. ``named``: whether the name of the run was given.
    """

    def __init__(
        self,
        kind: Modality[S, P],
        prepared: Prepared[S],
        place: Path | None,
        listener: Listener,
        *,
        named: bool,
    ) -> None:
        self.kind, self.prepared, self.settings = kind, prepared, prepared.settings
        self.place, self.listener, self.named = place, listener, named

    def run(self) -> P:
        """Trains in a new run folder."""
        model, trainer = untrained(self.kind, self.prepared)
        return self._in(self._new_folder(model), model, trainer)

    def go_on(self, folder: RunFolder) -> P:
        """Trains on from the newest checkpoint in ``folder``, or from the start without one."""
        model, trainer = untrained(self.kind, self.prepared)
        kept = self._checkpoints(folder)
        newest = kept.newest() if kept else None
        done = newest.epoch if newest else 0
        ended = folder.facts["status"] in ("done", "interrupted")
        earlier = ended and done < folder.facts.get("epochs", 0) and not (kept and kept.damaged)
        lost = folder.cut_metrics(_numbers(newest) if newest else [])
        folder.write("run.toml", self.settings.to_toml())
        settings = self.settings.to_document()
        folder.update(status="running", settings=settings, **self._described(model))
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
        self.listener.note(text)

    def _in(self, folder: RunFolder, model: Module, trainer: Trainer, resume: bool = False) -> P:
        folder.log(headline(folder.facts))
        self.listener.begin(folder.facts)
        try:
            # Not the seed of the weights: dropout must not repeat the draws that made them.
            with generator_at(2 * self.settings.seed + 1):
                self._train(trainer, folder, resume)
            return self._finish(model, trainer, folder)
        except KeyboardInterrupt:
            self._save(trainer, folder, status="interrupted")
            self.listener.interrupted(folder.facts, folder.path)
            raise
        except ChainruleError as error:
            with contextlib.suppress(ChainruleError):  # a full disk is told once
                folder.event("failed", message=str(error))
                folder.update(status="failed", error=str(error), seconds=folder.seconds())
            raise
        finally:
            folder.close()

    def _new_folder(self, model: Module) -> RunFolder:
        settings = self.settings
        folder = RunFolder.create(
            self.place,
            self.prepared.name,
            self.prepared.model_name,
            name=settings.name if self.named else "",
        )
        # First what it takes to go on, then the file that makes the folder a run.
        folder.write("run.toml", settings.to_toml())
        folder.write("pipeline.json", self.prepared.preprocessor.to_json())
        folder.update(
            format=RUN.format,
            version=RUN.version,
            name=folder.name or settings.name,
            status="running",
            started=folder.started.isoformat(timespec="microseconds"),
            seed=settings.seed,
            settings=settings.to_document(),
            **self._described(model),
            findings=[finding_document(f) for f in self.prepared.findings],
            versions=versions(),
            machine=machine(),
            git=git_commit(Path.cwd()),
        )
        folder.event("start", status="running")
        for finding in self.prepared.findings:
            folder.event("finding", **finding_document(finding))
            folder.log(finding.text(as_word))
        return folder

    def _described(self, model: Module) -> dict[str, Any]:
        """For ``run.json``: what is learned from what, with which model, and all of it in words."""
        facts = described(self.kind, self.prepared)
        facts["model"]["parameters"] = sum(int(np.prod(p.shape)) for p in model.parameters())
        return facts | {"words": self.kind.describe(facts).to_dict()}

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
        try:
            trainer.fit(
                self.prepared.train,
                validation=self.prepared.validation,
                epochs=chosen.epochs,
                batch_size=chosen.batch,
                callbacks=[
                    Recorder(folder, self.listener),
                    *callbacks_of(chosen),
                    *self.listener.callbacks(chosen.epochs),
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

    def _finish(self, model: Module, trainer: Trainer, folder: RunFolder) -> P:
        predictor = self._judged(model, trainer, folder)
        self._save(
            trainer, folder, status="done", metrics=predictor.metrics, baseline=predictor.baseline
        )
        folder.log("\n".join(result_lines(folder.facts)))
        self.listener.done(predictor, folder.facts)
        return predictor

    def _judged(self, model: Module, trainer: Trainer, folder: RunFolder) -> P:
        """The predictor with its metrics; writes ``evaluation.json``."""
        prepared, goal = self.prepared, self.kind.goal(self.prepared.preprocessor)
        predictor = self.kind.predictor(
            model,
            prepared.preprocessor,
            self.settings,
            goal,
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        truth, scores = prepared.truth, predictor.scores_of(inputs_of(prepared.test))
        predictor.metrics = goal.judge(truth, scores)
        predictor.baseline = goal.baseline(prepared.target("train"), truth)
        if folder.path is not None:
            self._write_evaluation(folder, predictor, scores)
        return predictor

    def _write_evaluation(self, folder: RunFolder, predictor: P, scores: Scores) -> None:
        prepared, goal = self.prepared, self.kind.goal(self.prepared.preprocessor)
        held, target = inputs_of(prepared.validation), prepared.target("validation")
        document = {
            "format": "chainrule.evaluation",
            "version": 1,
            "missing": {},
            "validation": goal.judge(goal.truth(target), predictor.scores_of(held)),
            "test": goal.evaluation(prepared.truth, scores),
            **self.kind.evaluation(prepared, scores),
        }
        folder.write("evaluation.json", json_text(document) + "\n")


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
