"""From a folder of images, or arrays, to a trained predictor, in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...runs.fitting import fit_source
from ...runs.listeners import Listener
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
    data = (source, labels) if labels is not None else source
    return fit_source(
        IMAGES, source, given, settings, data=data, verbose=verbose, listener=listener
    )
