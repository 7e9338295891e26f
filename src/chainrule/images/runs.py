"""Runs of both kinds, on tables and on images: loading one, and going on with one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import table
from ..errors import StateError
from ..table import Listener, Predictor, Talk
from ..table.fitting import arrays_folder
from ..table.loading import read_facts, read_settings, saved_run, text_of
from ..table.resuming import reopened
from ..table.runfolder import RunFolder
from ..table.settings import Settings, from_text, gather
from ..train import load
from .fitting import ImageFitting
from .pipeline import ImagePipeline, prepare_images
from .predictor import ImagePredictor
from .settings import ImageSettings

__all__ = ["load_run", "on_images", "resume", "run_settings"]


def on_images(facts: Mapping[str, Any]) -> bool:
    """Whether ``run.json`` is that of a run on images."""
    return bool(facts["data"].get("kind") == "images")


def load_run(path: str | os.PathLike[str]) -> Predictor | ImagePredictor:
    """The predictor of a run folder that ``fit``, ``fit_images`` or the command line wrote.

    Nothing in the folder is ever run. Raises StateError with file and place when the folder is not
    one, is unfinished, or when a file was changed, cut off or belongs to another run.
    """
    folder = Path(path).expanduser()
    facts = read_facts(folder)
    if not on_images(facts):
        return table.load_run(folder)
    saved = saved_run(folder, facts)
    settings = _settings(folder)
    place = folder / "pipeline.json"
    pipeline = ImagePipeline.from_json(text_of(folder, place.name), str(place))
    if list(pipeline.classes) != facts["classes"]:
        raise StateError(
            "pipeline.json and run.json do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    model = pipeline.network(settings)
    model.load_state_dict(load(folder / "model.safetensors"))
    return ImagePredictor(model, pipeline, settings, **saved)


def run_settings(path: str | os.PathLike[str]) -> Settings | ImageSettings:
    """The settings of a run of either kind. StateError if they cannot be read."""
    folder = Path(path).expanduser()
    return _settings(folder) if on_images(read_facts(folder)) else read_settings(folder)


def _settings(folder: Path) -> ImageSettings:
    where = str(folder / "run.toml")
    return gather([from_text(text_of(folder, "run.toml"), where)], ImageSettings).settings


def resume(
    run: str | os.PathLike[str],
    source: object = None,
    *,
    epochs: int | None = None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> Predictor | ImagePredictor:
    """Goes on with a run where its newest checkpoint was written; without one, from the start.

    The result has the bits of a training that never stopped. ``epochs`` is a new upper bound for
    all epochs, those before included; only with more of them can a run that is done go on.
    ``source`` is the table or the images, if they came from Python or have moved.

    Raises StateError for a folder that is no run or is being written, for data that is not the same
    any more, and for a run that has nothing left to do; else what `fit` and `fit_images` raise.
    """
    place = Path(run).expanduser()
    facts = read_facts(place)
    heard = listener or (Talk() if verbose else Listener())
    if not on_images(facts):
        return table.resume(place, source, epochs=epochs, listener=heard)
    settings = _settings(place)
    if epochs is not None:
        settings = replace(settings, train=replace(settings.train, epochs=epochs))
    with reopened(place, facts, settings.train.epochs, epochs) as folder:
        return _resumed(folder, place, settings, source, heard)


def _resumed(
    folder: RunFolder, place: Path, settings: ImageSettings, source: object, heard: Listener
) -> ImagePredictor:
    if source is None and not settings.data.path:
        raise StateError(
            "the images of this run came from Python",
            where=str(place),
            help="give them: chainrule.resume(run, (pixels, labels))",
        )
    origin = settings.data.path if source is None else source
    with arrays_folder(place) as arrays:
        prepared = prepare_images(origin, settings.data, settings.seed, arrays)
        found, wanted = prepared.fingerprint, folder.facts["data"].get("fingerprint")
        before = json.loads(text_of(place, "pipeline.json"))
        if found != wanted or json.loads(prepared.pipeline.to_json()) != before:
            raise StateError(
                "the images are not the same as when this run began",
                where=prepared.name,
                help=f"bring them back ({wanted}; now {found}), or train anew: chainrule train "
                f"{place / 'run.toml'}",
            )
        return ImageFitting(prepared, settings, place.parent, heard, True).go_on(folder)
