"""Penalties on the size of weights, as a term of the loss, and a bound on it after the step.

A penalty is part of the loss, so its gradient goes through the optimizer like any other; decoupled
weight decay (`optim.AdamW`) does not. `docs/regularization.md` shows the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, Literal, TypeAlias

from ..errors import ConfigError
from ..frontend import Tensor, host_scalar, no_grad
from ..frontend.modes import structure
from ..frontend.operations.arithmetic import absolute, add, maximum
from ..frontend.operations.creation import tensor
from ..frontend.operations.shaping import axes_of
from .checking import not_negative, unknown_key
from .norms import norm_along, sum_all

__all__ = ["Penalty", "elastic_net", "is_weight", "l1", "l2", "make", "max_norm_"]

Factor: TypeAlias = float | Tensor
Choice: TypeAlias = Callable[[Tensor], bool]


def is_weight(p: Tensor) -> bool:
    """Whether ``p`` has two or more axes: weights, but not biases and scales of normalisation."""
    return p.ndim >= 2


def l1(params: Tensor | Iterable[Tensor], factor: Factor, choice: Choice = is_weight) -> Tensor:
    """factor · sum |w|, 0-d, over the parameters for which ``choice`` holds.

    Its derivative, factor · sign(w) (0 at 0), drives weights that do little to about 0: Tibshirani,
    1996, "Regression shrinkage and selection via the lasso".
    """
    return _total((sum_all(absolute(p), like=p) for p in _chosen(params, choice)), factor)


def l2(params: Tensor | Iterable[Tensor], factor: Factor, choice: Choice = is_weight) -> Tensor:
    """factor/2 · sum w², 0-d, over the parameters for which ``choice`` holds.

    Its derivative is factor · w, what ``weight_decay=factor`` of `optim.SGD` adds to the gradient:
    Hoerl and Kennard, 1970, "Ridge regression"; Krogh and Hertz, 1991, "A simple weight decay can
    improve generalization".
    """
    return 0.5 * _total((sum_all(p * p, like=p) for p in _chosen(params, choice)), factor)


def elastic_net(
    params: Tensor | Iterable[Tensor], l1: Factor, l2: Factor, choice: Choice = is_weight
) -> Tensor:
    """l1 · sum |w| + l2/2 · sum w², 0-d (Zou and Hastie, 2005)."""
    members = _chosen(params, choice)
    absolutes = _total((sum_all(absolute(p), like=p) for p in members), l1)
    return absolutes + 0.5 * _total((sum_all(p * p, like=p) for p in members), l2)


def _chosen(params: Tensor | Iterable[Tensor], choice: Choice) -> list[Tensor]:
    return [p for p in ([params] if isinstance(params, Tensor) else params) if choice(p)]


def _total(parts: Iterable[Tensor], factor: Factor) -> Tensor:
    """factor · the sum of ``parts``, in single precision."""
    terms = list(parts)
    return (factor * reduce(add, terms)).float() if terms else tensor(0.0)


def max_norm_(
    params: Tensor | Iterable[Tensor],
    c: Factor,
    axis: int | tuple[int, ...] | None = None,
    choice: Choice = is_weight,
) -> None:
    """Every unit's weights w made at most c long: w ← w · c / max(‖w‖, c). Call it after `step`.

    ``axis`` is what the norm runs over; by default all but the first, so that a unit is a row of a
    weight [out, in, ...]. What is short enough keeps its bits. Srivastava et al., 2014, "Dropout",
    section 5.1, who took c from 3 to 4.
    """
    with no_grad():
        for p in _chosen(params, choice):
            axes = axes_of(range(1, p.ndim) if axis is None else axis, p.ndim)
            length = norm_along(p, axes, like=p)
            p.assign_(p * (c / maximum(length, c)))


# ------------------------------------------------------------------------------ as an object


class Penalty:
    """Elastic net as an object: ``loss = F.cross_entropy(model(x), y) + penalty(params)``.

    ``on`` is "weights" (two or more axes), "all", or a function of a parameter. ``penalty.l2 =
    0.1`` holds from the next step on, in compiled steps too, and compiles nothing anew unless one
    of the numbers was 0 or becomes 0.
    """

    def __init__(
        self, l1: float = 0.0, l2: float = 0.0, on: Literal["weights", "all"] | Choice = "weights"
    ) -> None:
        self._l1, self._l2 = not_negative("l1", l1), not_negative("l2", l2)
        self.on = on
        if callable(on):
            self._choice: Choice = on
        elif on in ("weights", "all"):
            self._choice = is_weight if on == "weights" else _every
        else:
            raise ConfigError(
                f"the penalty is on {on!r}", help="use 'weights', 'all', or a function"
            )

    @property
    def l1(self) -> float:
        """The factor of sum |w|."""
        return self._l1

    @l1.setter
    def l1(self, value: float) -> None:
        before, self._l1 = self._l1, not_negative("l1", value)
        _touch(before, self._l1)

    @property
    def l2(self) -> float:
        """The factor of half of sum w²."""
        return self._l2

    @l2.setter
    def l2(self, value: float) -> None:
        before, self._l2 = self._l2, not_negative("l2", value)
        _touch(before, self._l2)

    def __call__(self, params: Tensor | Iterable[Tensor]) -> Tensor:
        """l1 · sum |w| + l2/2 · sum w², 0-d."""
        members = _chosen(params, self._choice)
        terms = []
        if self._l1:
            terms.append(l1(members, host_scalar(lambda k: self._l1), _every))
        if self._l2:
            terms.append(l2(members, host_scalar(lambda k: self._l2), _every))
        return reduce(add, terms) if terms else tensor(0.0)

    def __repr__(self) -> str:
        return f"Penalty(l1={self._l1!r}, l2={self._l2!r}, on={self.on!r})"


def _every(p: Tensor) -> bool:
    return True


def _touch(before: float, after: float) -> None:
    """A term that comes or goes is another formula: compiled steps are recorded again."""
    if (before == 0.0) != (after == 0.0):
        structure.touch()


def make(settings: Mapping[str, Any]) -> Penalty:
    """A `Penalty` from ``{"l1": 1e-5, "l2": 1e-4, "on": "weights"}``, each key optional.

    Raises ConfigError for a key that does not exist and for values out of range.
    """
    known = ("l1", "l2", "on")
    for key in settings:
        if key not in known:
            raise unknown_key("penalty", key, known)
    return Penalty(**settings)
