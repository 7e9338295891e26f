"""Trains a predictor on images in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Unpack

from ...runs.fitting import FitArguments, fit_kind
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
    **common: Unpack[FitArguments],
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

    The other arguments (``common``) are those of every kind of data, and so are the errors: see
    `chainrule.fit`.
    """
    return fit_kind(IMAGES, source, locals(), common, labels)
