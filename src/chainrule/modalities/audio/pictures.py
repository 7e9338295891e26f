"""Sound as a small picture: time from left to right, low bands at the bottom, loud is bright."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.audio.decoding import Samples
from ...frontend import no_grad
from ...frontend.apply import from_array
from .network import Features

__all__ = ["picture"]

#: what is so much quieter than the loudest is black: natural logarithms of power, 60 decibels
RANGE = 13.8


def picture(features: Features, clip: Samples) -> NDArray[np.uint8]:
    """The features of a clip as grey bytes [bands, frames, 1]."""
    with no_grad():
        values = features(from_array(clip[None])).numpy()[0, ::-1]
    level = 1.0 + (values - values.max()) / RANGE
    grey: NDArray[np.uint8] = np.round(255 * level.clip(0.0, 1.0)).astype(np.uint8)
    return grey[:, :, None]
