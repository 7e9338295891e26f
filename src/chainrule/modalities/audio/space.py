"""What tuning varies for sound: the network, augmentation, and how it is trained."""

from __future__ import annotations

from ...runs.space import OneOf, Space, Times, between
from .settings import AudioSettings

__all__ = ["SPACE", "space_for"]

SPACE: Space = {
    ("train", "lr"): Times(1 / 8, 8),
    ("train", "optimizer", "weight_decay"): between(1e-4, 0.3, log=True),
    ("train", "batch_size"): OneOf(16, 32, 64, 128),
    ("augment", "noise"): between(0.0, 0.3),
    ("augment", "speed"): between(0.0, 0.2),
    ("augment", "time_masks"): between(0, 3),
    ("augment", "band_masks"): between(0, 3),
}
#: of networks with these settings: those whose width is a number of channels, and others
OF_NETWORKS: Space = {
    ("model", "width"): Times(1 / 2, 2),
    ("model", "depth"): between(2, 6),
    ("model", "hidden"): OneOf(32, 64, 128),
    ("model", "dropout"): between(0.0, 0.5),
}


def space_for(settings: AudioSettings) -> Space:
    """With the dimensions of the network."""
    own = {key: d for key, d in OF_NETWORKS.items() if key[-1] in settings.model.settings}
    return {**own, **SPACE}
