"""Going on from a state of a training to any later step, to look at that step."""

from __future__ import annotations

from typing import Protocol

from ...errors import ConfigError
from ...nn import Module
from ..batch_source import Rows
from ..run import Run
from ..stepper import Stepper

__all__ = ["Replaying", "replay"]


class Replaying(Protocol):
    """A trainer, as far as steps are done again."""

    @property
    def model(self) -> Module: ...
    @property
    def stepper(self) -> Stepper: ...

    def run_epoch(self, run: Run, epoch: int) -> dict[str, float]:
        """The rest of an epoch."""


def replay(trainer: Replaying, run: Run, step: int) -> Rows:
    """Does the steps of ``run`` from where it stands up to before ``step``, counted from 0 over all
    epochs, and gives the rows of that step.

    Steps are the same bits whenever they are done. ConfigError for a step before where ``run``
    stands, or beyond its last epoch.
    """
    epoch, within = divmod(step, run.order.steps)
    if step < run.steps or epoch >= run.epochs:
        last = run.epochs * run.order.steps
        raise ConfigError(
            f"step {step + 1} cannot be replayed",
            help=f"steps from {run.steps + 1} to {last} can",
        )
    if not trainer.model.training:
        trainer.model.train()
    while run.epoch < epoch:
        trainer.run_epoch(run, run.epoch)
    begin = 0
    for block in run.batches(epoch):
        done = max(run.step - begin, 0)
        stop = min(within - begin, len(block))
        if done < stop:
            losses = trainer.stepper.run(run.train, block[done:stop])
            run.advance(losses, block.shape[1])
        if within < begin + len(block):
            rows: Rows = block[within - begin]
            return rows
        begin += len(block)
    raise AssertionError("an epoch has as many steps as its order says")
