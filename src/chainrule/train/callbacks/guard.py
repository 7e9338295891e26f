"""A way back from divergence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ...errors import ConfigError, TrainingError
from ...ir.types import is_real, is_whole
from ..batch_source import spread_rows
from ..callback import Callback, Logs, watched
from ..evaluation import EVALUATION_ROWS
from .rates import rates_of, scale_rates

__all__ = ["DivergenceGuard"]


class DivergenceGuard(Callback):
    """Goes back to the last good state when training diverges, with a lower learning rate.

    Training diverges when the loss is no longer finite, or when ``monitor`` was above ``factor``
    times its best (or the loss before the first step) in ``patience`` epochs one after the other.
    The state after the best epoch is held in memory: weights, optimizer, random numbers, history,
    other callbacks. An epoch's loss is that of the weights before each of its steps, so a state is
    held only if the weights that the last step left are good too: their loss on (at most 1024)
    training rows is finite and at most ``factor`` times its best.

    Each return multiplies the learning rate by ``lr_factor``; after ``most`` returns a further
    divergence is an error. ``returns`` lists (epoch that diverged, epoch that is next).
    """

    in_snapshots: ClassVar[bool] = False

    def __init__(
        self,
        factor: float = 3.0,
        patience: int = 3,
        lr_factor: float = 0.5,
        most: int = 3,
        monitor: str = "loss",
    ) -> None:
        numbers = is_real(factor) and is_real(lr_factor) and is_whole(patience) and is_whole(most)
        if not (numbers and factor > 1 and patience >= 1 and 0 < lr_factor < 1 and most >= 0):
            raise ConfigError(
                f"invalid divergence guard: factor={factor!r}, patience={patience!r}, "
                f"lr_factor={lr_factor!r}, most={most!r}",
                help="factor must be above 1, patience at least 1, lr_factor between 0 and 1, most "
                "at least 0",
            )
        self.factor, self.patience, self.monitor = factor, patience, monitor
        self.lr_factor, self.most = lr_factor, most
        self.returns: list[tuple[int, int]] = []

    def on_train_begin(self, logs: Logs) -> None:
        self.returns = []
        self._best, self._bad, self._since = self._loss_now(), 0, 0
        self._after = self._loss_after()
        self._good = self.trainer.state(snapshot=True)

    def _loss_now(self) -> float:
        """What there is to compare the first epoch with: it may have diverged already."""
        run = self.trainer.run
        if run is None or self.monitor not in ("loss", "val_loss"):
            return np.inf
        source = run.train if self.monitor == "loss" else run.validation
        if source is None:
            return np.inf
        value = self.trainer.evaluate_source(source, EVALUATION_ROWS)["loss"]
        return value if np.isfinite(value) else np.inf

    def _loss_after(self) -> float:
        """The loss of the weights as they are now, averages apart; infinity if there is none."""
        run = self.trainer.run
        if run is None:
            return np.inf
        few = spread_rows(run.train.rows, EVALUATION_ROWS)
        value = self.trainer.loss_on(run.train, few, averaged=False)
        return value if np.isfinite(value) else np.inf

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = watched("the guard", self.monitor, logs)
        if value < self._best and self._keep_state(value):
            return
        self._bad = 0 if value <= self._limit(self._best) else self._bad + 1
        if self._bad < self.patience:
            return
        what = f"{self.monitor} is {value:.4g}, the best was {self._best:.4g}"
        if not self._go_back(epoch, what):
            again = f" again, after {len(self.returns)} rollbacks" if self.returns else ""
            raise TrainingError(
                f"training diverged{again}: {what}",
                where=f"epoch {epoch + 1}",
                help=f"the learning rate is already down to {self._rate():g}; start "
                "with a lower one, or look for problems in the data",
            )

    def _limit(self, best: float) -> float:
        """A loss above this has diverged from ``best``, which may be negative."""
        return best + (self.factor - 1) * abs(best)

    def _keep_state(self, value: float) -> bool:
        """Holds the present state, unless the last step of the epoch made the weights explode."""
        after = self._loss_after()
        if not after <= self._limit(self._after) or after == np.inf:
            return False
        self._best, self._bad, self._since = value, 0, 0
        self._after = min(after, self._after)
        self._good = self.trainer.state(snapshot=True)
        return True

    def on_divergence(self, epoch: int, error: TrainingError) -> bool:
        return self._go_back(epoch, error.what)

    def _go_back(self, epoch: int, what: str) -> bool:
        if len(self.returns) >= self.most:
            return False
        self.trainer.go_back(self._good)
        self._bad, self._since = 0, self._since + 1
        # The rate of the good state was not lowered yet by earlier returns to that state.
        before, factor = self._rate(), self.lr_factor**self._since
        scale_rates(self.trainer.optimizer, factor)
        run = self.trainer.run
        following = 0 if run is None else run.epoch
        self.returns.append((epoch, following))
        self.trainer.tell(
            f"epoch {epoch + 1} diverged ({what}): rolled back to the state "
            f"before epoch {following + 1}, learning rate lowered to {self._rate():.3g} "
            f"(rollback {len(self.returns)} of at most {self.most})"
        )
        if run is not None:
            run.hooks("on_rollback", following, {"before": before, "factor": factor})
        return True

    def _rate(self) -> float:
        return max(rates_of(self.trainer.optimizer), default=0.0)

    def state(self) -> dict[str, Any]:
        return {
            "best": float(self._best),
            "after": float(self._after),
            "bad": self._bad,
            "since": self._since,
            "returns": [tuple(r) for r in self.returns],
            "good": self._good,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._best, self._bad, self._since = state["best"], state["bad"], state["since"]
        self._after = state["after"]
        self.returns, self._good = [tuple(r) for r in state["returns"]], state["good"]
