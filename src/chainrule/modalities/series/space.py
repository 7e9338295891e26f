"""What tuning varies for series: how far to look back, the network, and how it is trained."""

from __future__ import annotations

from ...runs.space import OneOf, Space, Times, between
from .settings import SeriesSettings

__all__ = ["SPACE", "space_for"]

SPACE: Space = {
    ("data", "window"): Times(1 / 2, 2),
    ("train", "lr"): Times(1 / 8, 8),
    ("train", "optimizer", "weight_decay"): between(1e-4, 0.3, log=True),
    ("train", "batch_size"): OneOf(32, 64, 128, 256),
}
#: those of networks that have them
OF_NETWORKS: Space = {
    ("model", "width"): OneOf(16, 32, 64, 128),
    ("model", "layers"): between(1, 3),
    ("model", "stacks"): between(1, 4),
    ("model", "blocks"): between(1, 4),
    ("model", "dropout"): between(0.0, 0.4),
    ("model", "scaled"): OneOf(False, True),
}


def space_for(settings: SeriesSettings) -> Space:
    """With the dimensions of the network."""
    own = {key: d for key, d in OF_NETWORKS.items() if key[-1] in settings.model.settings}
    return {**own, **SPACE}
