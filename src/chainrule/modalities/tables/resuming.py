"""Going on with a run on a table that was ended."""

from __future__ import annotations

import os
from dataclasses import replace

from ...arguments import user_path
from ...errors import StateError
from ...runs.folder import RunFolder
from ...runs.listeners import Listener, Talk
from ...runs.loading import read_facts
from ...runs.resuming import reopened, same_json
from .fingerprint import fingerprint_of
from .fitting import Fitting, prepared_arrays
from .loading import read_settings
from .opening import open_table
from .predictor import Predictor
from .settings import Settings

__all__ = ["resume"]


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
