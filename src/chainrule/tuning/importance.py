"""Which settings mattered, as Optuna measures it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..runs.space import Parameter
from .library import optuna
from .suggesting import Trial, distributions, frozen_trial

__all__ = ["Importance", "importance_of"]

#: complete trials below which shares would be noise
LEAST = 8


@dataclass(frozen=True)
class Importance:
    """``shares`` of the parameters, largest first, by a ``method``; or ``words`` on why not."""

    method: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    words: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "shares": dict(self.shares)}


def importance_of(
    parameters: Mapping[str, Parameter], trials: Sequence[Trial], rises: bool
) -> Importance:
    """By fANOVA (Hutter et al. 2014), for which scikit-learn grows the trees, or without it by
    PED-ANOVA (Watanabe et al. 2023)."""
    known = distributions(parameters)
    usable = [t for t in trials if t.state == "complete" and t.chosen.keys() == known.keys()]
    if len(usable) < LEAST:
        return Importance(
            words=f"Importance takes {LEAST} trials that came to an end; there are {len(usable)}."
        )
    study = optuna.create_study(direction="maximize" if rises else "minimize")
    study.add_trials([frozen_trial(trial, known) for trial in usable])
    evaluators = optuna.importance
    evaluator: optuna.importance.BaseImportanceEvaluator
    if importlib.util.find_spec("sklearn") is not None:
        method, evaluator = "fANOVA", evaluators.FanovaImportanceEvaluator(seed=0)
    else:
        # The share of the best is larger than usual: there are few trials.
        method = "PED-ANOVA"
        evaluator = evaluators.PedAnovaImportanceEvaluator(target_quantile=0.25)
    try:
        shares = evaluators.get_param_importances(study, evaluator=evaluator)
    except (ValueError, RuntimeError) as error:
        return Importance(words=f"Importance cannot be told from these trials: {error}")
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return Importance(method, {name: float(share) for name, share in ranked})
