"""The base of all optimizers: walks over parameters, keeps state, counts steps.

An optimizer is two small methods: `Optimizer.initial_state`, and `Optimizer.update`, which is its
formula for one parameter. Numbers that change from step to step (`Optimizer.rates`) are computed by
the host in float64 and handed to the compiled step, so they never compile anything anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ..arguments import check_state
from ..errors import ConfigError, StateError, TraceError
from ..frontend import Tensor, enable_grad, host_effect, host_scalar, no_grad, paused
from ..frontend.apply import from_array
from ..frontend.modes import structure, thread, user_line
from ..frontend.operations.creation import zeros_like
from ..ir.memory import aligned_copy
from .group import Clock, Hyper, ParamGroup, Rule, lr_at, unknown

__all__ = ["Initial", "Optimizer", "Params", "Rates", "Slots", "Turn"]

Array: TypeAlias = npt.NDArray[Any]
Initial: TypeAlias = Mapping[str, float | Array]
Params: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]
Rates: TypeAlias = Mapping[str, Any]
Slots: TypeAlias = Mapping[str, Tensor]
Turn: TypeAlias = Callable[[int], int]


class Optimizer(ABC):
    """Updates parameters from their gradients.

    ``param_groups``, ``zero_grad``, ``step``, ``state_dict`` and ``load_state_dict`` behave as in
    PyTorch. ``params`` is an iterable of Tensors, or of dicts ``{"params": [...], "lr": ...}``
    whose settings win over ``defaults``. Raises ConfigError for settings out of their range.
    """

    #: what settings may be where that differs from the table in `group`
    legal: ClassVar[Mapping[str, Rule]] = {}

    param_groups: list[ParamGroup]
    state: MutableMapping[Tensor, dict[str, Tensor]]
    _clocks: MutableMapping[Tensor, Clock]

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.param_groups, self.state, self._clocks = [], {}, {}
        given = _listed(params)
        if not given:
            raise ConfigError(
                "the optimizer got no parameters",
                help="pass model.parameters(); the model needs layers with weights",
            )
        groups: list[Any] = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    # ------------------------------------------------------------------ what each one defines

    def initial_state(self, p: Tensor, group: Hyper) -> Initial:
        """The state kept for ``p``, of which only the shape may be read.

        A number is an array of the shape of ``p`` filled with it; an array is taken as it is.
        """
        return {}

    def rates(self, group: Hyper, t: Turn) -> dict[str, Callable[[int], float]]:
        """Numbers of the k-th coming step as functions of k; ``t(k)`` is its number from 1.

        Settings are read when the function is called, so that a change of ``lr`` is seen.
        """
        return {"lr": lambda k: lr_at(group, t(k))}

    @abstractmethod
    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        """The formula: assigns the new values of ``p`` and of its state from the gradient."""

    # ----------------------------------------------------------------------------- one step

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, or with ``set_to_none=False`` fills those present with zeros."""
        for p in self._params():
            if set_to_none or p.grad is None:
                p.grad = None
            elif p.grad.requires_grad:
                p.grad = zeros_like(p.grad)  # what it was computed from is forgotten, too
            else:
                p.grad.zero_()  # also where it is NaN

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient; the others are left as they are.

        ``closure`` computes the loss and its gradients first; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for clock, members in self._together(group):
                    functions = self.rates(group, clock.turn())
                    rate = {name: host_scalar(f) for name, f in functions.items()}
                    for p, g in members:
                        downhill = -g if group.get("maximize", False) else g
                        self.update(p, downhill, self._state_of(p, group), group, rate)
                    host_effect(clock.advance)
        return loss

    def _params(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def _together(self, group: Hyper) -> list[tuple[Clock, list[tuple[Tensor, Tensor]]]]:
        """The parameters of ``group`` that have gradients, with them, by their clocks."""
        updated: dict[Clock, list[tuple[Tensor, Tensor]]] = {}
        for p in group["params"]:
            if p.grad is not None:
                updated.setdefault(self._clocks[p], []).append((p, p.grad))
        return [
            (self._parted(clock, [p for p, _ in members]), members)
            for clock, members in updated.items()
        ]

    def _parted(self, clock: Clock, members: list[Tensor]) -> Clock:
        """``clock``, or one for ``members`` alone if it has others, which now stay behind."""
        if len(members) == clock.members:
            return clock
        clock.members -= len(members)
        own = Clock(len(members), clock.steps)
        self._clocks.update(dict.fromkeys(members, own))
        structure.touch()  # compiled steps that advance the shared clock are out of date
        return own

    def _state_of(self, p: Tensor, group: Hyper) -> dict[str, Tensor]:
        """The slots of ``p``, created where a setting that was changed needs more of them."""
        slots = self.state.setdefault(p, {})
        for name, value in self.initial_state(p, group).items():
            if name not in slots:
                with paused():
                    slots[name] = _filled(p, value)
        return slots

    # ------------------------------------------------------------------------ groups and state

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Adds parameters with settings of their own: ``{"params": layer.parameters(), "lr": 1}``.

        Raises ConfigError for a setting that does not exist or a parameter that is there already.
        """
        members = _listed(group.get("params"))
        for name in group:
            if name not in ("params", "name", *self.defaults):
                raise unknown(name, self.defaults)
        known = set(self._params())
        for p in members:
            if not isinstance(p, Tensor):
                raise ConfigError(
                    f"the optimizer got a {type(p).__name__} as a parameter",
                    help="parameters are Tensors: give model.parameters()",
                )
            if not p.is_leaf:
                raise ConfigError(
                    f"a parameter of shape {p.shape} is the result of a computation",
                    help="only leaf Tensors can be updated: pass the "
                    "Tensors it was computed from, or x.detach().requires_grad_()",
                )
            if p in known:
                raise ConfigError(
                    f"a parameter of shape {p.shape} is given to the optimizer twice",
                    help="each parameter must be in exactly one group",
                )
            known.add(p)
        added = ParamGroup({**self.defaults, **group, "params": members}, self.legal)
        self.check_group(added)
        self.param_groups.append(added)
        self._clocks.update(dict.fromkeys(members, Clock(len(members))))
        for p in members:
            self._state_of(p, added)
        structure.touch()

    def check_group(self, group: Hyper) -> None:  # noqa: B027 - most have nothing to add
        """ConfigError if settings that are legal alone contradict one another."""

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {i: {"step": n, slot: array}}, "param_groups": [...]}``, as in PyTorch.

        ``i`` counts parameters through all groups. Arrays are copies. A schedule is not stored.
        """
        index = {p: i for i, p in enumerate(self._params())}
        state = {
            i: {"step": self._clocks[p].steps}
            | {name: slot.numpy() for name, slot in self.state[p].items()}
            for p, i in index.items()
        }
        groups = [
            {name: v for name, v in group.items() if name != "lr" or isinstance(v, float | int)}
            | {"params": [index[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave: settings, state and step counts, in place.

        A parameter without an entry starts afresh. Raises StateError, before anything is changed,
        if groups, names or shapes do not fit.
        """
        check_state(state_dict, "an optimizer", "optimizer.state_dict()")
        if not {"state", "param_groups"} <= set(state_dict):
            raise StateError(
                f"this is not the state of an optimizer: it has {', '.join(map(str, state_dict))}",
                help="pass what optimizer.state_dict() returned",
            )
        saved_groups, state = state_dict["param_groups"], state_dict["state"]
        check_state(state, "an optimizer", "optimizer.state_dict()")
        for part in state.values():
            check_state(part, "an optimizer", "optimizer.state_dict()")
        listed = isinstance(saved_groups, list | tuple)
        if not listed or not all(isinstance(g, Mapping) and "params" in g for g in saved_groups):
            raise StateError(
                "this is not the state of an optimizer: its param_groups have no params",
                help="pass what optimizer.state_dict() returned",
            )
        mine = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in saved_groups]
        if mine != theirs:
            raise StateError(
                f"the state has groups of {theirs} parameters, the optimizer has {mine}",
                help="create the optimizer with the same parameters in the same groups",
            )
        plan = []
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            entries = [state.get(i, {}) for i in saved["params"]]
            fresh = [self.initial_state(p, {**group, **saved}) for p in group["params"]]
            for p, i, entry, initial in zip(
                group["params"], saved["params"], entries, fresh, strict=True
            ):
                _check_slots(p, entry, initial, i)
            plan.append((group, saved, fresh, entries))
        for group, saved, fresh, entries in plan:
            group.update({k: saved[k] for k in group if k in saved and k != "params"})
            for p, initial, entry in zip(group["params"], fresh, entries, strict=True):
                slots = self._state_of(p, group)
                for name, value in initial.items():
                    slots[name].assign_(entry.get(name, value))
            self._set_clocks(group["params"], [int(entry.get("step", 0)) for entry in entries])

    def _set_clocks(self, params: list[Tensor], steps: list[int]) -> None:
        """Sets the counts; parameters with equal ones share a clock again where they did."""
        by_clock: dict[Clock, set[int]] = {}
        for p, count in zip(params, steps, strict=True):
            by_clock.setdefault(self._clocks[p], set()).add(count)
        if all(len(counts) == 1 for counts in by_clock.values()):
            for clock, (count,) in by_clock.items():
                clock.steps = count
            return
        clocks = {count: Clock(steps.count(count), count) for count in steps}
        self._clocks.update({p: clocks[c] for p, c in zip(params, steps, strict=True)})
        structure.touch()

    def __setattr__(self, name: str, value: Any) -> None:
        if thread.trace is not None:
            raise TraceError(
                f"the attribute {name!r} of an optimizer is assigned inside a compiled function",
                where=user_line(),
                help="assign it outside, between calls",
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        settings = [{k: v for k, v in g.items() if k != "params"} for g in self.param_groups]
        shown = [", ".join(f"{k}={v!r}" for k, v in group.items()) for group in settings]
        return f"{type(self).__name__}({'; '.join(shown)})"


def _filled(p: Tensor, value: float | Array) -> Tensor:
    """A slot: memory laid out like that of ``p``, or an array of a shape of its own."""
    array = aligned_copy(value if isinstance(value, np.ndarray) else p.concrete)
    array[...] = value
    return from_array(array)


def _check_slots(p: Tensor, loaded: Mapping[str, Any], fresh: Initial, index: int) -> None:
    if not loaded:
        return
    wanted, given = set(fresh), set(loaded) - {"step"}
    if wanted != given:
        raise StateError(
            f"the state of parameter {index} has {sorted(given)}, "
            f"but the optimizer needs {sorted(wanted)}",
            help="load a state saved by the same optimizer with the same settings",
        )
    for name, value in fresh.items():
        shape = value.shape if isinstance(value, np.ndarray) else p.shape
        if np.shape(loaded[name]) != shape:
            raise StateError(
                f"{name} of parameter {index} has shape {np.shape(loaded[name])}, not {shape}",
                help="the state belongs to a different model",
            )


def _listed(params: object) -> list[Any]:
    """The parameters or groups that were given, one Tensor alone too."""
    if not isinstance(params, Iterable):
        raise ConfigError(
            f"the optimizer got a {type(params).__name__} for its parameters",
            help='pass model.parameters(), a list of Tensors, or groups {"params": [...], ...}',
        )
    return [params] if isinstance(params, Tensor) else list(params)
