"""The trainer that the settings of a run on a table describe."""

from __future__ import annotations

from collections.abc import Callable

from ... import optim
from ...data import Preprocessor
from ...errors import ConfigError
from ...frontend import Tensor
from ...nn import functional as F
from ...nn import mixup
from ...runs.settings.training import TrainSettings
from ...runs.trainer import Batch, trainer_of
from ...train import Trainer
from .network import TableNet
from .settings import Settings

__all__ = ["judging_trainer", "new_trainer"]


def judging_trainer(model: TableNet, pipeline: Preprocessor, settings: Settings) -> Trainer:
    """A trainer that predicts and judges; what only training needs is left out."""
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    return Trainer(model, settings.train.objective, optimizer, _shown(pipeline))


def new_trainer(model: TableNet, pipeline: Preprocessor, settings: Settings, rows: int) -> Trainer:
    """A trainer for ``model`` on ``rows`` training rows, with all that the settings ask for.

    Raises ConfigError for settings that do not fit one another, the run or the table.
    """
    chosen = settings.train
    transform = _transform(pipeline, chosen)
    return trainer_of(
        Trainer, model, chosen.objective, _shown(pipeline), chosen, rows, settings.seed, transform
    )


def _shown(pipeline: Preprocessor) -> list[str]:
    return ["r2"] if pipeline.schema.task == "regression" else ["accuracy"]


def _transform(pipeline: Preprocessor, chosen: TrainSettings) -> Callable[..., Batch] | None:
    """What happens to a batch before it is trained: noise, smoothed labels, mixed rows."""
    kept, smoothing = chosen.regularization, chosen.label_smoothing
    if not (kept.input_noise or kept.mixup or smoothing):
        return None
    if kept.mixup and pipeline.code_names:
        raise ConfigError(
            "mixup mixes numbers, and the table has categories",
            where=", ".join(pipeline.code_names[:5]),
            help="leave train.regularization.mixup at 0, or those columns out",
        )
    classes = len(pipeline.classes) if pipeline.schema.task == "multiclass" else 0

    def transform(*batch: Tensor) -> Batch:
        *inputs, target = batch
        if kept.input_noise and pipeline.names:
            inputs[0] = F.gaussian_noise(inputs[0], kept.input_noise)
        if classes and (smoothing or kept.mixup):
            target = F.one_hot(target, classes).float()
        if smoothing:
            # Half of it for either of two classes: Szegedy et al. 2016, section 7.
            target = target * (1 - smoothing) + smoothing / (classes or 2)
        if kept.mixup:
            mixed = mixup(inputs[0], target, kept.mixup)
            return mixed.x, mixed.target
        return (*inputs, target)

    return transform
