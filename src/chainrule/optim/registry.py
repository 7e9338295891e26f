"""Optimizers by name, for configuration files and command lines."""

from __future__ import annotations

import inspect
from typing import Any

from .adagrad import Adadelta, Adagrad
from .adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from .anneal import SGLD, SimulatedAnnealing
from .base import Optimizer, Params
from .checking import unknown_key
from .group import unknown
from .layerwise import LAMB, Adafactor, Muon
from .lbfgs import LBFGS
from .rmsprop import RMSprop
from .sgd import SGD
from .sign import Lion, Rprop

__all__ = ["OPTIMIZERS", "make", "settings_of"]

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind
    for kind in (
        SGD,
        Adagrad,
        Adadelta,
        RMSprop,
        Adam,
        AMSGrad,
        AdamW,
        Adamax,
        NAdam,
        RAdam,
        Lion,
        LAMB,
        Adafactor,
        Muon,
        Rprop,
        LBFGS,
        SGLD,
        SimulatedAnnealing,
    )
}


def make(name: str, params: Params, /, **settings: Any) -> Optimizer:
    """The optimizer ``name`` for ``params``: ``make("adamw", model.parameters(), lr=3e-4)``.

    Capital letters, ``-`` and ``_`` in the name do not matter. Raises ConfigError, with the nearest
    name, for an optimizer or a setting that does not exist, and for values out of range.
    """
    kind = _found(name)
    known = settings_of(name)
    for setting in settings:
        if setting not in known:
            raise unknown(setting, known)
    return kind(params, **settings)


def settings_of(name: str) -> dict[str, Any]:
    """The settings of the optimizer ``name`` with their defaults, in order."""
    parameters = inspect.signature(_found(name)).parameters
    return {key: p.default for key, p in parameters.items() if key != "params"}


def _found(name: str) -> type[Optimizer]:
    key = name.lower().replace("-", "").replace("_", "")
    if key in OPTIMIZERS:
        return OPTIMIZERS[key]
    raise unknown_key("optimizer", key, OPTIMIZERS)
