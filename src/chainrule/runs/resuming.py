"""Resuming a run that ended: by Ctrl-C, a signal, a full disk, or its last epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import StateError
from ..records import parsed
from ..train.workers import present
from .folder import RunFolder
from .listeners import Listener
from .loading import (
    check_hash,
    check_settings_unchanged,
    read_facts,
    read_settings,
    read_text,
)
from .modality import Modality
from .predictor import Predictor
from .preparation import open_data, prepare_data, source_name
from .settings.document import RunSettings
from .training import TrainingRun

__all__ = ["reopen", "resume_run"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def resume_run(
    kind: Modality[S, P], run: Path, source: object, epochs: int | None, listener: Listener
) -> P:
    """Resumes a run on this kind of data; see `chainrule.resume`."""
    facts, recorded = read_facts(run), read_settings(kind, run)
    settings = recorded
    if epochs is not None:
        settings = recorded.changed(train=recorded.train.changed(epochs=epochs))
    workers = present()
    if workers is not None and workers.rank > 0:  # worker 0 writes
        return _resume(kind, run, RunFolder.unwritten(facts), settings, source, Listener())
    with reopen(run, facts, recorded, epochs, listener) as folder:
        return _resume(kind, run, folder, settings, source, listener)


def _resume(
    kind: Modality[S, P],
    run: Path,
    folder: RunFolder,
    settings: S,
    source: object,
    listener: Listener,
) -> P:
    if source is None and not settings.data.path:
        raise StateError(
            "the data of this run came from Python",
            where=str(run),
            help="pass it again: chainrule.resume(run, data)",
        )
    with listener.staged(f"reading {source_name(settings)}"):
        data = open_data(kind, settings, source, run)
    _check_same_data(data.fingerprint, run, folder, data.settings.name)
    with listener.staged(f"preparing {source_name(settings)}"):
        prepared = prepare_data(data, settings, run)
    del data  # what was read of it would stay in memory beside its parts
    _check_same_data(prepared.fingerprint, run, folder, prepared.name)
    if not _same_json(prepared.preprocessor.to_json(), run, "pipeline.json"):
        raise StateError(
            "the preprocessing comes out differently than when this run began",
            where=str(run / "pipeline.json"),
            help="use the release of Chainrule that wrote the run, or train again",
        )
    return TrainingRun(kind, prepared, run.parent, listener, named=True).resume(folder)


def _check_same_data(fingerprint: str | None, run: Path, folder: RunFolder, name: str) -> None:
    """StateError unless the data is that of the run; a fingerprint of None is not known yet."""
    expected = folder.facts["data"].get("fingerprint")
    if fingerprint in (None, expected):
        return
    raise StateError(
        "the data is not the same as when this run began",
        where=name,
        help=f"bring back the data ({expected}; now {fingerprint}), or train again: chainrule "
        f"train {run / 'run.toml'}",
    )


@contextlib.contextmanager
def reopen(
    run: Path,
    facts: Mapping[str, Any],
    settings: RunSettings,
    epochs: int | None,
    listener: Listener,
) -> Iterator[RunFolder]:
    """The folder of a run to resume until ``epochs`` (None: as its ``settings`` say). The listener
    hears of what was changed in it that may be changed.

    StateError for a run that lacks files, whose preprocessing or ``run.toml`` was changed, that is
    being written, or that has nothing left to do.
    """
    hashes = facts.get("files", {})
    for file in ("metrics.jsonl", "pipeline.json"):
        read_text(run, file)  # raises if it is gone, before anything is changed
    if expected := hashes.get("pipeline.json"):
        check_hash(run, "pipeline.json", expected)
    folder = RunFolder.open(run, facts)
    try:
        changes = [
            f"{change} in run.toml" for change in check_settings_unchanged(facts, settings, run)
        ]
        _check_unfinished(facts, settings.train.epochs, epochs, run)
        if facts["status"] != "running" and (expected := hashes.get("events.jsonl")):
            try:
                check_hash(run, "events.jsonl", expected)
            except StateError as error:
                changes.append(error.what)
        for change in changes:
            listener.note(f"the run was changed after it was written: {change}")
        yield folder
    finally:
        folder.close()


def _same_json(text: str, run: Path, file: str) -> bool:
    """Whether a file of a run holds the same JSON as ``text``."""
    return bool(parsed(text, file, file) == parsed(read_text(run, file), file, str(run / file)))


def _check_unfinished(
    facts: Mapping[str, Any], planned: int, epochs: int | None, run: Path
) -> None:
    """StateError for a run that has nothing left to do, with ``planned`` epochs in its settings
    and a new limit of ``epochs``, if there is one."""
    if facts["status"] != "done":
        return
    limit = planned if epochs is None else epochs
    done = int(facts.get("epochs", 0))
    began = facts.get("settings", {}).get("train", {})  # `check_settings_unchanged` has read them
    bound = began.get("epochs", planned if epochs is None else done)
    # Earlier releases wrote neither settings nor whether a callback had stopped the training.
    if facts.get("stopped", done < bound and not began.get("time_limit")):
        raise StateError(
            f"the run is done: it was stopped early after {done} of {bound} epochs",
            where=str(run),
            help="more epochs change nothing; train again with more patience "
            "(train.early_stopping.patience) or smaller tolerances (train.convergence)",
        )
    if done >= limit:
        raise StateError(
            f"the run is done after {done} epochs",
            where=str(run),
            help=f"give more of them, such as --epochs {2 * done}",
        )
