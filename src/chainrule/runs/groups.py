"""The same training several times, with other seeds or other folds, and a summary of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import ConfigError
from ..phrasing import plain_number
from .carriers import Carrier
from .group_folder import GroupFolder
from .group_members import GroupMembers, check_carried, reopened
from .group_predictor import common_metrics
from .listeners import Listener
from .modality import Modality
from .predictor import Predictor
from .preparation import open_data, runs_folder, source_name
from .settings.arguments import to_python
from .settings.document import RunSettings

__all__ = ["Repeated", "list_seeds", "member_settings", "repeat", "resume_group"]

Summary = Mapping[str, Mapping[str, float]]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


@dataclass(frozen=True)
class Repeated(Generic[P]):
    """The result of several trainings: their ``predictors``, their ``names`` (``seed-3``,
    ``fold-2``), and ``mean``, ``std``, ``min`` and ``max`` of each metric on the test part.

    The standard deviation is that of a sample, with n - 1; NaN for a single training. ``run`` is
    the group's folder with the run folders in it, if there is one. ``together`` are the metrics of
    the mean of all on the part that all were tested on: empty with folds, and where the outputs of
    the networks have no mean.
    """

    predictors: tuple[P, ...]
    names: tuple[str, ...]
    summary: Summary
    run: Path | None
    together: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: s["mean"] for name, s in self.summary.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each metric."""
        return {name: s["std"] for name, s in self.summary.items()}

    def __repr__(self) -> str:
        metrics = ", ".join(
            f"{name} {plain_number(s['mean'])} ± {plain_number(s['std'])}"
            for name, s in self.summary.items()
        )
        return f"Repeated({len(self.predictors)} runs; {metrics})"


def repeat(
    kind: Modality[S, P],
    settings: S,
    source: object,
    seeds: int | Sequence[int] | None,
    folds: int | None,
    listener: Listener,
    carrier: Carrier | None = None,
) -> Repeated[P]:
    """`training.train` once for each seed and fold; the data is read once. With a ``carrier``,
    trainings are done elsewhere, to the same bits, and their folders written here."""
    seeds = list_seeds(settings.seed, seeds)
    # Mistakes in seeds and folds are raised before the data is read, those of the split before
    # anything is written.
    member_settings(settings, seeds, folds)
    if kind.by_target(settings):
        raise ConfigError(
            "several targets cannot be combined with --seeds or --folds",
            help="leave them out, or train one target at a time",
        )
    if kind.bagged(settings):
        raise ConfigError(
            "an ensemble of folds cannot be repeated with other seeds or folds",
            help="leave out --seeds and --folds, or set ensemble.folds to 0 (preset good does)",
        )
    check_carried(settings, carrier)
    with listener.staged(f"reading {source_name(settings)}"):
        data = open_data(kind, _with_one_split(settings, seeds), source, runs_folder(settings))
    planned = member_settings(data.settings, seeds, folds)
    data.divide(next(iter(planned.values())))
    group = GroupFolder.create(data.settings, list(planned), seeds=seeds, folds=folds)
    return _train_all(GroupMembers(kind, group, planned, lambda: data, listener, source, carrier))


def _with_one_split(settings: S, seeds: Sequence[int] | None) -> S:
    """With seeds, all members are tested on the same part, unless each is to have its own split."""
    if seeds is None or getattr(settings.data, "split_seed", "") != "auto":
        return settings
    return settings.changed(data=settings.data.changed(split_seed=settings.seed))


def resume_group(
    kind: Modality[S, P], folder: Path, source: object, listener: Listener
) -> Repeated[P]:
    """Resumes a group that was interrupted; the result is what `repeat` would have given.

    Trainings that are done are loaded, those that were interrupted resume from their newest
    checkpoint, and the others start. Raises StateError for a folder that is not a group, or for
    data that is gone.
    """

    def plan(settings: S, facts: Mapping[str, Any]) -> Mapping[str, S]:
        return member_settings(settings, facts["seeds"], facts["folds"])

    return _train_all(reopened(kind, folder, source, listener, plan))


def _train_all(members: GroupMembers[S, P]) -> Repeated[P]:
    """Every training of a group, one after the other, their summary, and what all say together
    of the part that they were tested on, if that is the same for all."""
    group, planned, predictors = members.group, members.planned, members.predictors
    splits = {(m.split_seed, m.data.fold) for m in planned.values()}
    with members.recorded():
        for name in planned:
            members.train(name)
        if len(splits) == 1 and len(planned) > 1:
            each, first = list(predictors.values()), next(iter(planned))
            if each[0].goal.averages and "together" not in group.facts:
                group.facts["together"] = common_metrics(each, members.prepared(first))
    facts = group.update("done", predictors)
    members.listener.repeated(facts, group.path)
    return Repeated(
        tuple(predictors.values()), tuple(predictors), facts["summary"], group.path,
        facts.get("together", {}),
    )  # fmt: skip


def list_seeds(first: int, seeds: int | Sequence[int] | None) -> list[int] | None:
    """A number of seeds as a list: ``first``, ``first + 1``, ..."""
    seeds = to_python(seeds)
    if isinstance(seeds, int):
        seeds = range(first, first + seeds)
    return None if seeds is None else list(map(to_python, seeds))


def member_settings(settings: S, seeds: Sequence[int] | None, folds: int | None) -> dict[str, S]:
    """The settings of each training, by its name. Raises ConfigError for invalid seeds or folds."""
    each_seed = [settings.seed] if seeds is None else list(seeds)
    if not each_seed or len(set(each_seed)) < len(each_seed):
        raise ConfigError(f"seeds are {each_seed}", help="give one or more, each once")
    if folds is not None and not (type(folds) is int and folds >= 2):
        raise ConfigError(f"folds is {folds!r}", help="expected a whole number from 2")
    each_fold = [()] if folds is None else [(k, folds) for k in range(1, folds + 1)]
    planned = {}
    for seed, fold in product(each_seed, each_fold):
        parts = [f"seed-{seed}"] if seeds is not None else []
        parts += [f"fold-{fold[0]}"] if fold else []
        name = "-".join(parts) or f"seed-{seed}"
        data = settings.data.changed(fold=fold or settings.data.fold)
        planned[name] = settings.changed(name=name, seed=seed, data=data)
    return planned
