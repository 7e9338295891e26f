"""What the data can decide only by trying: settings among which the validation loss chooses.

    candidates ── some epochs each ──► validation losses ──► the settings of the least one

Each trial is the beginning of the training that it stands for, so the choice depends on settings,
data and seed alone. A trial looks at no test part and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..train import History
from .settings.document import RunSettings

__all__ = ["Candidates", "Choice", "choose"]

S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True)
class Candidates(Generic[S]):
    """``settings`` by the value of ``key`` that they have, to be tried for so many ``epochs``; the
    first is taken unless another is better."""

    key: str
    settings: Mapping[str, S]
    epochs: int


@dataclass(frozen=True)
class Choice(Generic[S]):
    """The ``settings`` that were best, and the validation ``losses`` of all."""

    candidates: Candidates[S]
    losses: Mapping[str, float]

    @property
    def value(self) -> str:
        """That of the least loss; the first of equal ones, or if all are NaN."""
        return min(self.losses, key=lambda v: math.inf if math.isnan(w := self.losses[v]) else w)

    @property
    def settings(self) -> S:
        return self.candidates.settings[self.value]

    def facts(self) -> dict[str, Any]:
        """For ``run.json``."""
        losses = {v: None if math.isnan(w) else w for v, w in self.losses.items()}
        return {"key": self.candidates.key, "value": self.value,
                "epochs": self.candidates.epochs, "val_loss": losses}  # fmt: skip

    def words(self) -> str:
        losses = ", ".join(f"{value} {loss:.4g}" for value, loss in self.losses.items())
        return (
            f"{self.candidates.key} is {self.value}: val_loss after "
            f"{self.candidates.epochs} epochs was {losses}"
        )


def choose(candidates: Candidates[S], measure: Callable[[S], History]) -> Choice[S]:
    """Tries all; ``measure`` trains with some settings."""
    losses = {}
    for value, settings in candidates.settings.items():
        train = settings.train
        last = min(candidates.epochs, train.stop_after or candidates.epochs)
        short = settings.changed(
            train=train.changed(stop_after=last), observe=type(settings.observe)("off")
        )
        known = [loss for loss in measure(short)["val_loss"] if not math.isnan(loss)]
        losses[value] = min(known, default=math.nan)
    return Choice(candidates, losses)
