"""The formulas of a multilayer perceptron: layers, losses, and what its outputs mean.

h_0 = x,   h_i = dropout(f(h_{i-1} W_i + b_i)),   z = h_{n-1} W_n + b_n

Matrices are [inputs, outputs], as in scikit-learn's ``coefs_``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..frontend import Generator, Tensor
from ..frontend.operations.arithmetic import clamp, exp, log, maximum, sigmoid, tanh, where
from ..nn import functional as F

__all__ = ["ACTIVATIONS", "CLASSIFICATION_LOSSES", "REGRESSION_LOSSES", "Loss", "dropping",
           "outputs", "predicted", "row_losses", "values_of"]  # fmt: skip

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "logistic": sigmoid,
    "tanh": tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
}
CLASSIFICATION_LOSSES = ("log_loss", "focal")
REGRESSION_LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")


@dataclass(frozen=True)
class Loss:
    """A loss with all that its formula needs. ``link`` leads from outputs to predictions.

    ``number`` is the width of a Huber loss, the level of a quantile, or the exponent of a focal
    loss; ``smoothing`` that of labels.
    """

    name: str
    link: str
    number: float = 0.0
    smoothing: float = 0.0


def outputs(
    x: Tensor,
    weights: Sequence[Tensor],
    activation: str,
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """z of rows x; ``weights`` are all matrices, then all biases."""
    layers = len(weights) // 2
    for i in range(layers):
        x = x @ weights[i] + weights[layers + i]
        if i + 1 < layers:
            x = ACTIVATIONS[activation](x)
            x = x if dropout is None else dropout(x)
    return x


def dropping(rate: float, generator: Generator) -> Callable[[Tensor], Tensor] | None:
    """Dropout at ``rate`` with the numbers of ``generator``; None if nothing is dropped."""
    return (lambda x: F.dropout(x, rate, generator=generator)) if rate else None


def row_losses(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    """The loss of each row, the sum over its outputs.

    log_loss: -log p_y. focal: -(1 - p_y)^number log p_y (Lin et al. 2017). squared_error: ½ (y -
    z)². poisson: y log y - y z - y + eᶻ. quantile: max(q d, (q - 1) d) with d = y - z.
    """
    if loss.link == "softmax":
        return _softmax_losses(loss, z, y)
    if loss.link == "logistic":
        if loss.smoothing:
            y = y * (1 - loss.smoothing) + loss.smoothing / 2
        each = F.binary_cross_entropy_with_logits(z, y, reduction="none")
        if loss.name == "focal":
            each = each * _power(1 - exp(-each), loss.number)
    elif loss.name == "poisson":
        logs = where(y > 0.0, y * log(maximum(y, 1e-30)), 0.0)
        each = logs - y * z - y + exp(z)
    elif loss.name == "absolute_error":
        each = F.l1_loss(z, y, reduction="none")
    elif loss.name == "huber":
        each = F.huber_loss(z, y, "none", loss.number)
    elif loss.name == "quantile":
        d = y - z
        each = maximum(loss.number * d, (loss.number - 1) * d)
    else:
        d = z - y
        each = 0.5 * d * d
    return each.sum(1)


def _softmax_losses(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    each = F.cross_entropy(z, y, reduction="none", label_smoothing=loss.smoothing)
    return each * _power(1 - exp(-each), loss.number) if loss.name == "focal" else each


def _power(base: Tensor, exponent: float) -> Tensor:
    """base ** exponent for base in [0, 1]; at 0 its derivative stays finite."""
    return exp(exponent * log(clamp(base, 1e-12, 1.0)))


def predicted(link: str, z: Array) -> Floats:
    """Probabilities, or numbers, of outputs ``z``, in float64."""
    z = np.asarray(z, np.float64)
    if link == "logistic":
        return np.exp(-np.logaddexp(0, -z))
    if link == "softmax":
        raised = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
    return np.exp(z) if link == "exp" else z


def values_of(loss: Loss, z: Array, y: Array) -> Floats:
    """`row_losses` in float64, on the host."""
    z, y = np.asarray(z, np.float64), np.asarray(y, np.float64 if y.dtype.kind == "f" else y.dtype)
    if loss.link == "softmax":
        each = _smoothed_log_loss(z, y, loss.smoothing)
    elif loss.link == "logistic":
        y = y * (1 - loss.smoothing) + loss.smoothing / 2 if loss.smoothing else y
        each = np.logaddexp(0, z) - y * z
    elif loss.name == "poisson":
        each = y * np.log(np.where(y > 0, y, 1)) - y * z - y + np.exp(z)
    elif loss.name == "absolute_error":
        each = abs(y - z)
    elif loss.name == "huber":
        size = abs(y - z)
        each = np.where(size < loss.number, size**2 / 2, loss.number * (size - loss.number / 2))
    elif loss.name == "quantile":
        each = np.maximum(loss.number * (y - z), (loss.number - 1) * (y - z))
    else:
        each = (y - z) ** 2 / 2
    if loss.name == "focal":
        each = each * (1 - np.exp(-each)) ** loss.number
    return np.asarray(each if each.ndim == 1 else each.sum(axis=1))


def _smoothed_log_loss(z: Floats, y: Array, smoothing: float) -> Floats:
    top = z.max(axis=1, keepdims=True)
    logs = z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    picked = np.take_along_axis(logs, y[:, None], axis=1)[:, 0]
    return np.asarray(-(1 - smoothing) * picked - smoothing * logs.mean(axis=1))
