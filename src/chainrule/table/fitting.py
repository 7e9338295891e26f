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
from ..errors import ChainruleError, ConfigError
from ..frontend import default_generator, manual_seed
from ..train import EarlyStopping, Trainer, save
from . import scoring
from .fingerprint import fingerprint_of, git_commit, machine, versions
from .network import TableNet, build, inputs_of
from .predictor import Predictor, new_trainer
from .runfolder import RunFolder, sha256_of, unwritable
from .settings import DataSettings, Settings
from .watch import Listener, Recorder, TimeLimit, headline, result_lines

__all__ = ["Fitting", "arrays_folder", "prepared_arrays", "task_of"]


def task_of(prepared: Prepared) -> Task:
    task = prepared.schema.task
    assert task is not None
    return task


def prepared_arrays(table: Table, data: DataSettings, seed: int, arrays: Path | None) -> Prepared:
    """Schema, split, fitted preprocessing and arrays, as the settings say."""
    if isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {seed!r}", help="seed is a whole number from 0")
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
        with _generator_at(2 * self.settings.seed):
            model = build(self.prepared.pipeline, self.settings.model)
        trainer = new_trainer(model, self.prepared.pipeline, self.settings)
        folder = self._open_folder(model)
        folder.log(headline(folder.facts))
        self.heard.begin(folder.facts)
        try:
            # Not the seed of the weights: dropout must not repeat the draws that made them.
            with _generator_at(2 * self.settings.seed + 1):
                self._train(trainer, folder)
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

    def _open_folder(self, model: TableNet) -> RunFolder:
        settings, prepared = self.settings, self.prepared
        kind = "mlp" if settings.model.layers else "linear"
        folder = RunFolder.create(
            self.place, settings.name, kind, name=settings.name if self.named else ""
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
                "name": settings.name,
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
            "model": {
                "layers": list(settings.model.layers),
                "columns": len({e.column for e in prepared.pipeline.encoders}),
                "inputs": len(prepared.pipeline.names) + len(prepared.pipeline.code_names),
                "parameters": sum(int(np.prod(p.shape)) for p in model.parameters()),
            },
            "findings": [f.to_dict() for f in prepared.findings],
            "versions": versions(),
            "machine": machine(),
            "git": git_commit(Path.cwd()),
        }

    def _train(self, trainer: Trainer, folder: RunFolder) -> None:
        train, val, chosen = self.prepared.train, self.prepared.val, self.settings.train
        limit = [TimeLimit(chosen.time_limit)] if chosen.time_limit else []
        trainer.fit(
            (inputs_of(train.features), train.target),
            validation=(inputs_of(val.features), val.target),
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            callbacks=[
                Recorder(folder),
                *limit,
                EarlyStopping("val_loss", patience=chosen.patience),
                *self.heard.callbacks(chosen.epochs),
            ],
            seed=self.settings.seed,
            verbose=False,
        )

    def _save(self, trainer: Trainer, folder: RunFolder, **facts: Any) -> None:
        """Weights first, then the ``run.json`` that vouches for them."""
        history = trainer.history
        best: dict[str, Any] = {"epoch": 0, "val_loss": None}
        if history.epoch:
            at = history.best("val_loss")
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
            trainer=trainer,
            history=trainer.history,
            findings=prepared.findings,
            run=folder.path,
        )
        truth = self._truth(prepared.test.rows)
        predictor.metrics = predictor.judge(truth, predictor.scores_of(prepared.test.features))
        predictor.baseline = scoring.baseline(prepared.pipeline, prepared.train.target, truth)
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
def _generator_at(seed: int) -> Iterator[None]:
    """Inside, the default generator starts from ``seed``; afterwards it goes on as before."""
    before = default_generator.get_state()
    manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state(before)
