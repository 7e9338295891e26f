"""A training that uses everything a checkpoint must hold; run as a program, it can be killed.

``python -m train.resumable FOLDER EVERY PAUSE`` trains, resumes what is there, and prints a digest.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import nn, optim
from chainrule.frontend import manual_seed
from chainrule.train import Callback, Checkpoints, Trainer, callbacks
from train.problems_small import blobs

EPOCHS = 8


class Pause(Callback):
    """Makes the training last long enough to be killed."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        time.sleep(self.seconds)


def new_trainer(**settings: Any) -> Trainer:
    """Dropout, accumulated gradients, clipping, a schedule that observes."""
    manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    rate = optim.schedule.Warmup(optim.schedule.ReduceOnPlateau(0.02, patience=1), steps=4)
    optimizer = optim.AdamW(model.parameters(), lr=rate)
    given: dict[str, Any] = {"accumulate": 2, "clip": {"global_norm": 0.5}} | settings
    return Trainer(model, "cross_entropy", optimizer, **given)


def fit(trainer: Trainer, store: Checkpoints | None, *more: Callback, **settings: Any) -> Any:
    """Seven batches an epoch, the last one short; four updates."""
    resume = settings.pop("resume", store is not None)
    return trainer.fit(
        blobs(200),
        validation=blobs(64, seed=1),
        epochs=settings.pop("epochs", EPOCHS),
        batch_size=30,
        callbacks=[callbacks.EarlyStopping(patience=6), *more],
        verbose=False,
        checkpoints=store,
        resume=resume,
        **settings,
    )


def digest(trainer: Trainer) -> str:
    """A hash over weights, optimizer state, random numbers and history."""
    state = trainer.state()
    parts = [state["optimizer"], state["random"], state["schedules"], state["history"]]
    text = json.dumps(parts, default=_bytes, sort_keys=True)
    weights = b"".join(np.ascontiguousarray(a).tobytes() for a in state["model"].values())
    return hashlib.sha256(weights + text.encode()).hexdigest()


def _bytes(value: Any) -> Any:
    return value.tobytes().hex() if isinstance(value, np.ndarray) else value.item()


def main(folder: str, every: str, pause: str) -> None:
    trainer = new_trainer()
    store = Checkpoints(Path(folder), int(every) if every.isdigit() else every, keep=2)
    print("ready", flush=True)
    fit(trainer, store, Pause(float(pause)))
    print(digest(trainer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
