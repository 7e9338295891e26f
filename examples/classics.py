"""Six classic problems, each trained with five seeds: XOR, moons, spiral, and three tables.

    python examples/classics.py

`docs/classics.md` has the settings, what to expect, and what to look at. A seed fixes the points
or the split, the first weights and the order of the rows, so each line is the same on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import nn, optim

SEEDS = range(5)

Points = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Classic:
    """``score(seed)`` trains with one seed and gives the ``metric`` on rows that were not trained
    on. No seed of `SEEDS` stays below ``least``."""

    name: str
    metric: str
    least: float
    score: Callable[[int], float]


# ------------------------------------------------------------------------------------- points


def xor() -> Points:
    """The four rows of exclusive or: 1 where exactly one of the inputs is 1."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return x, np.array([0, 1, 1, 0], np.int32)


def moons(rows: int, noise: float, seed: int) -> Points:
    """Two half circles of radius 1 that reach into each other; ``noise`` is a deviation."""
    rng = np.random.default_rng(seed)
    label = np.arange(rows) % 2
    angle = rng.uniform(0, np.pi, rows)
    x, y = np.cos(angle), np.sin(angle)
    below = label == 1  # turned upside down, one radius to the right, half a radius down
    points = np.stack([np.where(below, 1 - x, x), np.where(below, 0.5 - y, y)], axis=1)
    points += rng.normal(0, noise, points.shape)
    return points.astype(np.float32), label.astype(np.int32)


def spiral(rows: int, noise: float, seed: int, arms: int = 3) -> Points:
    """``arms`` arms from the centre out to radius 1, each a turn of 4 radians; ``noise`` is the
    deviation of the angle."""
    rng = np.random.default_rng(seed)
    label = np.arange(rows) % arms
    radius = rng.uniform(0, 1, rows)
    angle = 2 * np.pi * label / arms + 4 * radius + rng.normal(0, noise, rows)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return points.astype(np.float32), label.astype(np.int32)


# ----------------------------------------------------------------------------------- training


def score_xor(seed: int, hidden: int = 8) -> float:
    """Full-batch training on all four rows; there are no others to judge by."""
    cr.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))
    adam = optim.Adam(model.parameters(), lr=0.05)
    trainer = cr.Trainer(model, loss="bce_with_logits", optimizer=adam)
    x, label = xor()
    trainer.fit((x, label), epochs=300, batch_size=None, seed=seed, verbose=False)
    return float(np.mean((trainer.predict(x) > 0).ravel() == label))


def score_points(train: Points, test: Points, classes: int, epochs: int, seed: int) -> float:
    """Two hidden layers of 32 with ReLU, Adam with rate 0.01, batches of 32."""
    cr.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, classes)
    )
    adam = optim.Adam(model.parameters(), lr=0.01)
    trainer = cr.Trainer(model, loss="cross_entropy", optimizer=adam)
    trainer.fit(train, epochs=epochs, batch_size=32, seed=seed, verbose=False)
    return float(np.mean(trainer.predict(test[0]).argmax(axis=1) == test[1]))


def score_moons(seed: int) -> float:
    """Test points have a seed of their own, far from those of the training points."""
    train, test = moons(640, 0.15, seed), moons(2000, 0.15, 1000 + seed)
    return score_points(train, test, classes=2, epochs=30, seed=seed)


def score_spiral(seed: int) -> float:
    train, test = spiral(960, 0.15, seed), spiral(3000, 0.15, 1000 + seed)
    return score_points(train, test, classes=3, epochs=60, seed=seed)


def score_heart(seed: int) -> float:
    """`chainrule train heart --preset fast --seed N`."""
    return cr.fit("heart", preset="fast", seed=seed, runs_dir=None, verbose=False).metrics[
        "accuracy"
    ]


def score_breast_cancer(seed: int) -> float:
    """`chainrule train breast_cancer --preset fast --seed N`."""
    return cr.fit("breast_cancer", preset="fast", seed=seed, runs_dir=None, verbose=False).metrics[
        "accuracy"
    ]


def score_diabetes(seed: int) -> float:
    """`chainrule train diabetes --preset fast --layers 32 --dropout 0.5 --weight-decay 1 --seed N`.

    Chosen by the mean over the seeds 100 to 111, which are not among those reported.
    """
    trained = cr.fit(
        "diabetes",
        preset="fast",
        layers=[32],
        dropout=0.5,
        weight_decay=1.0,
        seed=seed,
        runs_dir=None,
        verbose=False,
    )
    return trained.metrics["r2"]


CLASSICS = (
    Classic("xor", "accuracy", 1.00, score_xor),
    Classic("moons", "accuracy", 0.975, score_moons),
    Classic("spiral", "accuracy", 0.975, score_spiral),
    Classic("heart", "accuracy", 0.79, score_heart),
    Classic("breast_cancer", "accuracy", 0.97, score_breast_cancer),
    Classic("diabetes", "r2", 0.35, score_diabetes),
)


def main() -> None:
    print(f"{'':14}{'':10}  " + "  ".join(f"seed {seed}" for seed in SEEDS) + "    min    mean")
    for classic in CLASSICS:
        scores = [classic.score(seed) for seed in SEEDS]
        shown = "  ".join(f"{score:6.3f}" for score in [*scores, min(scores), np.mean(scores)])
        print(f"{classic.name:14}{classic.metric:10}  {shown}")


if __name__ == "__main__":
    main()
