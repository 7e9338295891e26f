"""What rules look at: everything that is known of a training, wherever it was kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..train.diagnosis.examination import Examination
from ..train.observation import LayerStatistics, Observation

__all__ = ["Evidence", "Watched"]

Series = tuple[float, ...]


@dataclass(frozen=True)
class Watched:
    """A layer over all observations."""

    path: str
    seen: tuple[LayerStatistics, ...]

    @property
    def kind(self) -> str:
        return self.seen[0].kind

    def values(self, name: str) -> Series:
        """A measure in each observation that has it."""
        found = (getattr(s, name) for s in self.seen)
        return tuple(v for v in found if v is not None and math.isfinite(v))

    def median(self, name: str, last: float = 1.0) -> float | None:
        """Of the ``last`` part of the observations; None where it was never measured."""
        values = self.values(name)
        values = values[-max(1, math.ceil(len(values) * last)) :]
        return statistics.median(values) if values else None


@dataclass(frozen=True)
class Evidence:
    """Of one training: the numbers of each epoch, observed steps, a look at model and data, the
    codes of findings in the data, the settings of a run by their keys, the error that ended it, and
    how many threads ran on how many processors (0 if nobody knows). Any of them may be missing."""

    history: Mapping[str, Series] = field(default_factory=dict)
    observations: tuple[Observation, ...] = ()
    examination: Examination | None = None
    findings: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    threads: int = 0
    processors: int = 0

    @property
    def looked_at(self) -> dict[str, int | bool]:
        """How much there was to look at."""
        epochs = len(self.losses)
        return {"epochs": epochs, "observations": len(self.observations),
                "data": self.examination is not None}  # fmt: skip

    @property
    def missing(self) -> tuple[str, ...]:
        """What there was nothing of, in words."""
        missing = []
        if not self.observations:
            missing.append("layers, as no step was observed (trainings under two seconds are not; "
                           'observe.every="10 steps" observes them)')  # fmt: skip
        if self.examination is None:
            missing.append("data and fit, as the data or the weights are not there")
        return tuple(missing)

    @property
    def batch(self) -> int:
        """Rows of a batch; 0 if nobody knows."""
        return self.examination.training.batch if self.examination is not None else 0

    @property
    def losses(self) -> Series:
        """The training loss of each epoch."""
        return self.history.get("loss", ())

    @property
    def validation(self) -> Series:
        """The validation loss of each epoch."""
        return self.history.get("val_loss", ())

    @cached_property
    def layers(self) -> tuple[Watched, ...]:
        """All layers that were observed, in the order in which they are called."""
        if not self.observations:
            return ()
        return tuple(
            Watched(path, tuple(o.layers[path] for o in self.observations if path in o.layers))
            for path in self.observations[-1].layers
        )

    @cached_property
    def weighted(self) -> tuple[Watched, ...]:
        """Those with weights that multiply: no norms, no embeddings."""
        others = ("Norm", "Embedding", "PReLU")
        return tuple(
            layer
            for layer in self.layers
            if layer.values("weight") and not any(o in layer.kind for o in others)
        )

    def total(self, name: str) -> Series:
        """The norm over all layers in each observation."""
        sums: list[float] = []
        for observation in self.observations:
            values = [getattr(s, name) for s in observation.layers.values()]
            known = [v for v in values if v is not None]
            sums.append(math.sqrt(sum(v * v for v in known)) if known else math.nan)
        return tuple(sums)

    @property
    def rates(self) -> Series:
        """The largest learning rate in each observation, else of each epoch."""
        seen = tuple(max(o.rates) for o in self.observations if o.rates)
        return seen or self.history.get("lr", ())


def falls(values: Sequence[float]) -> float:
    """By which share of its start a series has fallen at its end."""
    return (values[0] - values[-1]) / abs(values[0]) if values and values[0] else 0.0
