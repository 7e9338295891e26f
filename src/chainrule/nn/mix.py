"""Mixup: training on straight lines between examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import ConfigError, DTypeError, ShapeError
from ..frontend.modes import user_line
from ..frontend.random import Generator, beta, randperm
from ..frontend.tensor import Tensor
from .module import as_tensor


class Mixed(NamedTuple):
    """A mixed batch: inputs, both targets of each row, and the share of the first."""

    x: Tensor
    first: Tensor
    second: Tensor
    lam: Tensor

    def loss(self, function: Callable[[Tensor, Tensor], Tensor], outputs: Tensor) -> Tensor:
        """lam · L(outputs, first) + (1 - lam) · L(outputs, second), for targets of any kind."""
        return self.lam * function(outputs, self.first) + (1.0 - self.lam) * function(
            outputs, self.second
        )

    @property
    def target(self) -> Tensor:
        """lam · first + (1 - lam) · second: probabilities or real numbers; not class numbers."""
        if not self.first.dtype.is_float:
            raise DTypeError(
                f"targets of dtype {self.first.dtype!r} cannot be mixed",
                where=user_line(),
                help="use mixed.loss(function, outputs), or one-hot targets: "
                "F.one_hot(y, classes).float()",
            )
        return self.lam * self.first + (1.0 - self.lam) * self.second


def mixup(
    x: Tensor, y: Tensor, alpha: float | Tensor = 0.2, generator: Generator | None = None
) -> Mixed:
    """Each row of x mixed with another one: lam · x + (1 - lam) · x[order]::

        mixed = mixup(x, y, alpha=0.2)
        loss = mixed.loss(F.cross_entropy, model(mixed.x))

    One lam of Beta(alpha, alpha) for the batch, and a random order of its rows. Both come from the
    generator (seven counts) inside the compiled step, so they are a function of seed and step
    alone. ``alpha`` above 0; a 0-d Tensor may change without compiling anew. Zhang, Cissé, Dauphin
    and Lopez-Paz, 2018, "mixup: Beyond empirical risk minimization", who took 0.1 to 0.4.

    Raises ShapeError if x and y do not have equally many rows.
    """
    x, y = as_tensor(x), as_tensor(y)
    if isinstance(alpha, int | float) and not alpha > 0:
        raise ConfigError(f"alpha is {alpha!r}", help="alpha of mixup must be above 0")
    if not x.shape or not y.shape or x.shape[0] != y.shape[0]:
        raise ShapeError(
            f"mixup got inputs of shape {x.shape} and targets of shape {y.shape}",
            where=user_line(),
            help="both need one row per example of the batch",
        )
    lam = beta((), alpha, alpha, generator)
    order = randperm(x.shape[0], generator)
    mixed = lam * x + (1.0 - lam) * x.index_select(0, order)
    return Mixed(mixed, y, y.index_select(0, order), lam)
