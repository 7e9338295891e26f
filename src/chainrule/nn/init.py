"""Initial values of parameters, written in place; names and formulas are PyTorch's.

All numbers come from the default generator, so `chainrule.manual_seed` fixes them.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ..errors import ConfigError, ShapeError, meant
from ..frontend import random
from ..frontend.apply import from_array
from ..frontend.functional.activations import setting
from ..frontend.modes import no_grad, paused
from ..frontend.tensor import Tensor
from ..ir.types import Array
from .module import Module

M = TypeVar("M", bound=Module)

__all__ = [
    "apply", "calculate_gain", "constant_", "dirac_", "eye_", "fan_in_and_fan_out",
    "kaiming_normal_", "kaiming_uniform_", "lecun_normal_", "lecun_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_",
    "zeros_",
]  # fmt: skip


class _Thread(threading.local):
    spared: bool = False


_thread = _Thread()


@contextmanager
def spared() -> Iterator[None]:
    """Inside, this thread fills parameters with zeros instead of drawing: they are about to be
    loaded."""
    before, _thread.spared = _thread.spared, True
    try:
        yield
    finally:
        _thread.spared = before


def _fill(tensor: Tensor, make: Callable[[], Tensor]) -> Tensor:
    """Write what ``make`` computes, outside of any trace and history."""
    if _thread.spared:
        return constant_(tensor, 0.0)
    with paused(), no_grad():
        return tensor.assign_(make())


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on weights before ``nonlinearity`` that keeps the variance of signals.

    1 for none and for sigmoid, 5/3 for tanh, √2 for relu, √(2 / (1 + param²)) for leaky_relu with
    the slope ``param`` (0.01), 3/4 for selu: PyTorch's numbers. SELU's own theory asks for 1, which
    is `lecun_normal_`.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1.0 + slope**2))
    gains = {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}
    same = ("linear", "sigmoid", "conv1d", "conv2d", "conv3d")
    if nonlinearity not in gains and nonlinearity not in same:
        known = [*gains, "leaky_relu", *same]
        raise _unknown("gain for", nonlinearity, known)
    return gains.get(nonlinearity, 1.0)


def _unknown(what: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that does not exist, with the nearest that does."""
    names = list(known)
    hint = meant(name, names)
    return ConfigError(f"unknown {what} {name!r}", help=f"{hint}known: {', '.join(names)}")


def fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs one output has, and the other way round, for weights [out, in, ...]."""
    if tensor.ndim < 2:
        raise ShapeError(f"a weight of shape {tensor.shape} has no fan-in: it needs two axes")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


# ------------------------------------------------------------------------------ plain fills


def constant_(tensor: Tensor, val: float) -> Tensor:
    """``val`` everywhere."""
    with paused(), no_grad():
        return tensor.assign_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, else 0."""
    return _fill(tensor, lambda: _of(np.eye(*tensor.shape, dtype=np.float32)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Convolution weights [out, in, ...] that hand channels through."""
    values = np.zeros(tensor.shape, np.float32)
    centre = tuple(n // 2 for n in tensor.shape[2:])
    outputs = tensor.shape[0] // groups
    for group in range(groups):
        for channel in range(min(outputs, tensor.shape[1])):
            values[(group * outputs + channel, channel, *centre)] = 1.0
    return _fill(tensor, lambda: _of(values))


def _of(array: Array) -> Tensor:
    return from_array(array.astype(np.float32, copy=False))


# ---------------------------------------------------------------------------- random fills


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform in [a, b); `ConfigError` if a is above b."""
    setting("a", a, a <= b, f"at most b, which is {b}")
    return _fill(tensor, lambda: random.uniform(tensor.shape, a, b))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal; `ConfigError` for a deviation below 0."""
    setting("std", std, std >= 0.0, "a number of at least 0")
    return _fill(tensor, lambda: random.normal(tensor.shape, mean, std))


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """Normal, conditioned to lie between a and b: the quantile of a uniform share.

    `ConfigError` if a is not below b, and for a deviation that is not above 0.
    """
    setting("a", a, a < b, f"below b, which is {b}")
    setting("std", std, std > 0.0, "a number above 0")

    def share(x: float) -> float:
        return 0.5 * (1.0 + math.erf((x - mean) / (std * math.sqrt(2.0))))

    def draw() -> Tensor:
        low, high = share(a), share(b)
        u = (random.rand(tensor.shape) * (high - low) + low).clamp(2.0**-24, 1.0 - 2.0**-24)
        return (random.normal_quantile(u) * std + mean).clamp(a, b)

    return _fill(tensor, draw)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform with variance gain² · 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / sum(fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal with variance gain² · 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fan_in_and_fan_out(tensor))))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ConfigError(f"mode is {mode!r}", help="use 'fan_in' or 'fan_out'")
    fans = dict(zip(("fan_in", "fan_out"), fan_in_and_fan_out(tensor), strict=True))
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fans[mode]))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Uniform with variance gain² / fan (He et al., 2015); ``a`` is the leaky slope."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Normal with variance gain² / fan (He et al., 2015); ``a`` is the leaky slope."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def lecun_uniform_(tensor: Tensor) -> Tensor:
    """Uniform with variance 1 / fan_in (LeCun et al., 1998)."""
    bound = math.sqrt(3.0 / fan_in_and_fan_out(tensor)[0])
    return uniform_(tensor, -bound, bound)


def lecun_normal_(tensor: Tensor) -> Tensor:
    """Normal with variance 1 / fan_in (LeCun et al., 1998)."""
    return normal_(tensor, 0.0, math.sqrt(1.0 / fan_in_and_fan_out(tensor)[0]))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Rows (or columns, if there are more rows) orthonormal, times gain (Saxe et al., 2013)."""
    if tensor.ndim < 2:
        raise ShapeError(f"shape {tensor.shape} has no rows and columns to make orthogonal")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])

    def draw() -> Tensor:
        normal = random.randn(max(rows, columns), min(rows, columns)).numpy()
        q, r = np.linalg.qr(normal.astype(np.float64))
        q = q * np.sign(np.diag(r))  # makes the distribution uniform
        return _of((gain * (q.T if rows < columns else q)).reshape(tensor.shape))

    return _fill(tensor, draw)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """Normal, but a share ``sparsity`` of each column of a matrix is 0 (Martens, 2010)."""
    setting("sparsity", sparsity, 0.0 <= sparsity <= 1.0, "a share, from 0 to 1")
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_ fills matrices, not shape {tensor.shape}")
    zeros = math.ceil(sparsity * tensor.shape[0])

    def draw() -> Tensor:
        values = random.normal(tensor.shape, 0.0, std).numpy()
        order = np.argsort(random.rand(tensor.shape).numpy(), axis=0, kind="stable")
        np.put_along_axis(values, order[:zeros], 0.0, axis=0)
        return _of(values)

    return _fill(tensor, draw)


