"""What tuning varies for text: the network, the words it reads, and how it is trained."""

from __future__ import annotations

from ...runs.space import OneOf, Space, Times, between
from .networks import NETWORKS
from .settings import TextSettings

__all__ = ["SPACE", "space_for"]

SPACE: Space = {
    ("train", "lr"): Times(1 / 8, 8),
    ("train", "optimizer", "weight_decay"): between(1e-4, 0.5, log=True),
    ("train", "batch_size"): OneOf(8, 16, 32, 64),
}
#: those of networks that have them; a width is divisible by the usual number of heads
OF_NETWORKS: Space = {
    ("model", "width"): OneOf(64, 128, 256),
    ("model", "layers"): between(1, 4),
    ("model", "filters"): OneOf(50, 100, 200),
    ("model", "hidden"): OneOf(64, 128, 256),
    ("model", "dropout"): between(0.0, 0.7),
}
#: of networks that count runs of words
OF_FEATURES: Space = {("tokenizer", "ngrams"): between(1, 3)}


def space_for(settings: TextSettings) -> Space:
    """With the dimensions of the network and of what it reads."""
    own = {key: d for key, d in OF_NETWORKS.items() if key[-1] in settings.model.settings}
    features = OF_FEATURES if NETWORKS[settings.model.name].features else {}
    return {**own, **features, **SPACE}
