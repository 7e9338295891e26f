"""Parameter groups: checked settings, and the count of steps that bias corrections need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ConfigError, TraceError, meant
from ..frontend.modes import structure, thread, user_line
from ..ir.types import is_whole
from .schedule import Schedule

if TYPE_CHECKING:
    from ..frontend.tracer import Trace

__all__ = ["NOT_NEGATIVE", "SHARE", "Clock", "Hyper", "ParamGroup", "Rule", "lr_at"]

Hyper = Mapping[str, Any]
#: what a setting may be, in words and as a test
Rule = tuple[str, Callable[[Any], bool]]

NOT_NEGATIVE: Rule = ("a finite number of at least 0", lambda v: 0 <= v < math.inf)
SHARE: Rule = ("a number in [0, 1)", lambda v: 0 <= v < 1)
_FINITE: Rule = ("a finite number", lambda v: math.isfinite(v))
_SWITCH: Rule = ("True or False", lambda v: v in (True, False))
_COUNT: Rule = ("a whole number of at least 1", lambda v: is_whole(v) and v >= 1)
#: a setting without a line here takes anything
_LEGAL: dict[str, Rule] = {
    "lr": NOT_NEGATIVE,
    "momentum": NOT_NEGATIVE,
    "dampening": _FINITE,
    "weight_decay": NOT_NEGATIVE,
    "lr_decay": NOT_NEGATIVE,
    "momentum_decay": NOT_NEGATIVE,
    "initial_accumulator_value": NOT_NEGATIVE,
    "eps": NOT_NEGATIVE,
    "alpha": SHARE,
    "rho": SHARE,
    "betas": ("two numbers in [0, 1)", lambda v: len(v) == 2 and all(0 <= b < 1 for b in v)),
    "etas": (
        "a factor in (0, 1) and one above 1",
        lambda v: len(v) == 2 and 0 < v[0] < 1 < v[1] < math.inf,
    ),
    "step_sizes": (
        "the smallest step, above 0, and the largest",
        lambda v: len(v) == 2 and 0 < v[0] <= v[1] < math.inf,
    ),
    "beta2_decay": ("a finite number of at most 0", lambda v: -math.inf < v <= 0),
    "d": ("a finite number of at least 1", lambda v: 1 <= v < math.inf),
    "ns_coefficients": (
        "three finite numbers",
        lambda v: len(v) == 3 and all(math.isfinite(c) for c in v),
    ),
    "ns_steps": ("a whole number from 0 to 99", lambda v: is_whole(v) and 0 <= v < 100),
    "adjust_lr_fn": (
        "None, 'original' or 'match_rms_adamw'",
        lambda v: v in (None, "original", "match_rms_adamw"),
    ),
    "max_iter": _COUNT,
    "max_eval": ("None or a whole number of at least 1", lambda v: v is None or _COUNT[1](v)),
    "history_size": _COUNT,
    "tolerance_grad": NOT_NEGATIVE,
    "tolerance_change": NOT_NEGATIVE,
    "line_search_fn": ("None or 'strong_wolfe'", lambda v: v in (None, "strong_wolfe")),
    "nesterov": _SWITCH,
    "maximize": _SWITCH,
    "amsgrad": _SWITCH,
    "centered": _SWITCH,
    "decoupled_weight_decay": _SWITCH,
}


def check(name: str, value: Any, own: Mapping[str, Rule] = MappingProxyType({})) -> None:
    """ConfigError if ``value`` is not legal for ``name`` by ``own`` rules or the general ones."""
    rule = own.get(name) or _LEGAL.get(name)
    if rule is None or (name == "lr" and isinstance(value, Schedule)):
        return
    words, legal = rule
    try:
        fine = legal(value)
    except TypeError:
        fine = False
    if not fine:
        raise ConfigError(f"{name} is {value!r}", help=f"{name} must be {words}")


class ParamGroup(dict[str, Any]):
    """``params`` and the settings they are trained with, a dict as in PyTorch.

    ``group["lr"] = 0.01`` holds from the next step on, in compiled steps too, and compiles nothing
    anew. Other settings are part of the compiled formula: changing one compiles the step again.
    """

    def __init__(
        self, settings: Mapping[str, Any], legal: Mapping[str, Rule] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self._legal = legal
        for name, value in settings.items():
            super().__setitem__(name, self._checked(name, value))

    def _checked(self, name: str, value: Any) -> Any:
        """``value`` if it is legal; a list, as files have it, becomes a tuple."""
        check(name, value, self._legal)
        return tuple(value) if isinstance(value, list) and name != "params" else value

    def __setitem__(self, name: str, value: Any) -> None:
        if thread.trace is not None:
            raise TraceError(
                f"the setting {name!r} of an optimizer is changed inside a compiled function",
                where=user_line(),
                help="change it between calls; a learning rate that follows the steps is a "
                "schedule: lr=optim.schedule.Exponential(...)",
            )
        if name not in self:
            raise unknown(name, self)
        value = self._checked(name, value)
        changed = name != "lr" and self[name] != value
        super().__setitem__(name, value)
        if changed:
            structure.touch()

    def update(self, *others: Any, **settings: Any) -> None:
        """Sets several settings, each checked."""
        for name, value in dict(*others, **settings).items():
            self[name] = value


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the arguments of an optimizer's constructor, in their order.

    ``super().__init__(params, given(locals()))`` is its first line: later there are more locals.
    """
    others = ("self", "params", "__class__")
    return {name: value for name, value in arguments.items() if name not in others}


def unknown(name: str, settings: Mapping[str, Any]) -> ConfigError:
    """The error for a setting that does not exist."""
    hint = meant(name, settings)
    known = ", ".join(key for key in settings if key != "params")
    return ConfigError(f"unknown optimizer setting {name!r}", help=f"{hint}known: {known}")


def lr_at(group: Hyper, step: int) -> float:
    """The learning rate of the ``step``-th step of the group, counted from 1."""
    lr = group["lr"]
    if type(lr) is float:  # asked once for every step: isinstance of an abstract class is slow
        return lr
    return lr.lr_at(step - 1) if isinstance(lr, Schedule) else float(lr)


class Clock:
    """The number of steps done by ``members`` parameters that are always updated together.

    PyTorch counts for each parameter. Here parameters share a clock until a step updates only
    some of them: the host then computes each bias correction once, not once per parameter.
    """

    def __init__(self, members: int, steps: int = 0) -> None:
        self.members, self.steps = members, steps
        self._turns: WeakKeyDictionary[Trace, list[int]] = WeakKeyDictionary()

    def turn(self) -> Callable[[int], int]:
        """A function of k: the number, from 1, that this update has in the k-th coming execution.

        A compiled function may update several times: its executions are then that many apart.
        """
        if thread.trace is None:
            return lambda k: self.steps + 1 + k
        turns = self._turns.setdefault(thread.trace, [0])
        mine = turns[0] + 1
        turns[0] += 1
        return lambda k: self.steps + k * turns[0] + mine

    def advance(self, executed: int) -> None:
        """``executed`` updates were done."""
        self.steps += executed
