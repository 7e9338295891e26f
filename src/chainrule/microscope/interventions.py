"""What happened to a training from outside its steps: rates set by hand, rollbacks, other lengths.

``events.jsonl`` has each with its step. A replay that passes that step does the same there; what it
cannot do, it refuses in words, because a step with other bits is not the step of this run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..optim import Optimizer
from ..records import file_text, parsed
from ..train import History
from ..train.callbacks.rates import rates_of, scale_rates, set_rates
from ..unverified import number, table, whole

__all__ = ["Interventions", "RateChange", "check_history", "read_interventions"]

ELSEWHERE = "look at a later step, or at an example: chainrule scope RUN --example 0"


@dataclass(frozen=True)
class RateChange:
    """After ``step`` steps the largest rate, ``before``, was set to ``value``; or all rates were
    multiplied by ``factor``, where a training that diverged went back to."""

    step: int
    before: float
    value: float | None = None
    factor: float = 1.0

    def apply(self, optimizer: Optimizer) -> None:
        """Does it again, unless the state that the replay began with has it in it already.

        StateError where the rate is neither the one before nor the one after.
        """
        present = max(rates_of(optimizer), default=0.0)
        if self.value is not None and present == self.value:
            return
        if present != self.before:
            raise StateError(
                f"the learning rate after step {self.step} is {present:g} in the replay, and was "
                f"{self.before:g} in the training",
                help=ELSEWHERE,
            )
        if self.value is None:
            scale_rates(optimizer, self.factor)
        else:
            set_rates(optimizer, self.value)


@dataclass(frozen=True)
class Interventions:
    """``changes`` of rates on the way to where the training came, in order; ``unknown``: the first
    step after a rollback or a resumption of which earlier releases recorded too little; ``planned``
    epochs from each step on."""

    changes: tuple[RateChange, ...]
    unknown: int | None
    planned: tuple[tuple[int, int], ...]

    def between(self, begin: int, end: int) -> tuple[RateChange, ...]:
        """Those that steps ``begin`` to ``end`` pass. StateError if that is not known."""
        if self.unknown is not None and begin <= self.unknown < end:
            raise StateError(
                f"steps from {self.unknown + 1} on cannot be replayed from before: the training "
                "was rolled back or resumed there, and this run did not record enough of that",
                help='with output.checkpoints.every = "epoch", later steps have a checkpoint of '
                "their own to start from",
            )
        return tuple(change for change in self.changes if begin <= change.step < end)

    def check_planned(self, begin: int, end: int, epochs: int) -> None:
        """StateError if steps ``begin`` to ``end`` were done when another number of epochs was
        planned, on which a schedule of the rate depends."""
        for i, (first, planned) in enumerate(self.planned):
            last = self.planned[i + 1][0] if i + 1 < len(self.planned) else end
            if planned != epochs and first < end and begin < last:
                raise StateError(
                    f"steps {first + 1} to {last} cannot be replayed: the learning rate then "
                    f"followed a schedule over {planned} epochs, and now over {epochs}",
                    help=f"look at a step after {last}",
                )


def read_interventions(run: Path, guard: Mapping[str, Any], epoch_steps: int) -> Interventions:
    """Those of the run in the folder ``run``, of which an epoch has ``epoch_steps``; ``guard`` is
    what its newest checkpoint keeps of the guard that rolls back."""
    changes: list[RateChange] = []
    planned: list[tuple[int, int]] = []
    unknown, rollbacks = None, 0
    for event in _events(run):
        kind, step = event.get("event"), whole(event.get("step"))
        before = number(event.get("before"))
        if kind == "start" and (epochs := whole(event.get("epochs"))) is not None:
            planned = [(0, epochs)]
        elif kind == "resume":
            least = step if step is not None else epoch_steps * (whole(event.get("epoch")) or 0)
            lost = [change for change in changes if change.step > least]
            if lost and step is None:
                unknown = least
            changes = [change for change in changes if change.step <= least]
            if (epochs := whole(event.get("epochs"))) is not None:
                planned = [p for p in planned if p[0] < least] + [(least, epochs)]
        elif kind == "control" and event.get("action") == "lr":
            value = number(event.get("value"))
            if None not in (step, before, value):
                changes.append(RateChange(step, before, value))  # type: ignore[arg-type]
        elif kind == "rollback":
            factor, rollbacks = number(event.get("factor")), rollbacks + 1
            if step is not None and before is not None and factor is not None:
                changes = [c for c in changes if c.step < step or (c.step == step and c.value)]
                changes.append(RateChange(step, before, None, factor))
    returns = guard.get("returns", ())
    if len(returns) > rollbacks:
        unknown = epoch_steps * min(int(after) for _, after in returns)
    return Interventions(tuple(changes), unknown, tuple(planned))


def _events(run: Path) -> Iterable[Mapping[str, Any]]:
    """The lines of ``events.jsonl``; of one that is being written, those that are whole."""
    try:
        lines = file_text(run / "events.jsonl").split("\n")
    except FileNotFoundError:
        return
    for line in lines[:-1]:
        yield table(parsed(line, "events.jsonl", str(run)))


def check_history(replayed: History, recorded: History, name: str) -> None:
    """StateError unless the epochs that were done again have the losses that the run recorded."""
    known = dict(zip(recorded.epoch, recorded["loss"] if recorded.epoch else (), strict=True))
    for epoch, loss in zip(replayed.epoch, replayed["loss"] if replayed.epoch else (), strict=True):
        if epoch in known and known[epoch] != loss and not known[epoch] != known[epoch]:
            raise StateError(
                f"epoch {epoch + 1} done again has a loss of {loss:.9g}, and the training had "
                f"{known[epoch]:.9g}: what happened in between is not known",
                where=name,
                help=ELSEWHERE,
            )
