"""Faults of speed: the same result could be had sooner."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn
from chainrule.doctor import evidence_of
from chainrule.runtime.processors import available
from chainrule.train import Callback, MemorySource, Observe, Trainer

from .case import fault
from .made import classes, mlp, parts, train


@fault("T501")
def reading_that_takes_the_time(folder: Path) -> Trainer:
    """A source that waits for a slow disk before every few batches."""

    class Slow(MemorySource):
        bytes_per_row, recipe = 44, "slow"
        bytes_per_call = 44 * 64

        def __init__(self, inputs: Any, target: Any) -> None:
            self.arrays, self.rows = (inputs, target), len(target)

        def take(self, arrays: Any, rows: cr.Tensor) -> tuple[cr.Tensor, ...]:
            return arrays[0][rows], arrays[1][rows]

        def release(self) -> None:
            time.sleep(0.01)

    (x, y), held = classes()
    model = mlp(10, 3)
    made = Trainer(model, "cross_entropy", cr.optim.Adam(model.parameters(), lr=3e-3))
    made.fit(Slow(x, y), validation=held, epochs=8, batch_size=32, verbose=False)
    return made


@fault("T501")
def a_callback_in_every_batch(folder: Path) -> Trainer:
    """A callback that takes five milliseconds after each batch."""

    class Waits(Callback):
        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            time.sleep(0.005)

    return train(mlp(10, 3), classes(), callbacks=[Waits()], epochs=8)


@fault("T502")
def more_threads_than_processors(folder: Path) -> Trainer:
    """Threads that have to share processors, and wait for one another in every step."""
    before = cr.get_num_threads()
    cr.set_num_threads(4 * available())
    try:
        made = train(mlp(10, 3, [64, 64]), classes(), epochs=6)
        made.evidence = evidence_of(made)  # type: ignore[attr-defined]
    finally:
        cr.set_num_threads(before)
    return made


@fault("T503", "T204")
def batches_too_small_for_the_processor(folder: Path) -> Trainer:
    """A wide network in batches of two rows: each step reads all weights for two rows."""
    (x, y), held = classes(rows=500)
    return train(mlp(10, 3, [512, 512]), ((x, y), held), batch_size=2, epochs=3)


@fault("T504")
def looked_at_in_every_step(folder: Path) -> Trainer:
    """Everything is observed in every step of a small network."""
    model = mlp(10, 3)
    made = Trainer(model, "cross_entropy", cr.optim.Adam(model.parameters(), lr=3e-3))
    data, held = classes()
    made.fit(data, validation=held, epochs=12, verbose=False, observe=Observe("full", 1))
    return made


@fault("T505")
def padded_to_the_longest(folder: Path) -> Trainer:
    """Sequences of five steps padded to 120, as one is that long."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(20, 8), nn.GRU(8, 16, batch_first=True)
            self.out = nn.Linear(16, 2)

        def forward(self, tokens: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(self.embed(tokens))[0][:, 4])

    rng = np.random.default_rng(0)
    tokens = np.zeros((400, 120), np.int32)
    tokens[:, :5] = rng.integers(1, 20, (400, 5))
    tokens[0] = rng.integers(1, 20, 120)
    cr.manual_seed(0)
    return train(Net(), parts(tokens, (tokens[:, 0] > 9).astype(np.int32)), epochs=6)
