"""Runs of both kinds, on tables and on images: loading one, and going on with one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import table
from ..arguments import user_path
from ..errors import ConfigError, StateError
from ..table import Listener, Predictor, Repeated, Talk
from ..table.loading import check_settings, read_facts, read_settings, saved_run, text_of
from ..table.repeating import Way, go_on_with, group_source
from ..table.resuming import reopened, same_json
from ..table.runfolder import GROUP, RunFolder
from ..table.settings import Settings, from_text, gather
from ..train import load
from .fit import fit_image_settings
from .fitting import ImageFitting
from .pipeline import ImagePipeline, prepare_images
from .predictor import ImagePredictor
from .settings import ImageSettings, wants_images

__all__ = ["IMAGES", "load_run", "on_images", "resume", "run_settings"]


def on_images(facts: Mapping[str, Any]) -> bool:
    """Whether ``run.json`` is that of a run on images."""
    return bool(facts["data"].get("kind") == "images")


def load_run(path: str | os.PathLike[str]) -> Predictor | ImagePredictor:
    """The predictor of a run folder that ``fit``, ``fit_images`` or the command line wrote.

    Nothing in the folder is ever run. Raises StateError with file and place when the folder is not
    one, is unfinished, or when a file was changed, cut off or belongs to another run.
    """
    folder = user_path(path, "the run folder")
    return load_images_run(folder) if on_images(read_facts(folder)) else table.load_run(folder)


def load_images_run(folder: Path) -> ImagePredictor:
    """`load_run` for a run on images."""
    facts = read_facts(folder)
    saved = saved_run(folder, facts)
    settings = _settings(folder)
    check_settings(facts, settings, folder)
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
    folder = user_path(path, "the run folder")
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
) -> Predictor | ImagePredictor | Repeated[Predictor] | Repeated[ImagePredictor]:
    """Goes on with a run where its newest checkpoint was written; without one, from the start.

    The result has the bits of a training that never stopped. ``epochs`` is a new upper bound for
    all epochs, those before included; only with more of them can a run that is done go on.
    ``source`` is the table or the images, if they came from Python or have moved. A group of runs
    that ``--seeds``, ``--folds`` or `cross_validate` made goes on with those that are not done.

    Raises StateError for a folder that is no run or is being written, for data that is not the same
    any more, and for a run that has nothing left to do; else what `fit` and `fit_images` raise.
    """
    place = user_path(run, "the run folder")
    heard = listener or (Talk() if verbose else Listener())
    if (place / GROUP).is_file():
        return _resumed_group(place, source, epochs, heard)
    facts = read_facts(place)
    if not on_images(facts):
        return table.resume(place, source, epochs=epochs, listener=heard)
    return resume_images_run(place, source, epochs, heard)


def resume_images_run(
    place: Path, source: object, epochs: int | None, heard: Listener
) -> ImagePredictor:
    """`resume` for a run on images."""
    facts, settings = read_facts(place), _settings(place)
    before = settings
    if epochs is not None:
        settings = replace(settings, train=replace(settings.train, epochs=epochs))
    with reopened(place, facts, before, settings.train.epochs, epochs, heard) as folder:
        return _resumed(folder, place, settings, source, heard)


def _resumed_group(
    place: Path, source: object, epochs: int | None, heard: Listener
) -> Repeated[Predictor] | Repeated[ImagePredictor]:
    if epochs is not None:
        raise ConfigError(
            "the runs of a group keep their number of epochs",
            where=str(place),
            help="leave epochs out, or give one of the runs in the folder",
        )
    if wants_images([group_source(place)]):
        return go_on_with(IMAGES, place, source, heard)
    return table.resume_group(place, source, listener=heard)


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
    prepared = prepare_images(origin, settings.data, settings.seed, place)
    found, wanted = prepared.fingerprint, folder.facts["data"].get("fingerprint")
    same = same_json(prepared.pipeline.to_json(), place, "pipeline.json")
    if found != wanted or not same:
        raise StateError(
            "the images are not the same as when this run began",
            where=prepared.name,
            help=f"bring them back ({wanted}; now {found}), or train anew: chainrule train "
            f"{place / 'run.toml'}",
        )
    return ImageFitting(prepared, settings, place.parent, heard, True).go_on(folder)


IMAGES: Way[ImageSettings, ImagePredictor] = Way(
    "images",
    read=lambda source: gather([source], ImageSettings).settings,
    fit=lambda settings, source, heard: fit_image_settings(settings, source, listener=heard),
    load=load_images_run,
    resume=lambda run, source, heard: resume_images_run(run, source, None, heard),
)
