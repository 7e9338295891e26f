"""How surely a source is images; asked of all kinds, so that it loads little."""

from __future__ import annotations

import numpy as np

from ...arguments import is_pair
from ...data.images import Images, is_image_source

__all__ = ["recognises"]

#: numbers of axes of an array of grey images, and of colour images
AXES = (3, 4)


def recognises(source: object) -> float:
    """From 0 to 1."""
    if is_pair(source):
        source = source[0]
    if isinstance(source, Images):
        return 1.0
    if sureness := is_image_source(source):
        return sureness
    return 1.0 if isinstance(source, np.ndarray) and source.ndim in AXES else 0.0
