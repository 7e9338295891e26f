"""The sections of ``run.toml`` about training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from ...errors import ConfigError, meant
from ...frontend.operations.creation import zeros
from ...optim import make as make_optimizer
from ..task import Task
from . import defaults, methods
from .fields import About, SettingError, Within
from .section import Choice, Section
from .sections import Auto

__all__ = [
    "AverageSettings",
    "ClipSettings",
    "ConvergenceSettings",
    "EarlyStoppingSettings",
    "GradientNoiseSettings",
    "GuardSettings",
    "LookaheadSettings",
    "Loss",
    "MostEpochs",
    "OneCycleSettings",
    "OptimizerSettings",
    "RegularizationSettings",
    "ScheduleSettings",
    "TrainSettings",
]

Loss = Literal[
    "bce_with_logits", "cross_entropy", "mse", "l1", "huber", "smooth_l1", "pinball", "ctc"
]  # fmt: skip

ONE_CYCLE = "one_cycle"
VAL_LOSS = "val_loss"
#: other names of metrics
OTHER_METRICS: Mapping[str, str] = {"auc": "roc_auc", "logloss": "log_loss"}

Amount = Annotated[float, Within(0.0)]
Epochs = Annotated[int, Within(1, 1_000_000)]
MostEpochs = Annotated[Epochs, About("maximum number of epochs")]
Rate = Annotated[float, Within(1e-12, 1e3)]


@dataclass(frozen=True)
class OptimizerSettings(Choice):
    """The optimizer."""

    TABLE: ClassVar[str] = "train.optimizer"
    NOUN: ClassVar[str] = "optimizer"

    #: AdamW's, where it is not the usual one
    WEIGHT_DECAY: ClassVar[float | None] = None

    name: str = defaults.OPTIMIZER

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        known = methods.optimizers()
        if cls.WEIGHT_DECAY is None:
            return known
        return {**known, "adamw": {**known["adamw"], "weight_decay": cls.WEIGHT_DECAY}}

    def check(self) -> None:
        # The optimizer knows the ranges of its settings.
        make_optimizer(self.name, [zeros(2, 2)], **self.settings)


@dataclass(frozen=True)
class ScheduleSettings(Choice):
    """The learning rate schedule."""

    TABLE: ClassVar[str] = "train.schedule"
    NOUN: ClassVar[str] = "schedule"
    UNSET: ClassVar[str] = "auto"

    name: str = "constant"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        return methods.schedules()


@dataclass(frozen=True)
class OneCycleSettings(ScheduleSettings):
    """The learning rate schedule."""

    name: str = ONE_CYCLE


@dataclass(frozen=True)
class LookaheadSettings(Section):
    """Lookahead: slow weights that follow those of the optimizer."""

    TABLE: ClassVar[str] = "train.lookahead"

    k: Annotated[
        Annotated[int, Within(0, 1_000_000)],
        About("steps between updates of the slow weights; 0: off"),
    ] = 0
    alpha: Annotated[
        Annotated[float, Within(1e-6, 1.0)],
        About("how far they move towards the fast weights, 0 to 1"),
    ] = 0.5


@dataclass(frozen=True)
class GradientNoiseSettings(Section):
    """Gradient noise with decaying variance eta / (1 + step)**gamma."""

    TABLE: ClassVar[str] = "train.gradient_noise"

    eta: Annotated[Amount, About("variance in the first step; 0: off")] = 0.0
    gamma: Annotated[Amount, About("how fast the variance decays")] = 0.55


@dataclass(frozen=True)
class AverageSettings(Choice):
    """Averages of the weights, used for predictions instead of the weights themselves. ``ema`` is
    updated in every step; ``swa`` starts at the end of epoch ``start`` and averages the weights
    once every ``every`` epochs."""

    TABLE: ClassVar[str] = "train.average"
    NOUN: ClassVar[str] = "average"
    KEY: ClassVar[str] = "kind"

    name: str = "none"

    @classmethod
    def options(cls) -> Mapping[str, Mapping[str, Any]]:
        return methods.averages()


@dataclass(frozen=True)
class ClipSettings(Section):
    """Gradient clipping; 0: off."""

    TABLE: ClassVar[str] = "train.clip"

    norm: Annotated[Amount, About("maximum norm of each parameter's gradient")] = 0.0
    global_norm: Annotated[Amount, About("maximum norm of all gradients together")] = 0.0
    value: Annotated[Amount, About("maximum absolute value of an element")] = 0.0
    adaptive: Annotated[
        Amount, About("maximum ratio of a unit's gradient norm to its weight norm")
    ] = 0.0

    @property
    def active(self) -> dict[str, float]:
        """The bound that is set, if there is one."""
        return {name: value for name, value in vars(self).items() if value > 0}

    def check(self) -> None:
        if len(self.active) > 1:
            raise ConfigError(
                "`train.clip` sets more than one bound",
                help="set one of norm, global_norm, value and adaptive; 0 sets none",
            )


@dataclass(frozen=True)
class RegularizationSettings(Section):
    """Regularization, against overfitting."""

    TABLE: ClassVar[str] = "train.regularization"

    l1: Annotated[Amount, About("adds this times the sum of |w| to the loss")] = 0.0
    l2: Annotated[Amount, About("adds this times half the sum of w squared to the loss")] = 0.0
    max_norm: Annotated[Amount, About("maximum norm of a unit's weights; 0: off")] = 0.0
    input_noise: Annotated[Amount, About("standard deviation of noise added to the inputs")] = 0.0
    mixup: Annotated[Amount, About("alpha of mixup's Beta distribution; 0: off")] = 0.0


@dataclass(frozen=True)
class EarlyStoppingSettings(Section):
    """Stops training when the monitored metric stops improving."""

    TABLE: ClassVar[str] = "train.early_stopping"

    monitor: Annotated[str, About("loss, val_loss, val_accuracy (classes) or val_r2")] = "val_loss"
    patience: Annotated[Epochs, About("stop after this many epochs without improvement")] = (
        defaults.PATIENCE
    )
    min_delta: Annotated[Amount, About("smallest change that counts as an improvement")] = 0.0
    restore_best: Annotated[bool, About("whether to restore the weights of the best epoch")] = True


@dataclass(frozen=True)
class ConvergenceSettings(Section):
    """Stops training when it has converged; 0: off."""

    TABLE: ClassVar[str] = "train.convergence"

    loss: Annotated[
        Amount, About("change of the loss in an epoch; relative if the loss is above 1")
    ] = 0.0
    gradient: Annotated[Amount, About("norm of the gradient over all training examples")] = 0.0
    parameters: Annotated[Amount, About("change of the weights in an epoch")] = 0.0
    patience: Annotated[Epochs, About("consecutive epochs for which this must hold")] = 1

    @property
    def tolerances(self) -> dict[str, float]:
        """The tolerances that are set."""
        return {n: v for n, v in vars(self).items() if n != "patience" and v > 0}


@dataclass(frozen=True)
class GuardSettings(Section):
    """Rolls back to the last good epoch when training diverges, and lowers the learning rate."""

    TABLE: ClassVar[str] = "train.guard"

    most: Annotated[
        Annotated[int, Within(0, 100)], About("maximum number of rollbacks; 0: off")
    ] = 0
    lr_factor: Annotated[
        Annotated[float, Within(1e-6, 0.999)],
        About("multiplies the learning rate at each rollback"),
    ] = 0.5
    factor: Annotated[
        Annotated[float, Within(1.001)], About("a loss this many times the best one is bad")
    ] = 3.0
    patience: Annotated[Epochs, About("consecutive bad epochs that count as divergence")] = 3


@dataclass(frozen=True)
class TrainSettings(Section):
    """Training."""

    # A kind of data may have defaults of its own, and leave out what has no meaning for it:
    TABLE: ClassVar[str] = "train"
    #: what its examples are called
    UNITS: ClassVar[str] = "examples"
    #: the losses that can be chosen; (): all that fit the task
    LOSSES: ClassVar[tuple[str, ...]] = ()
    #: regularization that it cannot use, and what to do instead
    INSTEAD: ClassVar[Mapping[str, str]] = {}
    #: the peak of one cycle, as a multiple of a constant rate
    PEAK: ClassVar[float] = 1.0

    epochs: MostEpochs = defaults.EPOCHS
    batch_size: Annotated[
        Annotated[int, Within(0, 1 << 24)] | Literal["all"] | Auto,
        About("examples per step; 1: stochastic, all (or 0): full batch"),
    ] = "auto"
    lr: Annotated[Rate | Auto, About("learning rate")] = "auto"
    loss: Annotated[Loss | Auto, About("auto: set by the task")] = "auto"
    metric: Annotated[
        str,
        About("what chooses the epoch and when to stop, on validation data: f1, roc_auc, ...; "
              "auto: the loss"),
    ] = "auto"  # fmt: skip
    accumulate: Annotated[
        Annotated[int, Within(1, 100_000)],
        About("batches whose gradients are accumulated into one step"),
    ] = 1
    parts: Annotated[
        Annotated[int, Within(0, 16)] | Auto,
        About("parts of a batch whose gradients are summed along a tree, so that workers can share "
              "them; 0: whole batches"),
    ] = 0  # fmt: skip
    label_smoothing: Annotated[
        Annotated[float, Within(0.0, 0.95)], About("fraction of the target spread over all classes")
    ] = 0.0
    refit: Annotated[
        bool,
        About("train once more on all examples, for as many epochs as were best; metrics stay "
              "those of the training before"),
    ] = False  # fmt: skip
    time_limit: Annotated[Amount, About("seconds after which training stops; 0: no limit")] = 0.0
    stop_after: Annotated[
        Annotated[int, Within(0, 1 << 30)],
        About("epochs after which training stops, whatever the schedule is planned for; 0: none"),
    ] = 0
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    lookahead: LookaheadSettings = field(default_factory=LookaheadSettings)
    gradient_noise: GradientNoiseSettings = field(default_factory=GradientNoiseSettings)
    clip: ClipSettings = field(default_factory=ClipSettings)
    regularization: RegularizationSettings = field(default_factory=RegularizationSettings)
    average: AverageSettings = field(default_factory=AverageSettings)
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)
    convergence: ConvergenceSettings = field(default_factory=ConvergenceSettings)
    guard: GuardSettings = field(default_factory=GuardSettings)

    def check(self) -> None:
        if self.batch_size == 0:
            object.__setattr__(self, "batch_size", "all")
        if self.time_limit == math.inf:
            object.__setattr__(self, "time_limit", 0.0)
        if self.LOSSES and self.loss not in ("auto", *self.LOSSES):
            losses = " or ".join(self.LOSSES)
            raise ConfigError(f"`train.loss` is {self.loss!r}", help=f"{self.UNITS} use {losses}")
        for name, instead in self.INSTEAD.items():
            if getattr(self.regularization, name):
                key = f"train.regularization.{name}"
                raise SettingError(key, f"`{key}` does not apply to {self.UNITS}", help=instead)

    def usual_batch_size(self, rows: int) -> int:
        """The size of a batch for so many training examples; 0 for all."""
        return defaults.batch_size_for(rows, self.optimizer.name)

    def usual_lr(self, rows: int) -> float:
        """The learning rate for so many training examples."""
        rate = defaults.lr_for(self.optimizer.name, rows)
        return self.PEAK * rate if self.schedule.name == ONE_CYCLE else rate

    def resolved(self, rows: int, task: type[Task]) -> Self:
        """The same without ``auto``: decided by the number of training rows and the task.

        Raises ConfigError for a loss that does not fit the task.
        """
        if self.loss not in ("auto", *task.losses):
            raise ConfigError(
                f"the loss {self.loss} does not fit a {task.name} target",
                help=f"use {' or '.join(task.losses)}, or another task",
            )
        auto = self.batch_size == "auto"
        metric = self._metric_for(task)
        stopping = self.early_stopping
        if metric != "auto" and stopping.monitor == VAL_LOSS:
            stopping = replace(stopping, monitor=f"val_{metric}")
        computed = ("loss", VAL_LOSS, f"val_{task.monitored if metric == 'auto' else metric}")
        if stopping.monitor not in computed:
            other = stopping.monitor.removeprefix("val_")
            help = (
                f"set train.metric={other}, which computes it, and leave out the monitor"
                if other in task.selectable
                else f"{meant(stopping.monitor, computed)}computed: {', '.join(computed)}"
            )
            raise ConfigError(
                f"`train.early_stopping.monitor` is {stopping.monitor!r}, which is not computed",
                help=help,
            )
        return self.changed(
            metric=metric,
            early_stopping=stopping,
            batch_size=self.usual_batch_size(rows) if auto else self.batch_size,
            lr=self.usual_lr(rows) if self.lr == "auto" else self.lr,
            loss=task.losses[0] if self.loss == "auto" else self.loss,
        )

    def _metric_for(self, task: type[Task]) -> str:
        """``metric`` by its full name. ConfigError for one that does not fit the task."""
        metric = OTHER_METRICS.get(self.metric, self.metric)
        if metric != "auto" and metric not in task.selectable:
            known = ", ".join(task.selectable)
            raise ConfigError(
                f"the metric {self.metric} does not fit a {task.name} target",
                help=f"{meant(metric, task.selectable)}use one of {known}"
                if known
                else "leave out train.metric",
            )
        return metric

    def unregularized(self) -> Self:
        """The same without weight decay, noise, averages and the like; see `RunSettings`."""
        settings = dict(self.optimizer.settings)
        for name in ("weight_decay", "temperature"):
            if name in settings:
                settings[name] = 0.0
        return replace(
            self,
            accumulate=1,
            label_smoothing=0.0,
            optimizer=replace(self.optimizer, settings=settings),
            schedule=type(self.schedule)("constant"),
            lookahead=LookaheadSettings(),
            gradient_noise=GradientNoiseSettings(),
            regularization=RegularizationSettings(),
            average=AverageSettings(),
        )

    @property
    def rate(self) -> float:
        """``lr``, once decided."""
        assert not isinstance(self.lr, str)
        return self.lr

    @property
    def batch(self) -> int | None:
        """Rows in one step, once decided; None for all rows."""
        assert self.batch_size != "auto"
        return None if isinstance(self.batch_size, str) else self.batch_size

    @property
    def objective(self) -> Loss:
        """``loss``, once decided."""
        assert self.loss != "auto"
        return self.loss
