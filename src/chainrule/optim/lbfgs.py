"""L-BFGS: steps from the curvature that the last gradients show, for full batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..arguments import check_state
from ..errors import ConfigError, StateError, TraceError
from ..frontend import Tensor, enable_grad, no_grad
from ..frontend.apply import from_array
from ..frontend.modes import thread, user_line
from .base import Optimizer, Params, Rates, Slots
from .group import Hyper, given, lr_at
from .linesearch import Point, Vector, strong_wolfe
from .schedule import Schedule

__all__ = ["LBFGS", "Line", "Memory", "minimize"]

#: y·s below this would make the estimate of the curvature noise
_LEAST_CURVATURE = 1e-10

_ONE_STEP = (
    "compile the closure instead, and call step outside:\n\n"
    "    @cr.compile(keep_grads=True)\n"
    "    def closure():\n"
    "        optimizer.zero_grad()\n"
    "        loss = ...\n"
    "        loss.backward()\n"
    "        return loss\n\n"
    "    optimizer.step(closure)"
)


class Line(Protocol):
    """A loss that can be evaluated where the parameters are, and along a line from there."""

    def here(self) -> tuple[float, Vector]:
        """Loss and gradient."""

    def along(self, d: Vector, t: float) -> tuple[float, Vector]:
        """Loss and gradient at p + t d; the parameters stay where they were."""

    def move(self, d: Vector, t: float) -> None:
        """p ← p + t d."""


@dataclass
class Memory:
    """What one iteration leaves to the next: the last step and the pairs (s, y) of older ones.

    s is a step, y the change of the gradient over it.
    """

    n_iter: int = 0
    func_evals: int = 0
    d: Vector | None = None
    t: float = 0.0
    gradient: Vector | None = None
    scale: float = 1.0
    steps: list[Vector] = field(default_factory=list)
    changes: list[Vector] = field(default_factory=list)

    def direction(self, g: Vector, history_size: int) -> Vector:
        """-H g, with H the inverse Hessian that the pairs imply: the two-loop recursion."""
        if self.d is None or self.gradient is None:
            return -g
        self._remember(self.t * self.d, g - self.gradient, history_size)
        pairs = [(s, y, 1 / dot(y, s)) for s, y in zip(self.steps, self.changes, strict=True)]
        q, shares = -g, []
        for s, y, curvature in reversed(pairs):
            shares.append(curvature * dot(s, q))
            q = q - shares[-1] * y
        r = self.scale * q
        for (s, y, curvature), share in zip(pairs, reversed(shares), strict=True):
            r = r + (share - curvature * dot(y, r)) * s
        return r

    def _remember(self, s: Vector, y: Vector, history_size: int) -> None:
        if dot(y, s) <= _LEAST_CURVATURE:
            return
        self.steps, self.changes = [*self.steps, s], [*self.changes, y]
        del self.steps[:-history_size], self.changes[:-history_size]
        self.scale = dot(y, s) / dot(y, y)


def minimize(line: Line, memory: Memory, group: Hyper, lr: float) -> None:
    """Up to ``max_iter`` iterations from where the parameters are, or until a tolerance is met."""
    loss, g = line.here()
    evaluations = 1
    memory.func_evals += 1
    if np.abs(g).max() <= group["tolerance_grad"]:
        return
    for last in range(group["max_iter"])[::-1]:
        d = memory.direction(g, group["history_size"])
        memory.n_iter += 1
        t = lr if memory.n_iter > 1 else lr * min(1.0, 1 / float(np.abs(g).sum()))
        memory.d, memory.t, memory.gradient = d, t, g
        before = Point(0.0, loss, g, dot(g, d))
        if before.slope > -group["tolerance_change"]:
            return
        used = 0
        if group["line_search_fn"]:
            budget = group["max_eval"] - evaluations
            point, used = _searched(line, before, d, t, group["tolerance_change"], budget)
            loss, g, memory.t = point.loss, point.gradient, point.t
        line.move(d, memory.t)
        if last and not group["line_search_fn"]:
            (loss, g), used = line.here(), 1
        evaluations += used
        memory.func_evals += used
        if (
            evaluations >= group["max_eval"]
            or np.abs(g).max() <= group["tolerance_grad"]
            or np.abs(memory.t * d).max() <= group["tolerance_change"]
            or abs(loss - before.loss) < group["tolerance_change"]
        ):
            return


def _searched(
    line: Line, before: Point, d: Vector, t: float, tolerance_change: float, budget: int
) -> tuple[Point, int]:
    def at(t: float) -> Point:
        loss, g = line.along(d, t)
        if not (np.isfinite(loss) and np.isfinite(g).all()):
            return Point(t, np.inf, g, np.inf)  # too far: the search goes back
        return Point(t, loss, g, dot(g, d))

    length = float(np.abs(d).max())
    return strong_wolfe(
        at, before, t, length=length, tolerance_change=tolerance_change, budget=budget
    )


def dot(a: Vector, b: Vector) -> float:
    """Σ a b in a fixed order: a BLAS would share it out by its number of threads."""
    return float((a * b).sum())


class LBFGS(Optimizer):
    """Newton's method with a Hessian guessed from the last ``history_size`` gradients::

        d ← -H g               (H from pairs s = pₖ₊₁ - pₖ, y = gₖ₊₁ - gₖ; at first H = 1)
        t ← strong Wolfe search along d, or lr    (first iteration: lr · min(1, 1 / Σ|g|))
        p ← p + t d

    ``step(closure)`` makes up to ``max_iter`` such iterations with at most ``max_eval``
    evaluations (None: 1.25 max_iter); ``closure`` clears the gradients, computes the loss and its
    gradients, and returns the loss. It may be a compiled function with ``keep_grads=True``, while
    the iterations run on the host, in float64: inside a compiled function ``step`` is a TraceError.
    ``tolerance_grad`` ends a step when no gradient is larger, ``tolerance_change`` when loss or
    parameters change less. There is one group of parameters, and one loss: use full batches and no
    dropout. A point where loss or gradient is not finite counts as too far.

    Liu, Nocedal 1989, "On the limited memory BFGS method for large scale optimization".
    """

    def __init__(
        self,
        params: Params,
        lr: float | Schedule = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        self._memory = Memory()
        super().__init__(params, given(locals()))

    def check_group(self, group: Hyper) -> None:
        if self.param_groups:
            raise ConfigError(
                "LBFGS supports only one parameter group",
                help="pass all parameters as one list",
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimise along several lines; returns what ``closure`` gave at the start.

        Raises TraceError inside a compiled function, ConfigError without a closure.
        """
        if thread.trace is not None:
            raise TraceError(
                "LBFGS runs its closure as often as it needs: it cannot be part of a compiled step",
                where=user_line(),
                help=_ONE_STEP,
            )
        if closure is None:
            raise ConfigError(
                "LBFGS.step needs a closure",
                where=user_line(),
                help="pass a function that computes loss and gradients: optimizer.step(closure)",
            )
        (group,) = self.param_groups
        clock = self._clocks[group["params"][0]]
        line = _ParameterLine(self, group, closure)
        max_eval = group["max_eval"] or max(1, group["max_iter"] * 5 // 4)
        settings = {**group, "max_eval": max_eval}
        minimize(line, self._memory, settings, lr_at(group, clock.steps + 1))
        clock.advance(1)
        return line.first

    def update(self, p: Tensor, g: Tensor, state: Slots, group: Hyper, rate: Rates) -> None:
        """One move along the line, whose direction stands in place of the gradient."""
        p.assign_(p + rate["t"] * g)

    # ------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """As for all optimizers; what is kept belongs to all parameters and stands with the first.

        ``d``, ``t``, ``prev_flat_grad`` describe the last step, rows of ``old_stps`` and
        ``old_dirs`` the pairs s and y, all in float64.
        """
        memory, state = self._memory, super().state_dict()
        state["state"][0] |= {
            "n_iter": np.asarray(memory.n_iter),
            "func_evals": np.asarray(memory.func_evals),
        }
        if memory.d is not None and memory.gradient is not None:
            state["state"][0] |= {
                "d": memory.d.copy(),
                "t": np.asarray(memory.t),
                "prev_flat_grad": memory.gradient.copy(),
                "H_diag": np.asarray(memory.scale),
                "old_stps": np.array(memory.steps).reshape(-1, memory.d.size),
                "old_dirs": np.array(memory.changes).reshape(-1, memory.d.size),
            }
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave. Raises StateError, before anything is changed, if it
        is of other parameters.
        """
        check_state(state_dict, "an optimizer", "optimizer.state_dict()")
        check_state(state_dict.get("state", {}), "an optimizer", "optimizer.state_dict()")
        state = dict(state_dict.get("state", {}))
        entry = state.get(0, {})
        check_state(entry, "an optimizer", "optimizer.state_dict()")
        size = sum(p.numel() for p in self._params())
        memory = _remembered(entry, size)
        steps = {i: {k: v for k, v in e.items() if k == "step"} for i, e in state.items()}
        super().load_state_dict({**state_dict, **({"state": steps} if state else {})})
        self._memory = memory


def _remembered(entry: Mapping[str, Any], size: int) -> Memory:
    """The memory that ``entry`` of a state describes, for ``size`` numbers."""
    memory = Memory(int(entry.get("n_iter", 0)), int(entry.get("func_evals", 0)))
    if "d" not in entry:
        return memory
    names = ("d", "t", "prev_flat_grad", "H_diag", "old_stps", "old_dirs")
    missing = [name for name in names if name not in entry]
    vectors = (name for name in ("d", "prev_flat_grad", "old_stps", "old_dirs") if name in entry)
    if missing or {np.shape(entry[name])[-1:] for name in vectors} != {(size,)}:
        raise StateError(
            f"the state lacks {', '.join(missing)}"
            if missing
            else f"the state does not hold {size} numbers",
            help="load a state saved by LBFGS for the same parameters",
        )
    read = {name: np.asarray(entry[name], np.float64) for name in names}
    memory.d, memory.gradient = read["d"].copy(), read["prev_flat_grad"].copy()
    memory.t, memory.scale = float(read["t"]), float(read["H_diag"])
    memory.steps, memory.changes = list(read["old_stps"].copy()), list(read["old_dirs"].copy())
    return memory


class _ParameterLine:
    """The parameters of a group as one vector, with the loss that a closure computes."""

    def __init__(self, optimizer: LBFGS, group: Hyper, closure: Callable[[], Any]) -> None:
        self.optimizer, self.group, self.closure = optimizer, group, closure
        self.params: list[Tensor] = group["params"]
        self.first: Any = None

    def here(self) -> tuple[float, Vector]:
        with enable_grad():
            loss = self.closure()
        if self.first is None:
            self.first = loss
        return float(loss), np.concatenate([_flat_grad(p) for p in self.params])

    def along(self, d: Vector, t: float) -> tuple[float, Vector]:
        home = [p.numpy() for p in self.params]
        self.move(d, t)
        point = self.here()
        with no_grad():
            for p, values in zip(self.params, home, strict=True):
                p.assign_(values)
        return point

    def move(self, d: Vector, t: float) -> None:
        ends = np.cumsum([p.numel() for p in self.params])
        with no_grad():
            for p, part in zip(self.params, np.split(d, ends[:-1]), strict=True):
                direction = from_array(part.reshape(p.shape).astype(np.float32))
                self.optimizer.update(p, direction, {}, self.group, {"t": t})


def _flat_grad(p: Tensor) -> Vector:
    if p.grad is None:
        return np.zeros(p.numel())
    return p.grad.concrete.astype(np.float64).ravel()
