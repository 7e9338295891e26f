"""A network for each of several targets, in one folder, as one predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from .group_folder import GroupFolder
from .group_members import GroupMembers, reopened
from .listeners import Listener
from .modality import Modality
from .predictor import Predictor
from .preparation import open_data, runs_folder, source_name
from .settings.document import RunSettings

__all__ = ["resume_targets", "train_targets"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


def train_targets(kind: Modality[S, P], settings: S, source: object, listener: Listener) -> P:
    """Trains a network for each target that ``settings`` name; the data is read once."""
    with listener.staged(f"reading {source_name(settings)}"):
        data = open_data(kind, settings, source, runs_folder(settings))
    planned = kind.by_target(data.settings)
    for own in planned.values():  # mistakes are raised before anything is written
        data.divide(own)
    group = GroupFolder.create(
        data.settings, list(planned), seeds=None, folds=None, targets=list(planned)
    )
    return _train_all(GroupMembers(kind, group, planned, lambda: data, listener))


def resume_targets(kind: Modality[S, P], folder: Path, source: object, listener: Listener) -> P:
    """Resumes what was interrupted; the result is what `train_targets` would have given."""
    return _train_all(
        reopened(kind, folder, source, listener, lambda own, facts: kind.by_target(own))
    )


def _train_all(members: GroupMembers[S, P]) -> P:
    with members.recorded():
        for name in members.planned:
            members.train(name)
    facts = members.group.update("done", members.predictors)
    whole = members.kind.of_targets(list(members.predictors.values()), members.group.path)
    whole.group_facts = dict(facts)
    return whole
