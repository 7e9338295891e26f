"""What a search has come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..phrasing import plain_number
from ..runs.predictor import Predictor
from ..runs.settings.document import RunSettings
from .importance import Importance, importance_of
from .search import Search
from .suggesting import Trial

__all__ = ["Tuned", "best_of"]


def best_of(trials: Sequence[Trial], rises: bool) -> Trial | None:
    """The best of those that came to an end, the first of several; None if none did."""
    complete = [t for t in trials if t.state == "complete" and t.value == t.value]
    if not complete:
        return None
    return min(complete, key=lambda t: (-t.value if rises else t.value, t.index))


@dataclass(frozen=True)
class Tuned:
    """The result of tuning.

    Attributes:
        run: the folder of the search, with ``best.toml``, ``tuning.html`` and ``study.db``.
        objective: what was improved on validation data, ``val_loss`` unless a metric was asked for.
        trials: all that were tried, in order; the first has the settings as they were.
        best: the best one that came to an end; None if none did.
        settings: its settings, those of ``best.toml``.
        changes: those that were varied, by dotted key.
        usual: the same before.
        predictor: of the run of the best settings, which alone has seen the test part; None where
            the search was interrupted.
        importance: the share of each setting in the differences.
    """

    run: Path
    name: str
    objective: str
    rises: bool
    trials: tuple[Trial, ...]
    best: Trial | None
    settings: RunSettings | None
    changes: Mapping[str, Any]
    usual: Mapping[str, Any]
    space: Mapping[str, Any]
    predictor: Predictor[Any, Any, Any] | None
    importance: Importance

    @classmethod
    def of(
        cls,
        search: Search,
        folder: Path,
        trials: Sequence[Trial],
        predictor: Predictor[Any, Any, Any] | None,
    ) -> Tuned:
        """From trials of a search in ``folder``."""
        best, space = best_of(trials, search.rises), search.space
        return cls(
            folder, search.prepared.name, search.objective, search.rises, tuple(trials), best,
            predictor.settings if predictor else space.settings(best.chosen) if best else None,
            space.changes(best.chosen) if best else {}, space.changes({}), space.to_document(),
            predictor, importance_of(space.parameters(), trials, search.rises),
        )  # fmt: skip

    @property
    def best_value(self) -> float:
        """The objective of the best trial; NaN if there is none."""
        return self.best.value if self.best is not None else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "format": "chainrule.tuning",
            "version": 1,
            "run": str(self.run),
            "name": self.name,
            "objective": self.objective,
            "direction": "maximize" if self.rises else "minimize",
            "space": self.space,
            "best": None
            if self.best is None
            else {"trial": self.best.index + 1, "value": self.best.value,
                  "settings": self.changes},
            "usual": self.usual,
            "winner": None
            if self.predictor is None
            else {"run": str(self.predictor.run), "metrics": self.predictor.metrics},
            "importance": self.importance.to_dict(),
            "trials": [
                {"trial": t.index + 1, "state": t.state, "value": t.value, "epochs": len(t.values),
                 "best_epoch": t.best + 1, "seconds": t.seconds, "parameters": dict(t.chosen),
                 **({"error": t.error} if t.error else {})}
                for t in self.trials
            ],
        }  # fmt: skip

    def __repr__(self) -> str:
        best = f"; best {self.objective} {plain_number(self.best_value)}" if self.best else ""
        return f"Tuned({len(self.trials)} trials{best}; {self.run})"
