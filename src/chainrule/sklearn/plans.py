"""From the parameters of a perceptron to the form of its training, and its learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ConfigError
from ..optim import schedule
from .formulas import Loss
from .parameters import RATES
from .programs import Form

__all__ = ["form_of", "heeds_rates", "new_rate", "rate_of_epoch"]


def form_of(estimator: Any, units: tuple[int, ...], loss: Loss) -> Form:
    """The form of the training steps of ``estimator``."""
    solver, settings = estimator.solver, dict(estimator.solver_settings or {})
    if solver == "sgd":
        momentum = float(estimator.momentum)
        nesterov = bool(estimator.nesterovs_momentum) and momentum > 0
        settings = {"momentum": momentum, "nesterov": nesterov, **settings}
    elif solver == "adam":
        betas = (float(estimator.beta_1), float(estimator.beta_2))
        settings = {"betas": betas, "eps": float(estimator.epsilon), **settings}
    if "lr" in settings:
        raise ConfigError(
            "the learning rate is set twice",
            where="parameter solver_settings",
            help="set learning_rate_init, and leave lr out of solver_settings",
        )
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return Form(
        units, estimator.activation, loss, float(estimator.dropout), solver,
        tuple(sorted(plain.items())), bool(estimator.solver_settings),
    )  # fmt: skip


def new_rate(estimator: Any, steps: int, incremental: bool) -> schedule.Schedule | None:
    """The schedule that ``learning_rate`` names, over ``max_iter`` epochs of ``steps`` steps; None
    for a rate that is a number. ConfigError where the length of the training is not known."""
    name = estimator.learning_rate
    if name in RATES:
        return None
    if incremental:
        raise ConfigError(
            f"the schedule {name} needs the length of the training, which partial_fit has not",
            where="parameter learning_rate",
            help=f"use fit, or one of {', '.join(RATES)}",
        )
    return schedule.make(
        name,
        float(estimator.learning_rate_init),
        steps * int(estimator.max_iter),
        steps_per_epoch=steps,
        **(estimator.schedule_settings or {}),
    )


def heeds_rates(estimator: Any) -> bool:
    """Whether its solver heeds ``invscaling`` and ``adaptive``: Adam does not, in scikit-learn."""
    return bool(estimator.solver != "adam")


def rate_of_epoch(estimator: Any) -> Callable[[int], float] | None:
    """The rate after so many rows, for ``invscaling``."""
    if estimator.learning_rate != "invscaling" or not heeds_rates(estimator):
        return None
    base, power = float(estimator.learning_rate_init), float(estimator.power_t)
    return lambda rows: float(base / (rows + 1) ** power)
