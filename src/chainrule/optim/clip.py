"""Bounds on gradients, applied between ``backward()`` and ``step()``.

The functions are PyTorch's: they change ``.grad`` in place. Each works at once and inside a
compiled function, where a bound given as a 0-d Tensor (an argument of the step) or as the ``limit``
of a `Clip` may change from step to step without compiling anything anew.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar, TypeAlias

from ..errors import ConfigError
from ..frontend import Tensor, host_scalar, no_grad
from ..frontend.operations import reductions
from ..frontend.operations.arithmetic import absolute, add, maximum, minimum, where
from ..frontend.operations.creation import tensor
from .checking import not_negative, positive, unknown_key
from .norms import norm_along, sum_all

__all__ = [
    "Clip", "clip_grad_agc_", "clip_grad_norm_", "clip_grad_norm_per_parameter_",
    "clip_grad_value_", "make",
]  # fmt: skip

Bound: TypeAlias = float | Tensor

#: keeps divisions by a norm away from 0, as in PyTorch and in the paper on adaptive clipping
_GUARD = 1e-6


def clip_grad_value_(params: Tensor | Iterable[Tensor], clip_value: Bound) -> None:
    """Every element of every gradient brought into [-clip_value, clip_value]; NaN stays NaN."""
    with no_grad():
        for _, g in _with_gradients(params):
            g.assign_(maximum(minimum(g, clip_value), -clip_value))


def clip_grad_norm_(
    params: Tensor | Iterable[Tensor], max_norm: Bound, norm_type: float = 2.0
) -> Tensor:
    """All gradients times min(1, max_norm / (total + 1e-6)); returns total, the norm before.

    total = (sum |g|^norm_type)^(1/norm_type) over the elements of all gradients together, and the
    largest |g| for ``norm_type`` inf. The direction of the step stays. A gradient that is not
    finite makes all of them NaN or 0, as in PyTorch. Pascanu, Mikolov and Bengio, 2013, "On the
    difficulty of training recurrent neural networks".
    """
    _check_norm_type(norm_type)
    with no_grad():
        members = _with_gradients(params)
        total = _total_norm(members, norm_type)
        factor = minimum(max_norm / (total + _GUARD), 1.0)
        for _, g in members:
            g.assign_(g * factor)
    return total


def clip_grad_norm_per_parameter_(
    params: Tensor | Iterable[Tensor], max_norm: Bound, norm_type: float = 2.0
) -> None:
    """Each gradient g times min(1, max_norm / (‖g‖ + 1e-6)), by its own norm."""
    for p, _ in _with_gradients(params):
        clip_grad_norm_(p, max_norm, norm_type)


def clip_grad_agc_(
    params: Tensor | Iterable[Tensor],
    clipping: Bound = 0.01,
    eps: float = 1e-3,
    exclude_last: bool = False,
) -> None:
    """Adaptive clipping: a gradient may be at most ``clipping`` times as long as its weights.

    For each unit i (a row of a weight [out, ...]; a vector is one unit)::

        g_i ← g_i · clipping · max(‖w_i‖, eps) / max(‖g_i‖, 1e-6)     if that makes it shorter

    ``exclude_last`` leaves out the last parameter of two or more axes and what follows it (its
    bias), as the authors advise for the layer before the loss. Brock, De, Smith and Simonyan, 2021,
    "High-performance large-scale image recognition without normalization".
    """
    members = _listed(params)
    if exclude_last:
        matrices = [i for i, p in enumerate(members) if p.ndim >= 2]
        members = members[: matrices[-1]] if matrices else members
    with no_grad():
        for p, g in _with_gradients(members):
            most = maximum(_unit_norm(p, p), eps) * clipping
            length = _unit_norm(g, p)
            shorter = g * (most / maximum(length, _GUARD))
            g.assign_(where(most < length, shorter, g))


def _listed(params: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [params] if isinstance(params, Tensor) else list(params)


def _with_gradients(params: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The parameters that have gradients, with them."""
    return [(p, p.grad) for p in _listed(params) if p.grad is not None]


def _total_norm(members: list[tuple[Tensor, Tensor]], norm_type: float) -> Tensor:
    """The norm of all elements of all gradients: one number per gradient, then one of those.

    Sums are made in an order that shapes and layout decide, so threads do not change a bit.
    """
    if not members:
        return tensor(0.0)
    if norm_type == math.inf:
        return reduce(maximum, (reductions.amax(absolute(g)) for _, g in members))
    if norm_type == 2.0:
        powers = [(p, g * g) for p, g in members]
    else:
        powers = [(p, absolute(g) ** norm_type) for p, g in members]
    return reduce(add, (sum_all(power, like=p) for p, power in powers)) ** (1.0 / norm_type)


