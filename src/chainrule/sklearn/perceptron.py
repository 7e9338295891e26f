"""What perceptrons for classes and for numbers share: parameters, training, attributes."""

from __future__ import annotations

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import ConfigError, DataError
from ..train.weights import checked_weights
from . import lbfgs
from .examples import Rows, merged
from .formulas import Loss, predicted, values_of
from .frozen import Pickled
from .parameters import check_parameters, hidden_layers
from .plans import form_of, heeds_rates, new_rate, rate_of_epoch
from .programs import Updates, network_outputs, reported_outputs, updates_of
from .progress import Held, Progress
from .stochastic import Epochs
from .threads import threads

__all__ = ["Perceptron", "is_stochastic"]

Array = npt.NDArray[Any]


class Perceptron(Pickled, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """The base of `MLPClassifier` and `MLPRegressor`.

    The weights are the attributes ``coefs_`` and ``intercepts_``, which may be assigned: programs
    get them anew for each fit and each prediction.
    """

    _losses: tuple[str, ...]

    coefs_: list[Array]
    intercepts_: list[Array]
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    validation_loss_: list[float] | None
    best_loss_: float | None
    best_validation_score_: float | None
    #: learning rate and state of the optimizer, with which `partial_fit` goes on
    _optimizer: dict[str, Any] | None

    def _set(self, parameters: Mapping[str, Any]) -> None:
        """The constructor: ``parameters`` are its locals."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # ------------------------------------------------------------------------- of each kind

    @abstractmethod
    def _read(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        """Inputs, checked, and encoded targets; sets what is known of them."""

    @abstractmethod
    def _outputs(self, y: Array) -> int:
        """How many outputs the network needs for these targets."""

    @abstractmethod
    def _loss(self) -> Loss:
        """The loss, for the targets that were read."""

    @abstractmethod
    def _judge(self, z: Array, held: Held) -> float:
        """The score of outputs on validation rows; more is better."""

    def _stratify(self, y: Array) -> Array | None:
        """What validation rows are drawn in proportion to."""
        return None

    def _class_weights(self, y: Any) -> Array | None:
        """What each row counts for its class."""
        return None

    # ------------------------------------------------------------------------------ fitting

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Any:
        parameters = self.get_params(deep=False)
        check_parameters(parameters, self._losses)
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        labels = y
        X, y = self._read(X, y, incremental, first)
        weights = checked_weights(sample_weight, len(y))
        by_class = self._class_weights(labels)
        weights = weights if by_class is None else weights * by_class
        self.n_outputs_ = self._outputs(y)
        units = (X.shape[1], *hidden_layers(self.hidden_layer_sizes), self.n_outputs_)
        random = check_random_state(self.random_state)
        if first:
            self._begin(units, random, X.dtype)
        with threads(self.n_jobs):
            if self.solver == "lbfgs":
                self._fit_lbfgs(X, y, weights, units)
            else:
                self._fit_epochs(X, y, weights, units, random, incremental)
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise DataError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed.",
                help="scale the columns first: make_pipeline(StandardScaler(), ...), or lower "
                "learning_rate_init",
            )
        return self

    def _begin(self, units: tuple[int, ...], random: np.random.RandomState, dtype: Any) -> None:
        """Attributes and weights before the first step: scikit-learn's, by its random numbers."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(units)
        self.out_activation_ = self._loss().link
        self.coefs_, self.intercepts_ = [], []
        factor = 2.0 if self.activation == "logistic" else 6.0
        for fan_in, fan_out in itertools.pairwise(units):
            bound = np.sqrt(factor / (fan_in + fan_out))
            self.coefs_.append(random.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype))
            self.intercepts_.append(random.uniform(-bound, bound, fan_out).astype(dtype))
        self._optimizer = None
        if self.solver == "lbfgs":
            return
        self.loss_curve_ = []
        self._no_improvement_count = 0
        held = self.early_stopping
        self.validation_scores_ = [] if held else None
        self.validation_loss_ = [] if held else None
        self.best_validation_score_ = -np.inf if held else None
        self.best_loss_ = None if held else np.inf

    def _take_weights(self, weights: Any) -> None:
        """New weights, in the dtype that the data had."""
        dtype, layers = self.coefs_[0].dtype, len(weights) // 2
        cast = [np.asarray(w).astype(dtype) for w in weights]
        self.coefs_, self.intercepts_ = cast[:layers], cast[layers:]

    def _fit_lbfgs(self, X: Any, y: Array, weights: Array, units: tuple[int, ...]) -> None:
        if self.dropout:
            raise ConfigError(
                "lbfgs needs the same loss at every evaluation, which dropout changes",
                help='set dropout=0, or another solver such as "adam"',
            )
        X, y, weights = merged(X, y, weights)
        rows = Rows(X, y, weights, min(len(y), lbfgs.BLOCK))
        objective = lbfgs.Objective(rows, units, self.activation, self._loss(), float(self.alpha))
        start = [*self.coefs_, *self.intercepts_]
        found, self.loss_, self.n_iter_ = lbfgs.search(
            objective, start, float(self.tol), int(self.max_iter), int(self.max_fun)
        )
        self._take_weights(found)

    def _fit_epochs(
        self,
        X: Any,
        y: Array,
        weights: Array,
        units: tuple[int, ...],
        random: np.random.RandomState,
        incremental: bool,
    ) -> None:
        if self.early_stopping and incremental:
            raise ConfigError(
                "partial_fit does not support early_stopping=True",
                help="keep rows of your own to validate on, or use fit",
            )
        held = None
        if self.early_stopping:
            X, y, weights, held = self._divided(X, y, weights, random)
        batch = self._batch(len(y))
        count = len(y)
        if batch >= count and not self.dropout:
            X, y, weights = merged(X, y, weights)
            batch = len(y)
        rows = Rows(X, y, weights, batch)
        progress = self._progress()
        form = form_of(self, units, self._loss())
        old = getattr(self, "_optimizer", None) if incremental else None
        seed = int(random.randint(2**31)) if self.dropout else 0
        with updates_of(form) as updates:
            schedule = new_rate(self, rows.steps, incremental)
            progress.lr = float(old["lr"] if old else self.learning_rate_init)
            lr = progress.lr if schedule is None else schedule
            start = [*self.coefs_, *self.intercepts_]
            updates.begin(start, float(self.alpha), lr, seed, old["state"] if old else None)
            epochs = Epochs(
                updates, rows, random, progress, schedule, bool(self.shuffle), held, self._measure,
                self._looked_at if self.callbacks else None, self._say, int(self.t_), count,
                rate_of_epoch(self), self.learning_rate == "adaptive" and heeds_rates(self),
            )  # fmt: skip
            epochs.run(int(self.max_iter), incremental)
            self._take_weights(updates.weights())
            self._optimizer = {"lr": progress.lr, "state": updates.state()}
        self.n_iter_, self.t_ = epochs.done, epochs.t
        self._take_progress(progress)
        if self.early_stopping:
            self._take_weights(progress.best_weights)

    def _batch(self, count: int) -> int:
        if self.batch_size == "auto":
            return min(200, count)
        if self.batch_size > count:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=5,
            )
        return min(int(self.batch_size), count)

    def _divided(
        self, X: Any, y: Array, weights: Array, random: np.random.RandomState
    ) -> tuple[Any, Array, Array, Held]:
        """Rows to train on, and those that are held out, as scikit-learn draws them."""
        train, test = train_test_split(
            np.arange(len(y)),
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._stratify(y),
        )
        if len(test) < 2:
            raise DataError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        held = Held(X[test], y[test], weights[test])
        return X[train], y[train], weights[train], held

    def _measure(self, weights: list[Array], held: Held) -> tuple[float, float]:
        """Score and loss of weights on validation rows."""
        z = network_outputs(held.X, weights, self.activation)
        loss = self._loss()
        each = values_of(loss, z, held.y) / reported_outputs(loss, z.shape[1])
        total = held.weights.sum()
        mean = float(each @ held.weights / total) if total else np.nan
        return float(self._judge(z, held)), mean

    def _progress(self) -> Progress:
        """Where the training stands that is begun, or gone on with."""
        progress = Progress(
            float(self.tol), float(self.n_iter_no_change), float(self.learning_rate_init),
            self.loss_curve_, self.best_loss_, self.monitor, self._no_improvement_count,
        )  # fmt: skip
        if self.early_stopping:
            progress.best_weights = [*self.coefs_, *self.intercepts_]
            progress.validation_scores = self.validation_scores_
            progress.validation_losses = self.validation_loss_
            progress.best_score = self.best_validation_score_
            progress.best_value = progress.best_so_far()
        return progress

    def _take_progress(self, progress: Progress) -> None:
        self._no_improvement_count = progress.stale
        self.best_loss_, self.best_validation_score_ = progress.best_loss, progress.best_score
        self.loss_ = self.loss_curve_[-1]

    def _looked_at(self, updates: Updates, progress: Progress, epoch: int, rate: float) -> bool:
        """Whether a callback wants to stop."""
        self._take_weights(updates.weights())
        self._take_progress(progress)
        self.n_iter_ = epoch
        numbers = {"epoch": epoch, "loss": self.loss_, "lr": rate}
        if progress.validation_scores:
            numbers["validation_score"] = progress.validation_scores[-1]
        if progress.validation_losses:
            numbers["validation_loss"] = progress.validation_losses[-1]
        callbacks = [self.callbacks] if callable(self.callbacks) else self.callbacks
        answers = [callback(self, dict(numbers)) for callback in callbacks]
        return True in answers

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text)

    # --------------------------------------------------------------------------- predicting

    def _predicted(self, X: Any) -> Array:
        """Probabilities or numbers for all rows, [rows, outputs], in the dtype of the data."""
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse=["csr"], dtype=(np.float64, np.float32), reset=False
        )
        with threads(self.n_jobs):
            z = network_outputs(X, [*self.coefs_, *self.intercepts_], self.activation)
        return predicted(self.out_activation_, z).astype(X.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def is_stochastic(estimator: Any) -> bool:
    """For ``available_if``: whether the solver goes on from where it was. AttributeError if not."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True
