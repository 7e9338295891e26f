"""Several targets of a table: a network for each, and one predictor of all of them.

Each network sees the columns that are no targets, and all rows that have its own: a row without one
target teaches the others. Targets may be numbers and classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError, StateError
from ...runs.folder import write_group_facts
from ...runs.hidden_folder import slug
from ...runs.predictor import Column, restored
from ...train import Scores
from .predictor import TablePredictor
from .settings import Settings

__all__ = ["TargetsPredictor", "by_target"]


def by_target(settings: Settings) -> Mapping[str, Settings]:
    """The settings of each network by its target; empty for a single target."""
    data = settings.data
    if not data.also:
        return {}
    targets = (data.target, *data.also)
    if settings.ensemble.folds:
        raise ConfigError(
            "an ensemble of folds predicts one target",
            help="leave out data.also, or take preset good, whose networks are trained as one",
        )
    own = {}
    for target in targets:
        others = {name: "ignored" for name in targets if name != target}
        columns = {**{c: k for c, k in data.columns.items() if c not in others}, **others}
        changed = data.changed(target=target, also=(), columns=columns)
        own[target] = settings.changed(name=target, data=changed)
    return own


class TargetsPredictor(TablePredictor):
    """What ``fit`` returns for several targets; ``each`` is the predictor of every one.

    ``metrics`` and what `evaluate` gives have names such as ``r2 of price``; ``run`` is the folder
    around the runs. What asks for the probabilities of one set of classes, or the outputs of one
    network, has to ask one of ``each``.
    """

    def __init__(self, each: Sequence[TablePredictor], run: Path | None = None) -> None:
        vars(self).update(vars(each[0]))
        self.each = {predictor.target: predictor for predictor in each}
        self.run = run
        self.metrics = self._named(lambda one: one.metrics)
        self.baseline = self._named(lambda one: one.baseline)
        self.baselines = {}
        self.findings = tuple(dict.fromkeys(f for one in each for f in one.findings))

    def _named(self, of: Callable[[TablePredictor], Mapping[str, float]]) -> dict[str, float]:
        return {f"{m} of {t}": v for t, one in self.each.items() for m, v in of(one).items()}

    @property
    def target(self) -> str:
        """The names of all targets."""
        return ", ".join(self.each)

    @property
    def classes(self) -> tuple[Any, ...]:
        """Empty: each target has its own."""
        return ()

    def predict(self, table: object, *, query: str | None = None) -> npt.NDArray[Any]:
        """Labels and numbers, (rows, targets), in the order of ``each``."""
        found = [one.predict(table, query=query) for one in self.each.values()]
        alike = len({values.dtype.kind for values in found}) == 1
        parts = found if alike else [values.astype(object) for values in found]
        return np.stack(parts, axis=1)

    def predict_proba(self, table: object, *, query: str | None = None) -> npt.NDArray[np.float64]:
        """The probability of the second class of each target, (rows, targets), if all of them have
        two. ConfigError for others."""
        if any(len(one.classes) != 2 for one in self.each.values()):
            raise ConfigError(
                "not all targets have two classes, so their probabilities are no table",
                help="ask one of them: predictor.each[NAME].predict_proba(...)",
            )
        found = [one.predict_proba(table, query=query)[:, 1] for one in self.each.values()]
        return np.stack(found, axis=1)

    def evaluate(self, source: object, *, query: str | None = None) -> dict[str, float]:
        """The metrics of each target on the rows that have it."""
        return self._named(lambda one: one.evaluate(source, query=query))

    def scores(self, table: Any, rows: npt.NDArray[np.int64] | None = None) -> Scores:
        raise ConfigError(
            "several networks have no common outputs", help="ask one of them: predictor.each[NAME]"
        )

    def columns(
        self,
        source: object,
        proba: bool = False,
        *,
        query: str | None = None,
        keep: Sequence[str] = (),
        interval: float | None = None,
    ) -> list[Column]:
        """The columns to ``keep``, and those of each target, with its name at the end."""
        columns: list[Column] = []
        for target, one in self.each.items():
            sure = proba and bool(one.classes)
            own = one.columns(
                source, sure, query=query, keep=() if columns else keep,
                interval=None if one.classes else interval,
            )  # fmt: skip
            kept = 0 if columns else len(dict.fromkeys(keep))
            columns += own[:kept]
            columns += [(f"{name}_{target}", values) for name, values in own[kept:]]
            self.last_findings = tuple(dict.fromkeys((*self.last_findings, *one.last_findings)))
        return columns

    def _write_all(self, path: Path) -> None:
        if not self.group_facts:
            raise StateError(
                "this predictor was not trained or loaded here, so it is no run",
                help="save what `chainrule.fit` or `chainrule.load_run` gives",
            )
        members = {}
        for i, (target, one) in enumerate(self.each.items(), 1):
            folder = f"{i}-{slug(target)}"
            (path / folder).mkdir()
            one._write(path / folder)
            members[target] = {"run": folder, "metrics": one.metrics}
        facts = {key: value for key, value in self.group_facts.items() if key != "files"}
        write_group_facts(path, {**facts, "members": members})

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        each = tuple(one._plain() for one in self.each.values())
        return restored_targets, (each, dict(self.group_facts), str(self.run or ""))


def restored_targets(
    each: Sequence[tuple[Any, ...]], facts: Mapping[str, Any], run: str
) -> TargetsPredictor:
    """The predictor of several targets that was pickled."""
    predictors: list[Any] = [restored(*one) for one in each]
    whole = TargetsPredictor(predictors, Path(run) if run else None)
    whole.group_facts = facts
    return whole
