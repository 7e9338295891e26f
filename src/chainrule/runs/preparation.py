"""From settings to a new trainer: data opened and prepared, a network built for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..arguments import user_path
from ..frontend import default_generator, manual_seed
from ..train import Trainer
from .hidden_folder import unwritable
from .modality import Modality, Opened, Prepared
from .settings.document import RunSettings
from .trainer import make_trainer

__all__ = ["new_trainer", "open_data", "prepare_data", "run_facts", "runs_folder",
           "seeded_generator", "source_name"]  # fmt: skip

S = TypeVar("S", bound=RunSettings)


def runs_folder(settings: RunSettings) -> Path | None:
    """Where run folders go; None if nothing is to be written."""
    path = settings.output.runs_dir
    return user_path(path, "output.runs_dir") if path else None


def source_name(settings: RunSettings) -> str:
    """What to call the data while it is read."""
    return settings.data.path or settings.name or "the data"


def open_data(
    kind: Modality[S, Any], settings: S, source: object, folder: Path | None
) -> Opened[S]:
    """The data of a training. StateError if ``folder`` has no room for what memory cannot hold."""
    try:
        return kind.open(settings, source, folder)
    except OSError as error:
        raise unwritable(folder or Path(), error) from None


def prepare_data(data: Opened[S], settings: S | None, folder: Path | None) -> Prepared[S]:
    """Opened data, prepared with ``settings`` or its own. Raises what `open_data` raises."""
    try:
        return data.prepare(settings or data.settings, folder)
    except OSError as error:
        raise unwritable(folder or Path(), error) from None


def new_trainer(kind: Modality[S, Any], prepared: Prepared[S], rows: int | None = None) -> Trainer:
    """A trainer for a network with its initial weights, as the settings describe both, for so many
    ``rows``; by default those of the training part."""
    settings = prepared.settings
    with seeded_generator(2 * settings.seed):
        model = kind.build(prepared.preprocessor, settings)
        kind.fit_network(model, prepared)
    metric: Any = settings.train.metric
    if metric == "auto":
        metric = kind.goal(prepared.preprocessor).monitored_metric
    return make_trainer(
        model, kind.loss(prepared), [metric], settings.train,
        prepared.sizes["train"] if rows is None else rows, settings.seed, kind.transform(prepared),
    )  # fmt: skip


def run_facts(kind: Modality[S, Any], prepared: Prepared[S]) -> dict[str, Any]:
    """The task, data, split and model of a run, for ``run.json`` and `Modality.describe`."""
    data, goal = prepared.settings.data, kind.goal(prepared.preprocessor)
    return {
        "task": goal.name,
        "classes": list(goal.labels),
        "data": {
            **({} if kind.is_default else {"kind": kind.name}),
            "name": prepared.name,
            "path": data.path,
            "fingerprint": prepared.fingerprint,
            **prepared.data_facts(),
            "target": data.target,
        },
        "split": prepared.sizes,
        "model": prepared.model_facts(),
    }


@contextlib.contextmanager
def seeded_generator(seed: int) -> Iterator[None]:
    """Inside, the default generator starts from ``seed``; afterwards its state is restored."""
    state = default_generator.get_state()
    manual_seed(seed)
    try:
        yield
    finally:
        default_generator.set_state(state)
