"""Going on with a run that was ended: by Ctrl-C, a signal, a full disk, or no more epochs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..errors import StateError
from ..records import parsed
from .fingerprint import fingerprint_of
from .fitting import Fitting, prepared_arrays
from .loading import check_hash, check_settings, read_facts, read_settings, text_of
from .opening import open_table
from .predictor import Predictor
from .runfolder import RunFolder
from .settings import Settings, Whole
from .watch import Listener, Talk

__all__ = ["reopened", "resume", "same_json"]


def resume(
    run: str | os.PathLike[str],
    source: object = None,
    *,
    epochs: int | None = None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> Predictor:
    """Goes on with a run where its newest checkpoint was written; without one, from the start.

    The result has the bits of a training that never stopped. ``epochs`` is a new upper bound for
    all epochs, those before included; only with more of them can a run that is done go on.
    ``source`` is the table, if it came from Python or has moved.

    Raises StateError for a folder that is no run or is being written, for data that is not the same
    any more, and for a run that has nothing left to do; else what `fit` raises.
    """
    place = user_path(run, "the run folder")
    facts = read_facts(place)
    heard = listener or (Talk() if verbose else Listener())
    settings = before = read_settings(place)
    if epochs is not None:
        settings = replace(settings, train=replace(settings.train, epochs=epochs))
    with reopened(place, facts, before, settings.train.epochs, epochs, heard) as folder:
        return _resumed(folder, settings, source, heard)


@contextlib.contextmanager
def reopened(
    place: Path,
    facts: Mapping[str, Any],
    settings: Whole,
    most: int,
    epochs: int | None,
    heard: Listener,
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
            heard.note(f"the run was changed after it was written: {words}")
        yield folder
    finally:
        folder.close()


def _resumed(folder: RunFolder, settings: Settings, source: object, heard: Listener) -> Predictor:
    assert folder.path is not None
    place = folder.path
    if source is None and not settings.data.path:
        raise StateError(
            "the table of this run came from Python",
            where=str(place),
            help="give it: chainrule.resume(run, table)",
        )
    table, known = open_table(
        settings.data.path if source is None else source, settings.data.query or None
    )
    origin = known.path if known else settings.data.path if source is None else source
    found, wanted = fingerprint_of(origin, table), folder.facts["data"].get("fingerprint")
    if found != wanted:
        raise StateError(
            "the data is not the same as when this run began",
            where=table.name,
            help=f"bring back the table ({wanted}; now {found}), or train anew: chainrule train "
            f"{place / 'run.toml'}",
        )
    prepared = prepared_arrays(table, settings.data, settings.seed, place)
    if not same_json(prepared.pipeline.to_json(), place, "pipeline.json"):
        raise StateError(
            "the preprocessing comes out differently than when this run began",
            where=str(place / "pipeline.json"),
            help="use the release of Chainrule that wrote the run, or train anew",
        )
    return Fitting(origin, table, prepared, settings, place.parent, heard, True).go_on(folder)


def same_json(text: str, place: Path, file: str) -> bool:
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
