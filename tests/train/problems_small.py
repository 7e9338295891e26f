"""Small problems with known answers, and models for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import nn, optim
from chainrule.frontend import manual_seed
from chainrule.train import Trainer

Array = NDArray[Any]


def blobs(rows: int = 300, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Clusters in the plane, on a circle, far enough apart to be told."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    angle = 2 * np.pi * y / classes
    x = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.5 * rng.standard_normal((rows, 2))
    return x, y


def line(rows: int = 200, seed: int = 0) -> tuple[Array, Array]:
    """y = 3 x0 - 2 x1 + 1 without noise."""
    x = np.random.default_rng(seed).standard_normal((rows, 2))
    return x, 3 * x[:, 0] - 2 * x[:, 1] + 1


def linear_trainer(**settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=settings.pop("lr", 0.1))
    return Trainer(model, loss=settings.pop("loss", "mse"), optimizer=optimizer, **settings)


def blob_trainer(classes: int = 3, **settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, classes))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, **settings)


def weights(trainer: Trainer) -> list[Array]:
    return [np.asarray(p.numpy()) for p in trainer.model.parameters()]


class Sums(nn.Module):
    """Of rows of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1)

    def forward(self, x: Any) -> Any:
        return self.scale(x.sum(1).unsqueeze(1))
