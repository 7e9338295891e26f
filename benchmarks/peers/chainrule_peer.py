"""Chainrule through its public API: ``@cr.compile`` per step, ``Trainer.fit`` for the loop."""

from __future__ import annotations

import os
from typing import Any

import chainrule as cr
import chainrule.nn.functional as F
from benchmarks.peers import Mode, Session
from benchmarks.workloads import Dense, Workload
from chainrule import nn, optim


def build(model: Dense) -> Any:
    layers: list[Any] = []
    for fan_in, fan_out in model.pairs:
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class ChainruleSession:
    """Batches stay NumPy arrays, as a user would pass them."""

    def __init__(self, workload: Workload, mode: Mode) -> None:
        cr.set_num_threads(len(os.sched_getaffinity(0)))
        self.workload, self.mode = workload, mode
        self.x, self.y = workload.data()
        self.batches = [(self.x[r], self.y[r]) for r in workload.order(1)]
        self.model = build(workload.model)
        self.optimizer = optim.Adam(self.model.parameters(), lr=workload.lr)
        self.first = self.optimizer.state_dict()
        self.step: Any = self.compiled() if mode == "call" else None
        self.trainer: Any = self.new_trainer() if mode == "loop" else None
        self.reset()

    def compiled(self) -> Any:
        model, optimizer = self.model, self.optimizer
        binary = self.workload.loss == "bce_with_logits"
        criterion = F.binary_cross_entropy_with_logits if binary else F.cross_entropy

        @cr.compile
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    def new_trainer(self) -> Any:
        binary = self.workload.loss == "bce_with_logits"
        loss = nn.BCEWithLogitsLoss() if binary else nn.CrossEntropyLoss()
        return cr.Trainer(self.model, loss=loss, optimizer=self.optimizer)

    def reset(self) -> None:
        arrays: dict[str, Any] = {}
        for i, (weight, bias) in enumerate(self.workload.weights()):
            arrays |= {f"{2 * i}.weight": weight, f"{2 * i}.bias": bias}
        self.model.load_state_dict(arrays)
        self.optimizer.load_state_dict(self.first)

    def run(self, steps: int) -> None:
        if self.mode == "loop":
            epochs = max(1, steps // self.workload.steps_per_epoch)
            self.trainer.fit((self.x, self.y), epochs=epochs, batch_size=self.workload.batch)
            return
        step, batches = self.step, self.batches
        for i in range(steps):
            step(*batches[i % len(batches)])

    def losses(self, steps: int) -> list[float]:
        if self.mode == "loop":
            return []
        self.reset()
        return [float(self.step(*batch)) for batch in self.batches[:steps]]


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    return ChainruleSession(workload, mode)
