"""The loss as a trainer sees it: a function, the targets it takes, what the outputs mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .. import nn
from ..errors import ConfigError, DataError, ShapeError, meant
from ..frontend import Tensor
from ..nn.weighing import WEIGHED, Weigher, weigher
from .scores import Link

__all__ = ["LOSSES", "Criterion"]

Array = npt.NDArray[Any]
Targets = Literal["classes", "like_outputs", "any"]

LOSSES: dict[str, Callable[[], Any]] = {
    "cross_entropy": nn.CrossEntropyLoss,
    "nll": nn.NLLLoss,
    "bce": nn.BCELoss,
    "bce_with_logits": nn.BCEWithLogitsLoss,
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": nn.HuberLoss,
    "smooth_l1": nn.SmoothL1Loss,
    "pinball": nn.PinballLoss,
    "ctc": nn.CTCLoss,  # its arguments in one target: `Modality.loss`
}

#: by the name of the loss's class or function: its targets, and the way to probabilities
_KNOWN: dict[str, tuple[Targets, Link]] = {
    "CrossEntropyLoss": ("classes", "softmax"),
    "cross_entropy": ("classes", "softmax"),
    "NLLLoss": ("classes", "exp"),
    "nll_loss": ("classes", "exp"),
    "BCELoss": ("like_outputs", "probability"),
    "binary_cross_entropy": ("like_outputs", "probability"),
    "BCEWithLogitsLoss": ("like_outputs", "sigmoid"),
    "binary_cross_entropy_with_logits": ("like_outputs", "sigmoid"),
    "MSELoss": ("like_outputs", "identity"),
    "mse_loss": ("like_outputs", "identity"),
    "L1Loss": ("like_outputs", "identity"),
    "l1_loss": ("like_outputs", "identity"),
    "HuberLoss": ("like_outputs", "identity"),
    "huber_loss": ("like_outputs", "identity"),
    "SmoothL1Loss": ("like_outputs", "identity"),
    "smooth_l1_loss": ("like_outputs", "identity"),
    "PoissonNLLLoss": ("like_outputs", "identity"),
    "poisson_nll_loss": ("like_outputs", "identity"),
}


@dataclass(frozen=True)
class Criterion:
    """``function(outputs, target)`` gives the loss; ``targets`` and ``link`` say what both mean."""

    function: Callable[..., Any]
    targets: Targets
    link: Link
    #: the same of (outputs, target, weights); None if it cannot weigh rows
    weigh: Weigher | None = None

    @classmethod
    def of(cls, loss: str | Callable[..., Any]) -> Criterion:
        """From a name (``"cross_entropy"``), a loss module, or any function of outputs and target.

        Raises ConfigError for an unknown name.
        """
        if isinstance(loss, str):
            if loss not in LOSSES:
                hint = f"{meant(loss, LOSSES)}known: {', '.join(LOSSES)}"
                raise ConfigError(
                    f"unknown loss {loss!r}", help=f"{hint}; or pass a loss from chainrule.nn"
                )
            loss = LOSSES[loss]()
        if not callable(loss) or isinstance(loss, type):
            raise ConfigError(
                f"the loss is {loss!r}", help="pass a name or an instance: nn.CrossEntropyLoss()"
            )
        known = loss.loss if isinstance(loss, nn.EnsembleLoss) else loss
        name = getattr(known, "__name__", type(known).__name__)
        return cls(loss, *_KNOWN.get(name, ("any", "identity")), weigher(loss))

    def check_weighted(self) -> None:
        """ConfigError for a loss that cannot weigh rows."""
        if self.weigh is None:
            raise ConfigError(
                f"{self._name} takes no sample weights",
                help=f"use one of {', '.join(WEIGHED)}, or a function of (outputs, target, "
                "weights)",
            )

    def weighted(self, outputs: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """The loss of rows that count as much as ``weights`` [rows] says: see `weigher`."""
        assert self.weigh is not None  # checked with the data
        return self.weigh(outputs, target, weights)

    @property
    def restricts_values(self) -> bool:
        """Whether a target of the right shape may still hold what the loss cannot take."""
        return self.targets == "classes" or self.link in ("sigmoid", "probability")

    def fitted_target(
        self, target: Array, outputs: tuple[int, ...], name: str, first: int = 0
    ) -> Array:
        """``target`` (rows first) as the loss wants it beside outputs of shape [rows, ...].

        ``outputs`` is the shape without the rows. Raises ShapeError or DataError, naming ``name``
        and the row, counted from ``first``.
        """
        if self.targets == "classes":
            return self._fitted_classes(target, outputs, name, first)
        if self.targets == "like_outputs":
            return self._fitted_numbers(target, outputs, name, first)
        return target

    def _fitted_classes(
        self, target: Array, outputs: tuple[int, ...], name: str, first: int
    ) -> Array:
        if not outputs or outputs[0] == 1:
            raise ShapeError(
                f"the model has one output, but {self._name} needs one for each class",
                help="give the last layer one output per class, or use "
                "nn.BCEWithLogitsLoss() for two classes",
            )
        if target.dtype.kind == "f" and target.shape[1:] == outputs:
            return target  # probabilities of the classes
        target = _without_unit_axis(target, outputs[1:])
        if target.shape[1:] != outputs[1:]:
            raise ShapeError(
                f"targets of shape {target.shape} do not match outputs "
                f"of shape {('rows', *outputs)}",
                help="pass one class index for each row, from 0",
            )
        classes = target.astype(np.int32)
        if not np.array_equal(classes, target):
            raise _bad_value(classes != target, target, name, "which is not a class index", first)
        ignored = getattr(self.function, "ignore_index", -100)
        unknown = ((classes < 0) | (classes >= outputs[0])) & (classes != ignored)
        if unknown.any():
            reason = f"but the model has {outputs[0]} outputs: classes are 0 to {outputs[0] - 1}"
            raise _bad_value(unknown, target, name, reason, first)
        return classes

    def _fitted_numbers(
        self, target: Array, outputs: tuple[int, ...], name: str, first: int
    ) -> Array:
        target = _without_unit_axis(target.astype(np.float32, copy=False), outputs)
        if outputs == (1,) and target.ndim == 1:
            target = target[:, None]
        if target.shape[1:] != outputs:
            raise ShapeError(
                f"targets of shape {target.shape} do not match outputs "
                f"of shape {('rows', *outputs)}",
                help="the last layer needs one output per number in a row of the target"
                + ("" if len(outputs) == 0 else f", here {int(np.prod(target.shape[1:]))}"),
            )
        if self.link in ("sigmoid", "probability") and not ((target >= 0) & (target <= 1)).all():
            reason = f"but {self._name} needs numbers from 0 to 1"
            raise _bad_value((target < 0) | (target > 1), target, name, reason, first)
        return target

    @property
    def _name(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))


def _without_unit_axis(target: Array, shape: tuple[int, ...]) -> Array:
    """[rows, 1] as [rows] where the outputs have no such axis."""
    if target.shape[1:] == (*shape, 1):
        return target.reshape(target.shape[:-1])
    return target


def _bad_value(where: Array, target: Array, name: str, reason: str, first: int) -> DataError:
    row = tuple(int(i) for i in np.argwhere(where)[0])
    return DataError(
        f"the target of the {name} holds {target[row]}, {reason}",
        where=f"row {first + row[0]}",
        help="number the classes from 0 without gaps, and check the last layer and the loss",
    )
