"""The door for images: from a folder to a trained predictor, in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...arguments import path_of, user_path
from ...data.images import BUNDLED_IMAGES
from ...runs.folder import unwritable
from ...runs.listeners import Listener, Talk
from ...runs.settings.arguments import COMMON, source_of
from ...runs.settings.sources import from_environment, from_words, gather
from .fitting import ImageFitting
from .pipeline import prepare_images
from .predictor import ImagePredictor
from .settings import ImageSettings

__all__ = ["KEYS", "OPTIONS", "anywhere", "fit_image_settings", "fit_images", "image_settings_for"]

#: where the arguments of `fit_images` stand in ``run.toml``
KEYS: Mapping[str, tuple[str, ...]] = {
    **COMMON,
    "test": ("data", "test"),
    "classes": ("data", "classes"),
    "size": ("data", "size"),
    "network": ("model", "name"),
}
#: all of them that are settings
OPTIONS = tuple(key for key in KEYS if key not in ("path", "fold", "runs_dir"))


def fit_images(
    source: object,
    labels: object = None,
    *,
    test: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    network: str | None = None,
    size: int | tuple[int, int] | None = None,
    split: tuple[float, float, float] | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    lr: float | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
) -> ImagePredictor:
    """Learns to recognise images, and judges itself on images kept apart.

    ``source`` is a folder with one folder for each class, an IDX file beside its labels, bytes
    (uint8) with ``labels``, or ``"fashion"``. ``test`` names test images of their own; without it
    they are a part, as ``split`` says: shares of training, validation and test images, each with
    nearly the share of every class that all have. ``classes`` names the whole numbers that are
    labels, in their order: those of IDX files, those in ``labels``.

    ``network`` is one of ``chainrule.modalities.images.NETWORKS``; ``settings`` sets anything else
    that ``run.toml`` can hold: ``["augment.shift=2", "model.dropout=0.3"]``. What is None is
    decided by the defaults or by the images. The run folder goes to ``runs_dir`` (None: nothing is
    written). The same images and ``seed`` give the same bits.

    Raises DataError or ConfigError for what cannot be learned from, StateError when the run folder
    cannot be written, TrainingError when training diverges. Ctrl-C saves the best weights so far
    with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    given = {
        "test": test, "classes": classes, "network": network, "size": size, "split": split,
        "epochs": epochs, "batch_size": batch_size, "lr": lr, "optimizer": optimizer,
        "schedule": schedule, "patience": patience, "time_limit": time_limit, "seed": seed,
        "name": name, "runs_dir": runs_dir,
    }  # fmt: skip
    found = image_settings_for(source, given, settings)
    heard = listener or (Talk() if verbose else Listener())
    held = (source, labels) if labels is not None else source
    return fit_image_settings(found, held, listener=heard)


def image_settings_for(
    source: object, given: Mapping[str, Any], words: Sequence[str]
) -> ImageSettings:
    """Settings from arguments of `fit_images`, None for those that were left out, and
    ``KEY=VALUE``."""
    place = given.get("runs_dir")
    known = {
        **{k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in given.items()},
        "path": os.fspath(source) if isinstance(source, str | os.PathLike) else "",
        "runs_dir": "" if place is None else str(path_of(place, "runs_dir")),
    }
    python = source_of({k: v for k, v in known.items() if v is not None}, KEYS)
    sources = [from_environment(), python, from_words(words, "settings")]
    return gather(sources, ImageSettings).settings


def fit_image_settings(
    settings: ImageSettings, source: object = None, *, listener: Listener | None = None
) -> ImagePredictor:
    """`fit_images` with settings that are complete but for what the images decide.

    ``source`` stands for the images of ``settings.data.path`` if it is given.
    """
    heard = listener or Listener()
    origin = source if source is not None else settings.data.path
    where = settings.output.runs_dir
    place = user_path(where, "output.runs_dir") if where else None
    named = bool(settings.name)
    try:
        prepared = prepare_images(origin, settings.data, settings.seed, place)
    except OSError as error:
        raise unwritable(place or Path(), error) from None
    pipeline = prepared.pipeline
    settings = replace(
        settings.resolved(len(prepared.train), pipeline.size, pipeline.channels),
        name=settings.name or prepared.name,
    )
    settings = anywhere(settings)
    heard.findings(prepared.findings)
    return ImageFitting(prepared, settings, place, heard, named).run()


def anywhere(settings: ImageSettings) -> ImageSettings:
    """The same with paths that hold from any folder."""
    data = settings.data
    data = replace(data, path=_absolute(data.path), test=_absolute(data.test))
    return replace(settings, data=data)


def _absolute(text: str) -> str:
    """A path that holds from any folder; the name of bundled images as it is."""
    path = user_path(text, "the data")
    bundled = text in BUNDLED_IMAGES and not path.exists()
    return text if bundled or not text else str(path.absolute())
