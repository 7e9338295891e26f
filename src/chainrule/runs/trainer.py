"""The trainer that the settings of a run describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import optim
from ..errors import ConfigError
from ..frontend import Tensor
from ..nn import Module
from ..nn.learning import LearningModule
from ..optim import Optimizer
from ..train import Callback, EarlyStopping, Trainer, muon_with_adamw
from ..train.callbacks import Converged, DivergenceGuard, LastEpoch, TimeLimit
from ..train.metrics import Metric
from .planning import make_schedule, steps_per_epoch
from .settings.training import TrainSettings

__all__ = ["make_callbacks", "make_optimizer", "make_trainer"]

Batch = tuple[Tensor, ...]


def make_trainer(
    model: Module,
    loss: Any,
    metrics: Sequence[str | Metric],
    settings: TrainSettings,
    rows: int,
    seed: int,
    transform: Callable[..., Batch] | None,
) -> Trainer:
    """A trainer as the section ``train`` of ``run.toml`` describes it, for ``rows`` examples."""
    penalties = settings.regularization
    max_norm: Callable[[list[Tensor]], None] = partial(
        optim.penalty.max_norm_, c=penalties.max_norm
    )
    return Trainer(
        model,
        loss,
        make_optimizer(model, settings, rows, seed),
        metrics,
        accumulate=settings.accumulate,
        clip=settings.clip.active or None,
        penalty=(
            optim.penalty.Penalty(penalties.l1, penalties.l2)
            if penalties.l1 or penalties.l2
            else None
        ),
        constraint=max_norm if penalties.max_norm else None,
        average=_make_average(model, settings, steps_per_epoch(settings, rows)),
        transform=transform,
        parts=settings.parts,
    )


def make_optimizer(model: Module, settings: TrainSettings, rows: int, seed: int) -> Optimizer:
    """The optimizer, inside gradient noise, inside lookahead, as far as these are switched on."""
    optimizer = _base_optimizer(model, settings, rows, seed)
    noise, lookahead = settings.gradient_noise, settings.lookahead
    evaluates_loss = isinstance(optimizer, optim.LBFGS | optim.SimulatedAnnealing)
    if (noise.eta or lookahead.k) and evaluates_loss:
        raise ConfigError(
            f"{settings.optimizer.name} evaluates the loss itself, so it cannot be combined with "
            "gradient noise or lookahead",
            help="leave train.gradient_noise.eta and train.lookahead.k at 0",
        )
    if noise.eta:
        optimizer = optim.GradientNoise(optimizer, noise.eta, noise.gamma, seed=seed)
    if lookahead.k:
        optimizer = optim.Lookahead(optimizer, lookahead.k, lookahead.alpha)
    return optimizer


def _base_optimizer(model: Module, settings: TrainSettings, rows: int, seed: int) -> Optimizer:
    schedule = make_schedule(settings, rows)
    constant = isinstance(schedule, optim.schedule.Constant)
    lr = settings.rate if constant else schedule
    name, options = settings.optimizer.name, settings.optimizer.settings
    if name == "muon":
        return muon_with_adamw(model, lr, **options)
    accepted = optim.settings_of(name)
    if "lr" not in accepted and not constant:
        raise ConfigError(
            f"{name} has no learning rate that a schedule could change",
            help='set train.schedule = "constant"',
        )
    of_run = {"lr": lr, "seed": seed, "examples": rows}
    of_run = {key: value for key, value in of_run.items() if key in accepted}
    parameters: Any = list(model.parameters())
    if isinstance(model, LearningModule) and "lr" in accepted:
        parameters = _groups(model, settings, rows)
    return optim.make(name, parameters, **of_run, **options)


def _groups(model: LearningModule, settings: TrainSettings, rows: int) -> list[dict[str, Any]]:
    """The parameters of a network that learn alike, with their own rates and weight decay."""
    groups: list[dict[str, Any]] = []
    options = settings.optimizer.settings
    for learning, parameters in model.by_learning().items():
        own = make_schedule(settings.changed(lr=settings.rate * learning.rate), rows)
        constant = isinstance(own, optim.schedule.Constant)
        group = {"params": parameters, "lr": own.lr_at(0) if constant else own}
        if "weight_decay" in options:
            group["weight_decay"] = options["weight_decay"] * learning.decay
        groups.append(group)
    return groups


def _make_average(
    model: Module, settings: TrainSettings, epoch_steps: int
) -> optim.EMA | optim.SWA | None:
    options = settings.average.settings
    if settings.average.name == "ema":
        return optim.EMA(model, **options)
    if settings.average.name == "swa":
        start, every = options["start"] * epoch_steps, options["every"] * epoch_steps
        return optim.SWA(model, start=start, every=every)
    return None


def make_callbacks(settings: TrainSettings) -> list[Callback]:
    """What may stop a training, and what rolls it back."""
    stopping, guard, convergence = settings.early_stopping, settings.guard, settings.convergence
    callbacks: list[Callback] = [TimeLimit(settings.time_limit)] if settings.time_limit else []
    if settings.stop_after:
        callbacks.append(LastEpoch(settings.stop_after))
    if convergence.tolerances:
        callbacks.append(Converged(**convergence.tolerances, patience=convergence.patience))
    callbacks.append(
        EarlyStopping(
            stopping.monitor,
            stopping.patience,
            stopping.min_delta,
            restore_best=stopping.restore_best,
        )
    )
    if guard.most:
        callbacks.append(DivergenceGuard(guard.factor, guard.patience, guard.lr_factor, guard.most))
    return callbacks
