"""Trains a predictor on images in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...runs.fitting import fit_source
from ...runs.listeners import Listener
from ...runs.settings.arguments import setting_arguments
from .kind import IMAGES
from .predictor import ImagePredictor

__all__ = ["fit_images"]


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
    """Trains a network to classify images, and evaluates it on held-out images.

    ``source`` is a folder with one subfolder per class, an IDX file next to its labels, bytes
    (uint8) with ``labels``, or ``"fashion"``. ``split`` holds the fractions of training, validation
    and test images, which are stratified by class; ``test`` names separate test images instead.
    ``classes`` gives names to numeric labels (of IDX files, or in ``labels``), in order.

    ``network`` is one of ``chainrule.modalities.images.NETWORKS``. An argument that is None takes
    the default of ``run.toml`` or is decided by the images; ``settings`` sets anything else, for
    example ``["augment.shift=2", "model.dropout=0.3"]``. The run folder goes to ``runs_dir``; with
    None, nothing is written. The same images and ``seed`` give the same bits.

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    arguments = setting_arguments(locals(), IMAGES.arguments)
    data = (source, labels) if labels is not None else source
    return fit_source(
        IMAGES, source, arguments, settings, data=data, verbose=verbose, listener=listener
    )