# ------------------------------------------------------------------------------ whole models

_SCHEMES: Mapping[str, Callable[..., Tensor]] = {
    "glorot_uniform": xavier_uniform_,
    "glorot_normal": xavier_normal_,
    "he_uniform": kaiming_uniform_,
    "he_normal": kaiming_normal_,
    "lecun_uniform": lecun_uniform_,
    "lecun_normal": lecun_normal_,
    "orthogonal": orthogonal_,
    "trunc_normal": trunc_normal_,
    "sparse": sparse_,
    "uniform": uniform_,
    "normal": normal_,
    "zeros": zeros_,
}
_ALIASES = {"xavier": "glorot", "kaiming": "he"}


def apply(
    model: M,
    scheme: str,
    nonlinearity: str = "relu",
    *,
    param: float | None = None,
    bias: float | None = 0.0,
    **options: Any,
) -> M:
    """Draws the weights of all layers of ``model`` anew by ``scheme``; returns the model::

        init.apply(model, "he_normal", "relu")
        init.apply(model, "lecun_normal", "selu")
        init.apply(model, "sparse", sparsity=0.9, std=0.1)

    Schemes are ``glorot_uniform``, ``glorot_normal``, ``he_uniform``, ``he_normal`` (also by their
    first names, ``xavier_`` and ``kaiming_``), ``lecun_uniform``, ``lecun_normal``, ``orthogonal``,
    ``trunc_normal``, ``sparse``, ``uniform``, ``normal`` and ``zeros``; ``options`` are those of
    the function that fills one Tensor, ``param`` is the slope of leaky_relu.

    What is drawn are parameters named weight… with two or more axes of layers that can have a bias,
    so embeddings and normalisation stay. Their biases become ``bias`` (None: stay). Raises
    ConfigError for an unknown scheme, nonlinearity or option, before anything is changed.
    """
    first, _, rest = scheme.partition("_")
    name = "_".join(part for part in (_ALIASES.get(first, first), rest) if part)
    if name not in _SCHEMES:
        raise _unknown("scheme of initial values", scheme, _SCHEMES)
    fill = _SCHEMES[name]
    settings = _settings(fill, scheme, nonlinearity, param, options)
    for module in model.modules():
        slots = [(n, p) for n, p in module._parameters.items() if p is not None]
        weights = [p for n, p in slots if "weight" in n and p.ndim >= 2]
        if not weights or not any("bias" in n for n in module._parameters):
            continue
        for weight in weights:
            fill(weight, **settings)
        if bias is not None:
            for parameter in (p for n, p in slots if "bias" in n):
                constant_(parameter, bias)
    return model


def _settings(
    fill: Callable[..., Tensor],
    scheme: str,
    nonlinearity: str,
    param: float | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The arguments of ``fill``: ``options``, and what follows from the nonlinearity."""
    gain = calculate_gain(nonlinearity, param)
    slots = list(inspect.signature(fill).parameters.values())[1:]
    known = [slot.name for slot in slots]
    for name in options:
        if name not in known:
            raise _unknown(f"option of the scheme {scheme!r},", name, known)
    settings: dict[str, Any] = {}
    if "nonlinearity" in known:
        settings = {"nonlinearity": nonlinearity, "a": 0.01 if param is None else param}
    elif "gain" in known:
        settings = {"gain": gain}
    settings |= options
    for slot in slots:
        if slot.default is slot.empty and slot.name not in settings:
            raise ConfigError(
                f"the scheme {scheme!r} needs the option {slot.name!r}",
                help=f"init.apply(model, {scheme!r}, {slot.name}=...)",
            )
    return settings
