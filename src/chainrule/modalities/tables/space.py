"""What tuning varies for tables: the network, how numbers are encoded, and how it is trained."""

from __future__ import annotations

from ...runs.space import Number, OneOf, Space, Stack, Times, between
from .settings import Settings

__all__ = ["REALMLP_SPACE", "SPACE", "space_for"]

LAYERS = Stack(depth=Number(1, 4), width=Number(32, 256, step=32))

SPACE: Space = {
    ("model", "network"): OneOf("mlp", "tabm"),
    ("model", "members"): OneOf(1, 4, 8),
    ("model", "numbers"): OneOf("plain", "piecewise", "periodic"),
    ("model", "layers"): LAYERS,
    ("model", "dropout"): between(0.0, 0.6),
    ("train", "lr"): between(3e-4, 2e-2, log=True),
    ("train", "optimizer", "weight_decay"): between(1e-3, 1.0, log=True),
    ("train", "batch_size"): OneOf(32, 64, 128, 256),
}
#: around the recipe, which stands by its own network and encoding
REALMLP_SPACE: Space = {
    ("model", "layers"): LAYERS,
    ("model", "dropout"): between(0.0, 0.5),
    ("train", "lr"): Times(1 / 8, 4),
    ("train", "optimizer", "weight_decay"): between(1e-3, 0.2, log=True),
    ("train", "batch_size"): OneOf(64, 128, 256, 512),
}


def space_for(settings: Settings) -> Space:
    """That of the network."""
    return REALMLP_SPACE if settings.model.network == "realmlp" else SPACE