def _unit_norm(x: Tensor, p: Tensor) -> Tensor:
    """‖x_i‖ for each unit i along axis 0, or of the whole vector, with axes of length 1."""
    return norm_along(x, range(1, x.ndim) if x.ndim > 1 else range(x.ndim), like=p)


def _check_norm_type(norm_type: float) -> None:
    if not norm_type > 0:
        raise ConfigError(
            f"norm_type is {norm_type!r}",
            help="pass a number above 0, or math.inf for the maximum norm",
        )


# ------------------------------------------------------------------------------ as an object


class Clip(ABC):
    """Clips when called: ``clip(params)`` stands between ``backward()`` and ``step()``.

    ``clip.limit = 0.5`` holds from the next step on, in compiled steps too, and compiles nothing
    anew. `make` builds one from configuration.
    """

    kind: ClassVar[str]

    def __init__(self, limit: float) -> None:
        self.limit = limit

    @property
    def limit(self) -> float:
        """The bound, above 0."""
        return self._limit

    @limit.setter
    def limit(self, value: float) -> None:
        self._limit = positive("the limit of a clip", value)

    def __call__(self, params: Tensor | Iterable[Tensor]) -> Tensor | None:
        """Clip the gradients of ``params``; the total norm before, where it was computed."""
        return self.apply(params, host_scalar(lambda k: self._limit))

    @abstractmethod
    def apply(self, params: Tensor | Iterable[Tensor], limit: Bound) -> Tensor | None:
        """Clip to ``limit``."""

    def __repr__(self) -> str:
        settings = {"limit": self.limit} | {
            k: v for k, v in vars(self).items() if not k.startswith("_")
        }
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in settings.items())})"


class ByValue(Clip):
    """`clip_grad_value_`."""

    kind = "value"

    def apply(self, params: Tensor | Iterable[Tensor], limit: Bound) -> None:
        clip_grad_value_(params, limit)


class ByNorm(Clip):
    """`clip_grad_norm_per_parameter_`."""

    kind = "norm"

    def __init__(self, limit: float, norm_type: float = 2.0) -> None:
        super().__init__(limit)
        _check_norm_type(norm_type)
        self.norm_type = norm_type

    def apply(self, params: Tensor | Iterable[Tensor], limit: Bound) -> None:
        clip_grad_norm_per_parameter_(params, limit, self.norm_type)


class ByGlobalNorm(Clip):
    """`clip_grad_norm_`."""

    kind = "global_norm"

    def __init__(self, limit: float, norm_type: float = 2.0) -> None:
        super().__init__(limit)
        _check_norm_type(norm_type)
        self.norm_type = norm_type

    def apply(self, params: Tensor | Iterable[Tensor], limit: Bound) -> Tensor:
        return clip_grad_norm_(params, limit, self.norm_type)


class Adaptive(Clip):
    """`clip_grad_agc_`."""

    kind = "adaptive"

    def __init__(self, limit: float, eps: float = 1e-3, exclude_last: bool = False) -> None:
        super().__init__(limit)
        self.eps, self.exclude_last = not_negative("eps", eps), exclude_last

    def apply(self, params: Tensor | Iterable[Tensor], limit: Bound) -> None:
        clip_grad_agc_(params, limit, self.eps, self.exclude_last)


_KINDS: Mapping[str, type[Clip]] = {
    kind.kind: kind for kind in (ByValue, ByNorm, ByGlobalNorm, Adaptive)
}


def make(settings: Mapping[str, Any]) -> Clip:
    """A `Clip` from one key and its limit, and settings of that kind if wanted.

    ``{"value": 0.5}``, ``{"norm": 1.0}`` (of each gradient), ``{"global_norm": 1.0}``,
    ``{"adaptive": 0.01, "exclude_last": True}``. Raises ConfigError for a key that does not exist,
    for none or several kinds, and for values out of range.
    """
    chosen = [key for key in settings if key in _KINDS]
    if len(chosen) == 1:
        kind = _KINDS[chosen[0]]
        options = list(inspect.signature(kind).parameters)[1:]
    else:
        kind, options = None, ["norm_type", "eps", "exclude_last"]
    for key in settings:
        if key not in _KINDS and key not in options:
            raise unknown_key("clipping method", key, [*_KINDS, *options])
    if kind is None:
        raise ConfigError(
            f"gradients are to be clipped in {len(chosen)} ways: {', '.join(chosen) or 'none'}",
            help=f"pass one of {', '.join(_KINDS)}, with its limit",
        )
    return kind(settings[chosen[0]], **{key: settings[key] for key in options if key in settings})
