"""scikit-learn's ``MLPClassifier``: ``partial_fit`` per batch, or ``fit`` over whole epochs.

``fit`` shuffles by its own generator, so its batches differ in order, not in number or size.
Its Adam adds epsilon before the bias correction, a difference of the order of epsilon.
"""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils._testing import ignore_warnings

from benchmarks.peers import Session
from benchmarks.workloads import Mode, Workload


class SklearnSession:
    """One classifier whose fitted weights are replaced by the common ones."""

    def __init__(self, workload: Workload, mode: Mode) -> None:
        self.workload, self.mode = workload, mode
        x, y = workload.data()
        self.x, self.y = x, y.ravel().astype(np.int64)
        rows = workload.order(1)
        self.batches = [(self.x[r], self.y[r]) for r in rows]
        self.classes = np.unique(self.y)
        self.model = MLPClassifier(
            hidden_layer_sizes=workload.dense.widths[1:-1],
            solver="adam",
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=workload.lr,
            max_iter=1,
            tol=0.0,
            n_iter_no_change=10**9,
            warm_start=True,
            random_state=0,
        )
        self.model.partial_fit(*self.batches[0], classes=self.classes)
        self.reset()

    def reset(self) -> None:
        weights = self.workload.weights()
        self.model.coefs_ = [np.ascontiguousarray(w.T) for w in weights[::2]]
        self.model.intercepts_ = [b.copy() for b in weights[1::2]]
        if hasattr(self.model, "_optimizer"):
            del self.model._optimizer  # made anew, with zero moments, by the next fit

    @ignore_warnings(category=ConvergenceWarning)
    def run(self, steps: int) -> None:
        if self.mode == "loop":
            self.model.max_iter = max(1, steps // self.workload.steps_per_epoch)
            self.model.fit(self.x, self.y)
            return
        for i in range(steps):
            self.model.partial_fit(*self.batches[i % len(self.batches)])

    def answers(self, steps: int) -> list[float]:
        if self.mode == "loop":
            return []
        self.reset()
        found = []
        for batch in self.batches[:steps]:
            self.model.partial_fit(*batch)
            found.append(float(self.model.loss_))
        return found


def open_session(workload: Workload, form: str, mode: Mode) -> Session:
    return SklearnSession(workload, mode)
