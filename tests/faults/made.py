"""Data that the gallery's programs make, and how most of them train."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import TrainingError
from chainrule.train import Observe, Trainer

Array = npt.NDArray[Any]
Parts = tuple[tuple[Any, Array], tuple[Any, Array]]

EVERY = 5


def parts(inputs: Any, target: Array, share: float = 0.75) -> Parts:
    """Rows for training and for validation, in this order."""
    count = int(len(target) * share)
    several = isinstance(inputs, tuple)
    first = tuple(a[:count] for a in inputs) if several else inputs[:count]
    last = tuple(a[count:] for a in inputs) if several else inputs[count:]
    return (first, target[:count]), (last, target[count:])


def classes(
    seed: int = 0, rows: int = 800, features: int = 10, count: int = 3, noise: float = 1.0
) -> Parts:
    """Normal clouds, two for each class, in random order."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(2 * count, features)) * 1.6
    which = rng.integers(0, 2 * count, rows)
    inputs = centres[which] + noise * rng.normal(size=(rows, features))
    return parts(inputs.astype(np.float32), (which % count).astype(np.int32))


def numbers(seed: int = 0, rows: int = 800, features: int = 8, noise: float = 0.1) -> Parts:
    """A smooth function of the inputs, about standard in scale, with noise."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, features))
    hidden = np.tanh(inputs @ rng.normal(size=(features, 6)) / np.sqrt(features))
    target = hidden @ rng.normal(size=(6, 1))
    target = target / target.std() + noise * rng.normal(size=(rows, 1))
    return parts(inputs.astype(np.float32), target.astype(np.float32))


def pictures(seed: int = 0, rows: int = 400, size: int = 12) -> Parts:
    """Bright bars, upright or lying, somewhere in a noisy picture, [rows, 1, size, size]."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, rows).astype(np.int32)
    images = 0.3 * rng.normal(size=(rows, 1, size, size))
    for image, upright in zip(images, target, strict=True):
        row, column = rng.integers(0, size - 5, 2)
        if upright:
            image[0, row : row + 5, column] += 2.0
        else:
            image[0, row, column : column + 5] += 2.0
    return parts(images.astype(np.float32), target)


def sequences(seed: int = 0, rows: int = 400, length: int = 20) -> Parts:
    """Which half of a sequence [rows, length, 2] has the larger sum in its first column."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, length, 2))
    half = length // 2
    target = inputs[:, :half, 0].sum(1) > inputs[:, half:, 0].sum(1)
    return parts(inputs.astype(np.float32), target.astype(np.int32))


def mlp(
    features: int,
    outputs: int,
    widths: Sequence[int] = (32, 32),
    activation: Callable[[], nn.Module] = nn.ReLU,
    *,
    first: Sequence[nn.Module] = (),
    seed: int = 0,
) -> nn.Sequential:
    """Fully connected layers."""
    cr.manual_seed(seed)
    layers: list[nn.Module] = list(first)
    for width in widths:
        layers += [nn.Linear(features, width), activation()]
        features = width
    return nn.Sequential(*layers, nn.Linear(features, outputs))


def train(
    model: nn.Module,
    data: Parts,
    loss: Any = "cross_entropy",
    optimizer: Any = None,
    *,
    epochs: int = 12,
    batch_size: int | None = 32,
    trainer: type[Trainer] = Trainer,
    **settings: Any,
) -> Trainer:
    """A trainer that has trained; one whose loss became NaN or infinite holds the error."""
    own = {k: settings.pop(k) for k in ("callbacks", "shuffle", "seed") if k in settings}
    optimizer = optimizer or optim.Adam(model.parameters(), lr=3e-3)
    kind = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    metrics = ["accuracy"] if kind in ("cross_entropy", "bce_with_logits") else []
    made = trainer(model, loss, optimizer, metrics, **settings)
    try:
        made.fit(
            data[0], validation=data[1], epochs=epochs, batch_size=batch_size, verbose=False,
            observe=Observe("basic", EVERY), **own,
        )  # fmt: skip
    except TrainingError as error:
        made.failure = error  # type: ignore[attr-defined]
    return made


def table(
    folder: Path, columns: dict[str, Sequence[Any]], target: str = "y", *settings: str, **named: Any
) -> Path:
    """The folder of a run on a table with these columns."""
    path = folder / "rows.csv"
    names = list(columns)
    lines = [",".join("" if v is None else str(v) for v in row)
             for row in zip(*columns.values(), strict=True)]  # fmt: skip
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return run_of(path, target, *settings, runs=folder / "runs", **named)


def run_of(source: Any, target: str | None, *settings: str, runs: Path, **named: Any) -> Path:
    """The folder of a run, also of one that failed."""
    own = [f"observe.every={EVERY} steps", *settings]
    with contextlib.suppress(TrainingError):
        cr.fit(source, target, settings=own, runs_dir=runs, verbose=False, **named)
    return max(runs.iterdir())
