"""What every kind of data is entered by: loading a run, and going on with one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..errors import ConfigError
from ..runs.folder import GROUP
from ..runs.groups import Repeated, go_on_with, group_source
from ..runs.listeners import Listener, Talk
from ..runs.loading import read_facts
from . import tables
from .images.predictor import ImagePredictor
from .images.runs import IMAGES, load_images_run, read_image_settings, resume_images_run
from .images.settings import ImageSettings, wants_images
from .tables.loading import read_settings
from .tables.predictor import Predictor
from .tables.settings import Settings

__all__ = ["load_run", "resume", "run_settings"]


def _on_images(facts: Mapping[str, Any]) -> bool:
    """Whether ``run.json`` is that of a run on images."""
    return bool(facts["data"].get("kind") == "images")


def load_run(path: str | os.PathLike[str]) -> Predictor | ImagePredictor:
    """The predictor of a run folder that ``fit``, ``fit_images`` or the command line wrote.

    Nothing in the folder is ever run. Raises StateError with file and place when the folder is not
    one, is unfinished, or when a file was changed, cut off or belongs to another run.
    """
    folder = user_path(path, "the run folder")
    return load_images_run(folder) if _on_images(read_facts(folder)) else tables.load_run(folder)


def run_settings(path: str | os.PathLike[str]) -> Settings | ImageSettings:
    """The settings of a run of either kind. StateError if they cannot be read."""
    folder = user_path(path, "the run folder")
    return read_image_settings(folder) if _on_images(read_facts(folder)) else read_settings(folder)


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
    if not _on_images(facts):
        return tables.resume(place, source, epochs=epochs, listener=heard)
    return resume_images_run(place, source, epochs, heard)


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
    return tables.resume_group(place, source, listener=heard)
