"""One fit: from prepared arrays to the predictor, with the run folder written on the way."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Kind, Prepared, Table, Task, prepare, read_target
from ..errors import ChainruleError
from ..frontend import default_generator, manual_seed
from ..optim import EMA, SWA
from ..train import Checkpoints, Trainer, save
from . import scoring
from .evaluation import write_evaluation
from .fingerprint import fingerprint_of, git_commit, machine, versions
from .network import TableNet, build, inputs_of
from .predictor import Predictor
from .runfolder import RunFolder, sha256_of, unwritable
from .settings import DataSettings, Settings
from .trainer import callbacks_of, judging_trainer, new_trainer
from .watch import Listener, Recorder, headline, result_lines

__all__ = ["Fitting", "arrays_folder", "generator_at", "prepared_arrays", "task_of", "untrained"]


def task_of(prepared: Prepared) -> Task:
    task = prepared.schema.task
    assert task is not None
    return task


def prepared_arrays(table: Table, data: DataSettings, seed: int, arrays: Path | None) -> Prepared:
    """Schema, split, fitted preprocessing and arrays, as the settings say."""
    kinds: dict[str, Kind] = {c: k for c, k in data.columns.items() if k != "ignored"}
    try:
        return prepare(
            table,
            data.target,
            task=data.wanted_task,
            kinds=kinds,
            missing=data.missing,
            ignore=[c for c, k in data.columns.items() if k == "ignored"],
            fractions=data.split,
            fold=(data.fold[0], data.fold[1]) if data.fold else None,
            seed=seed,
            folder=arrays,
        )
    except OSError as error:
        raise unwritable(arrays or Path(), error) from None


@contextlib.contextmanager
def arrays_folder(place: Path | None) -> Iterator[Path | None]:
    """Where arrays that do not fit into memory lie while training; removed afterwards."""
    folder = None if place is None else place / f".arrays-{secrets.token_hex(4)}"
    try:
        yield folder
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def untrained(prepared: Prepared, settings: Settings) -> tuple[TableNet, Trainer]:
    """The network with its first weights, and what trains it."""
    with generator_at(2 * settings.seed):
        model = build(prepared.pipeline, settings.model)
    return model, new_trainer(model, prepared.pipeline, settings, len(prepared.train))


@dataclass
class Fitting:
    """One fit, from prepared arrays to the predictor."""

    source: object
    table: Table
    prepared: Prepared
    settings: Settings
    place: Path | None
    heard: Listener
    named: bool

    def run(self) -> Predictor:
        """Trains in a new run folder."""
        model, trainer = untrained(self.prepared, self.settings)
        return self._in(self._new_folder(model), model, trainer)

    def go_on(self, folder: RunFolder) -> Predictor:
        """Trains on from the newest checkpoint in ``folder``, or from the start without one."""
        model, trainer = untrained(self.prepared, self.settings)
        kept = self._checkpoints(folder)
        newest = kept.newest() if kept else None
        done = newest.epoch if newest else 0
        folder.cut_metrics(done)
        folder.update(status="running", **self._sizes(model))
        folder.write("run.toml", self.settings.to_toml())
        folder.event("resume", epoch=done, status="running")
        return self._in(folder, model, trainer, resume=True)

    @property
    def table_name(self) -> str:
        """The table's name without folders and endings."""
        return Path(self.table.name).name.split(".")[0] or "table"

    def _in(
        self, folder: RunFolder, model: TableNet, trainer: Trainer, resume: bool = False
    ) -> Predictor:
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

    def _new_folder(self, model: TableNet) -> RunFolder:
        settings, prepared = self.settings, self.prepared
        kind = "mlp" if settings.model.layers else "linear"
        folder = RunFolder.create(
            self.place, self.table_name, kind, name=settings.name if self.named else ""
        )
        folder.update(**self._facts(model, folder))
        folder.write("run.toml", settings.to_toml())
        folder.write("pipeline.json", prepared.pipeline.to_json())
        folder.event("start", status="running")
        for finding in prepared.findings:
            folder.event("finding", **finding.to_dict())
            folder.log(str(finding))
        return folder

    def _facts(self, model: TableNet, folder: RunFolder) -> dict[str, Any]:
        prepared, settings = self.prepared, self.settings
        return {
            "format": "chainrule.run",
            "version": 1,
            "name": folder.name or settings.name,
            "status": "running",
            "started": folder.started.isoformat(timespec="microseconds"),
            "seed": settings.seed,
            "task": task_of(prepared),
            "classes": list(prepared.pipeline.classes),
            "data": {
                "name": self.table_name,
                "path": settings.data.path,
                "fingerprint": fingerprint_of(self.source, self.table),
                "rows": self.table.n_rows,
                "columns": len(self.table.columns),
                "target": settings.data.target,
            },
            "split": {
                "train": len(prepared.train),
                "validation": len(prepared.val),
                "test": len(prepared.test),
            },
            **self._sizes(model),
            "findings": [f.to_dict() for f in prepared.findings],
            "versions": versions(),
            "machine": machine(),
            "git": git_commit(Path.cwd()),
        }

    def _sizes(self, model: TableNet) -> dict[str, Any]:
        pipeline = self.prepared.pipeline
        return {
            "model": {
                "layers": list(self.settings.model.widths),
                "columns": len({e.column for e in pipeline.encoders}),
                "inputs": len(pipeline.names) + len(pipeline.code_names),
                "parameters": sum(int(np.prod(p.shape)) for p in model.parameters()),
            }
        }

    def _checkpoints(self, folder: RunFolder) -> Checkpoints | None:
        chosen = self.settings.output.checkpoints
        if folder.path is None or chosen.every == "none":
            return None
        return Checkpoints(folder.path / "checkpoints", chosen.every, chosen.keep, monitor=None)

    def _train(self, trainer: Trainer, folder: RunFolder, resume: bool) -> None:
        train, val, chosen = self.prepared.train, self.prepared.val, self.settings.train
        checkpoints = self._checkpoints(folder)
        try:
            trainer.fit(
                (inputs_of(train.features), train.target),
                validation=(inputs_of(val.features), val.target),
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
        """Weights first, then the ``run.json`` that vouches for them."""
        history = trainer.history
        best: dict[str, Any] = {"epoch": 0, "val_loss": None}
        if history.epoch:
            at = history.best("val_loss") if self.settings.train.early_stopping.restore_best else -1
            best = {"epoch": history.epoch[at] + 1, "val_loss": history["val_loss"][at]}
        files = {}
        if folder.path is not None:
            save(trainer.model, folder.path / "model.safetensors")
            written = ("model.safetensors", "pipeline.json")
            files = {file: sha256_of(folder.path / file) for file in written}
        folder.update(
            **facts, best=best, epochs=len(history.epoch), files=files, seconds=folder.seconds()
        )
        folder.event(str(facts["status"]), best=best)

    def _finish(self, model: TableNet, trainer: Trainer, folder: RunFolder) -> Predictor:
        prepared = self.prepared
        predictor = Predictor(
            model,
            prepared.pipeline,
            self.settings,
            trainer=judging_trainer(model, prepared.pipeline, self.settings),
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        truth = self._truth(prepared.test.rows)
        scores = predictor.scores_of(prepared.test.features)
        predictor.metrics = predictor.judge(truth, scores)
        predictor.baseline = scoring.baseline(prepared.pipeline, prepared.train.target, truth)
        write_evaluation(folder, predictor, prepared, truth, scores)
        self._save(
            trainer, folder, status="done", metrics=predictor.metrics, baseline=predictor.baseline
        )
        folder.log("\n".join(result_lines(folder.facts)))
        self.heard.done(predictor, folder.facts)
        return predictor

    def _truth(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Class codes, or numbers in the target's unit, of the chosen rows."""
        target = self.prepared.schema.target
        assert target is not None
        known = {c: v for c, v in self.prepared.schema.missing.items() if c == target.name}
        rows, values = read_target(self.table.with_missing(known), target)
        return values[np.searchsorted(rows, chosen)]


@contextlib.contextmanager
def generator_at(seed: int) -> Iterator[None]:
    """Inside, the default generator starts from ``seed``; afterwards it goes on as before."""
    before = default_generator.get_state()
    manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state(before)
