"""The trainer that the settings of a run describe."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import optim
from ..errors import ConfigError
from ..frontend import Tensor
from ..nn import Embedding, Module
from ..optim import Optimizer
from ..optim.combined import CombinedOptimizer
from ..train import Callback, EarlyStopping, Trainer
from ..train.callbacks import Converged, DivergenceGuard, TimeLimit
from .planning import schedule_of, steps_of
from .settings.training import TrainSettings

__all__ = ["callbacks_of", "optimizer_of", "trainer_of"]

Batch = tuple[Tensor, ...]


def trainer_of(
    model: Module,
    loss: Any,
    metrics: list[str],
    chosen: TrainSettings,
    rows: int,
    seed: int,
    transform: Callable[..., Batch] | None,
) -> Trainer:
    """A trainer with all that ``run.toml`` says in its section ``train``, whatever is learned."""
    kept = chosen.regularization
    bound: Callable[[list[Tensor]], None] = partial(optim.penalty.max_norm_, c=kept.max_norm)
    return Trainer(
        model,
        loss,
        optimizer_of(model, chosen, rows, seed),
        metrics,
        accumulate=chosen.accumulate,
        clip=chosen.clip.wanted or None,
        penalty=optim.penalty.Penalty(kept.l1, kept.l2) if kept.l1 or kept.l2 else None,
        constraint=bound if kept.max_norm else None,
        average=average_of(model, chosen, steps_of(chosen, rows)),
        transform=transform,
    )


def optimizer_of(model: Module, chosen: TrainSettings, rows: int, seed: int) -> Optimizer:
    """The optimizer, with noise around it and lookahead around both, as far as they are wanted."""
    found = _plain_optimizer(model, chosen, rows, seed)
    noise, lookahead = chosen.gradient_noise, chosen.lookahead
    if (noise.eta or lookahead.k) and isinstance(found, optim.LBFGS | optim.SimulatedAnnealing):
        raise ConfigError(
            f"{chosen.optimizer.name} evaluates the loss itself: nothing stands around it",
            help="leave train.gradient_noise.eta and train.lookahead.k at 0",
        )
    if noise.eta:
        found = optim.GradientNoise(found, noise.eta, noise.gamma, seed=seed)
    return optim.Lookahead(found, lookahead.k, lookahead.alpha) if lookahead.k else found


def _plain_optimizer(model: Module, chosen: TrainSettings, rows: int, seed: int) -> Optimizer:
    schedule = schedule_of(chosen, rows)
    constant = isinstance(schedule, optim.schedule.Constant)
    rate = chosen.rate if constant else schedule
    name, settings = chosen.optimizer.name, chosen.optimizer.settings
    members = list(model.parameters())
    if name != "muon":
        known = optim.settings_of(name)
        if "lr" not in known and not constant:
            raise ConfigError(
                f"{name} has no learning rate that a schedule could change",
                help='set train.schedule = "constant"',
            )
        of_run = {"lr": rate, "seed": seed, "examples": rows}
        of_run = {key: value for key, value in of_run.items() if key in known}
        return optim.make(name, members, **of_run, **settings)
    # Muon is for matrices alone; an embedding is a table of vectors, and none (Jordan 2024).
    tables = {id(m.weight) for m in model.modules() if isinstance(m, Embedding)}
    matrices = [p for p in members if p.ndim == 2 and id(p) not in tables]
    rest = [p for p in members if p.ndim != 2 or id(p) in tables]
    return CombinedOptimizer(
        optim.Muon(matrices, lr=rate, **settings),
        optim.AdamW(rest, lr=rate, weight_decay=settings["weight_decay"]),
    )


def average_of(model: Module, chosen: TrainSettings, steps: int) -> optim.EMA | optim.SWA | None:
    settings = chosen.average.settings
    if chosen.average.name == "ema":
        return optim.EMA(model, **settings)
    if chosen.average.name == "swa":
        return optim.SWA(model, start=settings["start"] * steps, every=settings["every"] * steps)
    return None


def callbacks_of(chosen: TrainSettings) -> list[Callback]:
    """What may end a training, and what brings it back."""
    stopping, guard = chosen.early_stopping, chosen.guard
    found: list[Callback] = [TimeLimit(chosen.time_limit)] if chosen.time_limit else []
    if chosen.convergence.wanted:
        found.append(Converged(**chosen.convergence.wanted, patience=chosen.convergence.patience))
    best = stopping.restore_best
    found.append(
        EarlyStopping(stopping.monitor, stopping.patience, stopping.min_delta, restore_best=best)
    )
    if guard.most:
        found.append(DivergenceGuard(guard.factor, guard.patience, guard.lr_factor, guard.most))
    return found
