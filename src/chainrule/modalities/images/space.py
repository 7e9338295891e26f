"""What tuning varies for images: the network, augmentation, and how it is trained."""

from __future__ import annotations

from ...runs.space import OneOf, Space, Times, between
from .settings import ImageSettings

__all__ = ["SPACE", "space_for"]

SPACE: Space = {
    ("train", "lr"): Times(1 / 8, 8),
    ("train", "optimizer", "weight_decay"): between(1e-3, 0.5, log=True),
    ("train", "batch_size"): OneOf(16, 32, 64, 128),
    ("train", "label_smoothing"): between(0.0, 0.2),
    ("augment", "shift"): between(0, 4),
}
#: those of networks that have them
OF_NETWORKS: Space = {
    ("model", "widths"): OneOf((16, 32, 64), (32, 64, 128), (64, 128, 256)),
    ("model", "dropout"): between(0.0, 0.5),
    ("model", "width"): OneOf(0.25, 0.5, 1.0),
}


def space_for(settings: ImageSettings) -> Space:
    """With the dimensions of the network."""
    own = {key: d for key, d in OF_NETWORKS.items() if key[-1] in settings.model.settings}
    return {**own, **SPACE}
