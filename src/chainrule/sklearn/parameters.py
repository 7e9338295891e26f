"""What the parameters of perceptrons may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import optim
from ..errors import ConfigError, meant
from ..ir.types import is_real, is_whole
from ..optim.schedule import SCHEDULES
from .formulas import ACTIVATIONS

__all__ = ["RATES", "SOLVERS", "check_parameters", "hidden_layers"]

#: scikit-learn's ways to change the learning rate; the others are our schedules
RATES = ("constant", "invscaling", "adaptive")
#: these evaluate the loss themselves: lbfgs is here SciPy's
UNFIT = ("lbfgs", "simulatedannealing")
SOLVERS = ("lbfgs", *(name for name in optim.OPTIMIZERS if name not in UNFIT))

Rule = tuple[str, Callable[[Any], bool]]


def _number(least: float, most: float = np.inf, open_at: str = "") -> Rule:
    """A number between two bounds; ``open_at``, ``"<"`` or ``">"``, says which it excludes."""
    words = f"a number {'above' if '<' in open_at else 'of at least'} {least:g}"
    if most < np.inf:
        words += f" and {'below' if '>' in open_at else 'at most'} {most:g}"

    def fits(value: Any) -> bool:
        return bool(
            is_real(value)
            and (least < value if "<" in open_at else least <= value)
            and (value < most if ">" in open_at else value <= most)
            and value < np.inf
        )

    return words, fits


def _one_of(*names: str) -> Rule:
    return f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names


def _or(words: str, fits: Callable[[Any], bool], rule: Rule) -> Rule:
    return f"{rule[0]}, or {words}", lambda value: fits(value) or rule[1](value)


WHOLE: Rule = ("a whole number of at least 1", lambda v: is_whole(v) and v >= 1)
SWITCH: Rule = ("True or False", lambda v: isinstance(v, bool | np.bool_))
SETTINGS: Rule = (
    "a dict of settings, or None", lambda v: v is None or isinstance(v, Mapping)
)  # fmt: skip

RULES: Mapping[str, Rule] = {
    "activation": _one_of(*ACTIVATIONS),
    "solver": _one_of(*SOLVERS),
    "alpha": _number(0),
    "batch_size": _or('"auto"', lambda v: isinstance(v, str) and v == "auto", WHOLE),
    "learning_rate": _one_of(*RATES, *(name for name in SCHEDULES if name not in RATES)),
    "learning_rate_init": _number(0, open_at="<"),
    "power_t": _number(0),
    "max_iter": WHOLE,
    "shuffle": SWITCH,
    "tol": _number(0),
    "warm_start": SWITCH,
    "momentum": _number(0, 1),
    "nesterovs_momentum": SWITCH,
    "early_stopping": SWITCH,
    "validation_fraction": _number(0, 1, open_at=">"),
    "beta_1": _number(0, 1, open_at=">"),
    "beta_2": _number(0, 1, open_at=">"),
    "epsilon": _number(0, open_at="<"),
    "n_iter_no_change": _or("numpy.inf", lambda v: is_real(v) and v == np.inf, WHOLE),
    "max_fun": WHOLE,
    "dropout": _number(0, 1, open_at=">"),
    "monitor": _one_of("score", "loss"),
    "label_smoothing": _number(0, 1, open_at=">"),
    "focusing": _number(0),
    "delta": _number(0, open_at="<"),
    "quantile": _number(0, 1, open_at="<>"),
    "solver_settings": SETTINGS,
    "schedule_settings": SETTINGS,
    "n_jobs": _or(
        "-1 for all processors, or None", lambda v: v is None or (is_whole(v) and v == -1), WHOLE
    ),
    "callbacks": (
        "a function of (estimator, numbers), or a list of such functions",
        lambda v: callable(v) or (isinstance(v, list | tuple) and all(map(callable, v))),
    ),
}


def check_parameters(parameters: Mapping[str, Any], losses: tuple[str, ...]) -> None:
    """ConfigError, a ValueError, for the first parameter that is out of range."""
    for name, value in parameters.items():
        rule = _one_of(*losses) if name == "loss" else RULES.get(name)
        if rule is None or (name == "callbacks" and value is None) or rule[1](value):
            continue
        known = rule[0].removeprefix("one of ").split(", ") if rule[0].startswith("one of") else ()
        hint = meant(value, known) if isinstance(value, str) else ""
        raise ConfigError(
            f"{name} is {value!r}",
            where=f"parameter {name}",
            help=f"{hint}{name} must be {rule[0]}",
        )
    hidden_layers(parameters["hidden_layer_sizes"])


def hidden_layers(sizes: Any) -> tuple[int, ...]:
    """The widths of the hidden layers, of which there may be none."""
    listed = list(sizes) if np.iterable(sizes) else [sizes]
    if isinstance(sizes, str) or not all(WHOLE[1](size) for size in listed):
        raise ConfigError(
            f"hidden_layer_sizes must be > 0, got {listed}.",
            where="parameter hidden_layer_sizes",
            help="pass one whole number for each hidden layer, such as (100, 50)",
        )
    return tuple(int(size) for size in listed)
