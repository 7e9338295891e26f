"""An ensemble of networks, each trained on all folds of the data but one.

    rows for the test │ the others, in K folds ── each recipe K times, fold k held out
                                                        └─ predictions of rows held out
                                                           ─► weights, temperature, threshold

What is held out stops each training early, too, as it would alone. No row is kept from all of the
networks, but for the test. The runs lie in one folder, a group, which is one predictor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..phrasing import plain_number
from ..train import Scores
from .carriers import Carrier
from .group_folder import GroupFolder
from .group_members import GroupMembers, check_carried, reopened
from .group_predictor import mixed
from .listeners import Listener
from .mixture import best_temperature, greedy_weights
from .modality import Modality, Prepared, part_inputs
from .predictor import Predictor
from .preparation import open_data, runs_folder, source_name
from .settings.document import RunSettings
from .several import train_targets
from .task import Task
from .time_shares import TimeShares
from .training import train

__all__ = ["bag", "resume_bag", "start"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])
Answers = list[tuple[Task, Scores]]


def start(
    kind: Modality[S, P],
    settings: S,
    source: object,
    listener: Listener,
    carrier: Carrier | None = None,
) -> P:
    """Trains one network, an ensemble of them, or one for each of several targets, whatever
    ``settings`` ask for; with a ``carrier``, the networks of an ensemble elsewhere."""
    if kind.by_target(settings):
        return train_targets(kind, settings, source, listener)
    if kind.bagged(settings):
        return bag(kind, settings, source, listener, carrier)
    return train(kind, settings, source, listener)


def bag(
    kind: Modality[S, P],
    settings: S,
    source: object,
    listener: Listener,
    carrier: Carrier | None = None,
) -> P:
    """Trains the ensemble that ``settings`` describe, to the same bits with a ``carrier``. Raises
    what `training.train` raises."""
    check_carried(settings, carrier)
    if carrier is not None and settings.train.time_limit:
        raise ConfigError(
            "several networks at a time cannot share a time limit",
            help="leave out jobs and ray, or the time limit",
        )
    with listener.staged(f"reading {source_name(settings)}"):
        data = open_data(kind, settings, source, runs_folder(settings))
    planned = _planned(kind, data.settings)
    data.divide(next(iter(planned.values())))
    group = GroupFolder.create(
        data.settings, list(planned), seeds=None, folds=None, recipes=_recipes(planned)
    )
    return _train_all(GroupMembers(kind, group, planned, lambda: data, listener, source, carrier))


def resume_bag(kind: Modality[S, P], folder: Path, source: object, listener: Listener) -> P:
    """Resumes an ensemble that was interrupted; the result is what `bag` would have given."""
    return _train_all(
        reopened(kind, folder, source, listener, lambda own, facts: _planned(kind, own))
    )


def _planned(kind: Modality[S, Any], settings: S) -> dict[str, S]:
    """The settings of each training by its name, ``<recipe>-fold-<k>``, fold after fold."""
    bagged = kind.bagged(settings)
    return {
        f"{recipe}-fold-{k}": own.changed(name=f"{recipe}-fold-{k}")
        for k, fold in enumerate(zip(*bagged.values(), strict=True), 1)
        for recipe, own in zip(bagged, fold, strict=True)
    }


def _recipes(planned: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name.rpartition("-fold-")[0] for name in planned))


@dataclass
class _HeldOut:
    """What the networks of one recipe say of rows that they were not trained on: each of those
    ``rows`` once, from the network that did not know it. ``tested``: of the test part, from all."""

    rows: list[npt.NDArray[np.int64]] = field(default_factory=list)
    truth: list[npt.NDArray[Any]] = field(default_factory=list)
    answers: Answers = field(default_factory=list)
    tested: Answers = field(default_factory=list)

    def add(self, kind: Modality[Any, Any], prepared: Prepared[Any], predictor: Any) -> None:
        goal: Task = predictor.goal
        self.rows.append(kind.row_numbers(prepared))
        self.truth.append(goal.truth(prepared.target("validation")))
        self.answers.append((goal, predictor.scores_of(part_inputs(prepared.validation))))
        if prepared.sizes["test"]:
            self.tested.append((goal, predictor.scores_of(part_inputs(prepared.test))))

    def in_order(self, goal: Task) -> tuple[npt.NDArray[Any], Scores]:
        """Truth and common outputs of all rows, in the order of the table."""
        order = np.argsort(np.concatenate(self.rows), kind="stable")
        each = [goal.together([answer]) for answer in self.answers]
        outputs = np.concatenate([scores.values for scores in each])[order]
        return np.concatenate(self.truth)[order], Scores(outputs, each[0].link)


def _train_all(members: GroupMembers[S, P]) -> P:
    """Every training, fold after fold, and what their predictions of held-out rows decide."""
    recipes = _recipes(members.planned)
    held = {recipe: _HeldOut() for recipe in recipes}
    names = list(members.planned)
    prepared: Prepared[S] | None = None
    limit = members.planned[names[0]].train.time_limit
    time = TimeShares(limit, len(names) // len(recipes), len(recipes))
    with members.recorded():
        for i, name in enumerate(names):
            if i and i % len(recipes) == 0 and not time.another_fold():
                break
            members.limit(name, time.next_limit())
            predictor = members.train(name, aloud=i == 0)
            time.ended()
            prepared = members.prepared(name)
            held[name.rpartition("-fold-")[0]].add(members.kind, prepared, predictor)
        assert prepared is not None
        whole = _decide(members, held, prepared)
    if limit:
        _say_limits(members)
    facts = members.group.update("done", members.predictors)
    whole.run, whole.group_facts = members.group.path, dict(facts)
    for line in ensemble_lines(facts):
        members.listener.note(line)
    return whole


def _say_limits(members: GroupMembers[Any, Any]) -> None:
    """Where the clock has decided how many networks and epochs there were, says what gives the
    same bits without it."""
    epochs = {name: int(own.facts["epochs"]) for name, own in members.predictors.items()}
    members.group.facts |= {
        "planned": list(epochs),
        "limited": {"ensemble.epochs": epochs, "train.time_limit": 0.0},
    }
    members.listener.note(
        f"in this time {len(epochs)} of {len(members.planned)} networks were trained; the settings "
        "`limited` in group.json give the same bits again"
    )


def _decide(members: GroupMembers[S, P], held: Mapping[str, _HeldOut], prepared: Prepared[S]) -> P:
    """The predictor of all networks; writes to ``group.json`` what it consists of."""
    predictors = members.predictors
    goal = next(iter(predictors.values())).goal
    metric = prepared.settings.train.metric
    selected_by = goal.selected_by if metric == "auto" else metric
    ordered = {recipe: own.in_order(goal) for recipe, own in held.items()}
    truth = next(iter(ordered.values()))[0]
    scores = [own for _, own in ordered.values()]
    shares = greedy_weights(goal, selected_by, truth, scores)
    together = goal.together([(goal, own) for own in scores], shares)
    temperature = best_temperature(goal, truth, together)
    known = goal.tempered(together, temperature)
    goal = goal.tuned(metric, truth, known) if metric != "auto" else goal
    goal = goal.calibrated(truth, known)
    folds = len(predictors) // len(held)
    share_of = dict(zip(held, shares, strict=True))
    weights = {name: share_of[name.rpartition("-fold-")[0]] / folds for name in predictors}
    whole = mixed(predictors, weights, temperature, goal)
    out_of_fold = {recipe: goal.compute_metrics(truth, own) for recipe, (_, own) in ordered.items()}
    out_of_fold["together"] = goal.compute_metrics(truth, known)
    if prepared.sizes["test"]:
        counting = [name for name in weights if weights[name]]
        tested = [held[name.rpartition("-fold-")[0]].tested for name in counting]
        places = [int(name.rpartition("-")[2]) - 1 for name in counting]
        answers = [own[place] for own, place in zip(tested, places, strict=True)]
        judged = prepared.truth
        metrics = goal.compute_metrics(judged, whole.mixture.of(goal, answers))
    else:
        judged, metrics = truth, out_of_fold["together"]
    baseline = goal.baseline(prepared.target("train"), judged)
    members.group.facts |= {
        "together": metrics,
        "baseline": baseline,
        "ensemble": {
            "weights": weights, "temperature": temperature, "decisions": goal.decisions,
            "out_of_fold": out_of_fold, "recipes": share_of,
        },
    }  # fmt: skip
    whole.metrics, whole.baseline = dict(metrics), baseline
    return whole


def ensemble_lines(facts: Mapping[str, Any]) -> list[str]:
    """What an ensemble consists of and how good it is, in lines."""
    ensemble = facts["ensemble"]
    shares = ", ".join(
        f"{recipe} {share:.0%}" for recipe, share in ensemble["recipes"].items() if share
    )
    lines = [f"{len(facts['members'])} networks as one: {shares}"]
    if ensemble["temperature"] != 1:
        lines[-1] += f"; temperature {ensemble['temperature']:.3g}"
    for name, own in (("held out of a fold", ensemble["out_of_fold"]["together"]),
                      ("this model", facts["together"]),
                      ("a guess", facts["baseline"])):  # fmt: skip
        words = ", ".join(f"{metric} {plain_number(value)}" for metric, value in own.items())
        lines.append(f"{name}: {words}")
    return lines
