"""The same training on images several times: other seeds, or other folds of the images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...arguments import user_path
from ...data.images import Room, read_images
from ...errors import ConfigError
from ...runs.folder import unwritable
from ...runs.groups import Repeated, members, seed_list, train_all
from ...runs.listeners import Listener, Talk
from .fit import OPTIONS, anywhere, image_settings_for
from .pipeline import divided
from .predictor import ImagePredictor
from .runs import IMAGES
from .settings import ImageSettings

__all__ = ["cross_validate_images", "repeat_images"]


def cross_validate_images(
    source: object,
    labels: object = None,
    *,
    folds: int | None = 5,
    seeds: int | Sequence[int] | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
    **options: Any,
) -> Repeated[ImagePredictor]:
    """Trains once for each of ``folds``, so that every image is a test image once (Stone 1974).

    The folds have nearly the same share of every class, and come from the seed. ``seeds`` repeats
    it with other seeds (so many from ``seed`` on, or a list), ``folds=None`` leaves the folds out.
    The other arguments are those of `fit_images`. The images are read once. Each training has a run
    folder, all below one in ``runs_dir``.

    Raises what `fit_images` raises, and ConfigError for an argument that it does not have, or for
    folds where ``test`` names test images of their own.
    """
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(
                f"cross_validate_images has no argument {name!r}",
                help="it takes those of fit_images, folds and seeds",
            )
    chosen = image_settings_for(source, {**options, "runs_dir": runs_dir}, settings)
    heard = listener or (Talk() if verbose else Listener())
    held = (source, labels) if labels is not None else source
    return repeat_images(chosen, held, seeds=seeds, folds=folds, listener=heard)


def repeat_images(
    settings: ImageSettings,
    source: object = None,
    *,
    seeds: int | Sequence[int] | None = None,
    folds: int | None = None,
    listener: Listener | None = None,
) -> Repeated[ImagePredictor]:
    """`fit_image_settings` for each of ``seeds`` and each of ``folds``."""
    chosen, data = seed_list(settings.seed, seeds), settings.data
    members(settings, chosen, folds)  # mistakes in them come before those of the images
    where = settings.output.runs_dir
    labels, origin = None, settings.data.path if source is None else source
    if isinstance(origin, tuple) and len(origin) == 2:
        origin, labels = origin
    place = user_path(where, "output.runs_dir") if where else None
    try:
        images = read_images(
            origin, labels, classes=data.classes or None, size=data.wanted_size,
            channels=data.wanted_channels, fit=data.fit, most_bad=data.most_bad,
            room=Room(place, data.limit),
        )  # fmt: skip
    except OSError as error:
        raise unwritable(place or Path(), error) from None
    first = next(iter(members(settings, chosen, folds).values()))
    divided(images, first.data, first.seed)  # what is wrong with that, before a folder is made
    named = replace(settings, name=settings.name or images.name)
    heard = listener or Listener()
    return train_all(IMAGES, anywhere(named), images, chosen, folds, heard)
