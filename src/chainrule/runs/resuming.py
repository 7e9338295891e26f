"""Going on with a run that was ended: by Ctrl-C, a signal, a full disk, or no more epochs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import StateError
from ..records import parsed
from .folder import RunFolder
from .listeners import Listener
from .loading import check_hash, check_settings, read_facts, read_settings, text_of
from .modality import Modality
from .predictor import Predictor
from .settings.document import RunSettings
from .training import TrainingRun, opened, prepared_from

__all__ = ["reopened", "resume_run"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def resume_run(
    kind: Modality[S, P], place: Path, source: object, epochs: int | None, listener: Listener
) -> P:
    """Goes on with a run on this kind of data; see `chainrule.resume`."""
    facts, before = read_facts(place), read_settings(kind, place)
    settings = before
    if epochs is not None:
        settings = before.changed(train=before.train.changed(epochs=epochs))
    with reopened(place, facts, before, settings.train.epochs, epochs, listener) as folder:
        return _resumed(kind, folder, settings, source, listener)


def _resumed(
    kind: Modality[S, P], folder: RunFolder, settings: S, source: object, listener: Listener
) -> P:
    assert folder.path is not None
    place = folder.path
    if source is None and not settings.data.path:
        raise StateError(
            "the data of this run came from Python",
            where=str(place),
            help="pass it again: chainrule.resume(run, data)",
        )
    data = opened(kind, settings, source, place)
    _check_same(data.fingerprint, folder, data.settings.name)
    prepared = prepared_from(data, settings, place)
    del data  # what was read of it would stay in memory beside its parts
    _check_same(prepared.fingerprint, folder, prepared.name)
    if not _same_json(prepared.preprocessor.to_json(), place, "pipeline.json"):
        raise StateError(
            "the preprocessing comes out differently than when this run began",
            where=str(place / "pipeline.json"),
            help="use the release of Chainrule that wrote the run, or train anew",
        )
    return TrainingRun(kind, prepared, place.parent, listener, named=True).go_on(folder)


def _check_same(fingerprint: str | None, folder: RunFolder, name: str) -> None:
    """StateError for other data than that of the run; nothing if it is not known yet."""
    assert folder.path is not None
    wanted = folder.facts["data"].get("fingerprint")
    if fingerprint in (None, wanted):
        return
    raise StateError(
        "the data is not the same as when this run began",
        where=name,
        help=f"bring back the data ({wanted}; now {fingerprint}), or train anew: chainrule train "
        f"{folder.path / 'run.toml'}",
    )


@contextlib.contextmanager
def reopened(
    place: Path,
    facts: Mapping[str, Any],
    settings: RunSettings,
    most: int,
    epochs: int | None,
    listener: Listener,
) -> Iterator[RunFolder]:
    """The folder of a run that is to go on to ``most`` epochs, those of its ``settings`` or the
    wanted ``epochs``. What was changed in it of what may be is told.

    StateError for a run that lacks files or whose preprocessing was changed, is being written, has
    no more to do, or whose ``run.toml`` is not that of its beginning any more.
    """
    files = facts.get("files", {})
    for file in ("metrics.jsonl", "pipeline.json"):
        text_of(place, file)  # if it is gone, nothing has been changed yet
    if wanted := files.get("pipeline.json"):
        check_hash(place, "pipeline.json", wanted)
    folder = RunFolder.open(place, facts)
    try:
        changed = [f"{words} in run.toml" for words in check_settings(facts, settings, place)]
        _check_unfinished(facts, most, epochs, place)
        if facts["status"] != "running" and (wanted := files.get("events.jsonl")):
            try:
                check_hash(place, "events.jsonl", wanted)
            except StateError as error:
                changed.append(error.what)
        for words in changed:
            listener.note(f"the run was changed after it was written: {words}")
        yield folder
    finally:
        folder.close()


def _same_json(text: str, place: Path, file: str) -> bool:
    """Whether a file of a run says the same as ``text``."""
    return bool(parsed(text, file, file) == parsed(text_of(place, file), file, str(place / file)))


def _check_unfinished(facts: Mapping[str, Any], most: int, epochs: int | None, place: Path) -> None:
    """StateError for a run that has no more to do; ``most`` epochs are its bound now."""
    if facts["status"] != "done":
        return
    done = int(facts.get("epochs", 0))
    began = facts.get("settings", {}).get("train", {})  # `check_settings` has read them
    bound = began.get("epochs", most if epochs is None else done)
    # Earlier releases wrote neither settings nor whether a callback had ended the training.
    if facts.get("stopped", done < bound and not began.get("time_limit")):
        raise StateError(
            f"the run is done: it was stopped early after {done} of {bound} epochs",
            where=str(place),
            help="more epochs change nothing; train anew with more patience "
            "(train.early_stopping.patience) or smaller tolerances (train.convergence)",
        )
    if done >= most:
        raise StateError(
            f"the run is done after {done} epochs",
            where=str(place),
            help=f"give more of them, such as --epochs {2 * done}",
        )
