"""`MLPClassifier` and `MLPRegressor`: scikit-learn's networks, compiled, and with more settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import validate_data

from ..errors import ConfigError, DataError
from .formulas import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Loss, predicted
from .perceptron import Perceptron, is_stochastic
from .progress import Held
from .targets import check_first_classes, decoded, encoded, is_right, kind_of, outputs_of

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = npt.NDArray[Any]
Callbacks = Any


class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron that classifies; scikit-learn's, compiled.

    Parameters up to ``max_fun`` and attributes are those of
    `sklearn.neural_network.MLPClassifier`, and mean the same. Beyond them:

    * ``activation``: also leaky_relu, elu, selu, gelu, silu, mish;
    * ``solver``: any of Chainrule's optimizers, such as "adamw" or "lion", with
      ``solver_settings``;
    * ``learning_rate``: also a schedule, such as "cosine" or "one_cycle", with
      ``schedule_settings`` such as ``{"warmup": 0.1}``;
    * ``loss``: "log_loss", or "focal" with the exponent ``focusing``; ``label_smoothing``;
    * ``dropout``: the probability that a hidden unit is left out of a step;
    * ``class_weight``: "balanced", or a weight for each class;
    * ``monitor``: what early stopping watches on the validation rows, their "score" or "loss";
      ``validation_loss_`` holds the latter;
    * ``callbacks``: functions of (estimator, numbers of the epoch); True stops the training;
    * ``n_jobs``: threads of one fit, -1 for all processors.
    """

    _losses = CLASSIFICATION_LOSSES

    classes_: Array
    #: binary, multiclass or (sparse) multilabel
    _kind: str

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: str = "log_loss",
        focusing: float = 2.0,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        class_weight: Any = None,
        solver_settings: Mapping[str, Any] | None = None,
        schedule_settings: Mapping[str, Any] | None = None,
        monitor: str = "score",
        callbacks: Callbacks = None,
        n_jobs: int | None = None,
    ) -> None:
        self._set(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Train on rows X [n, columns], dense or sparse, with labels y [n], or [n, labels] of 0 and
        1 for several labels a row. DataError or ConfigError, ValueErrors, for unfit ones."""
        self._fit(X, y, sample_weight, incremental=False)
        return self

    @available_if(is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """One epoch on these rows. The first call must name all ``classes``."""
        if check_first_classes(self, classes):
            self._kind = kind_of(y, self.classes_)
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Any:
        """The label of each row; an indicator matrix for several labels."""
        probabilities = self._predicted(X)
        return decoded(self._kind, probabilities, self.classes_)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, [n, classes], in the order of ``classes_``."""
        probabilities = self._predicted(X)
        if self._kind != "binary":
            return probabilities
        return np.hstack([1 - probabilities, probabilities])

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    # -------------------------------------------------------------------------- of its kind

    def _read(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr"], multi_output=True, dtype=(np.float64, np.float32),
            reset=reset,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._kind = kind_of(y)
            self.classes_ = unique_labels(y)
        else:
            self._check_labels(unique_labels(y))
        return X, encoded(self._kind, y, self.classes_)

    def _check_labels(self, labels: Array) -> None:
        """ConfigError for labels that the network was not made for."""
        if self.warm_start and set(labels) != set(self.classes_):
            raise ConfigError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels}"
            )
        if len(np.setdiff1d(labels, self.classes_, assume_unique=True)):
            raise DataError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {labels}.",
                help="name all classes in the first call of partial_fit",
            )

    def _outputs(self, y: Array) -> int:
        return outputs_of(self._kind, y, self.classes_)

    def _loss(self) -> Loss:
        link = "softmax" if self._kind == "multiclass" else "logistic"
        number = float(self.focusing) if self.loss == "focal" else 0.0
        return Loss(self.loss, link, number, float(self.label_smoothing))

    def _judge(self, z: Array, held: Held) -> float:
        right = is_right(self._kind, predicted(self.out_activation_, z), held.y)
        return float(np.average(right, weights=held.weights)) if held.weights.any() else np.nan

    def _stratify(self, y: Array) -> Array | None:
        return y > 0.5 if self._kind == "binary" else None

    def _class_weights(self, y: Any) -> Array | None:
        if self.class_weight is None:
            return None
        return np.asarray(compute_sample_weight(self.class_weight, y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """A multilayer perceptron that predicts numbers; scikit-learn's, compiled.

    Parameters up to ``max_fun`` and attributes are those of
    `sklearn.neural_network.MLPRegressor`, and mean the same. ``loss`` may also be
    "absolute_error", "huber" (quadratic up to ``delta``) or "quantile" (the ``quantile`` of the
    target is learned). The other parameters are those of `MLPClassifier`.
    """

    _losses = REGRESSION_LOSSES

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        delta: float = 1.0,
        quantile: float = 0.5,
        dropout: float = 0.0,
        solver_settings: Mapping[str, Any] | None = None,
        schedule_settings: Mapping[str, Any] | None = None,
        monitor: str = "score",
        callbacks: Callbacks = None,
        n_jobs: int | None = None,
    ) -> None:
        self._set(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train on rows X [n, columns], dense or sparse, with numbers y [n] or [n, outputs].
        DataError or ConfigError, ValueErrors, for unfit ones."""
        self._fit(X, y, sample_weight, incremental=False)
        return self

    @available_if(is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """One epoch on these rows."""
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:
        """The numbers of each row, [n], or [n, outputs] where there are several."""
        numbers = self._predicted(X)
        return numbers[:, 0] if numbers.shape[1] == 1 else numbers

    # -------------------------------------------------------------------------- of its kind

    def _read(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr"], multi_output=True, y_numeric=True,
            dtype=(np.float64, np.float32), reset=reset,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and (y < 0).any():
            raise DataError(
                f"the target holds {y[y < 0][0]}, but a count is not negative",
                help='choose another loss, such as "squared_error"',
            )
        return X, np.asarray(y.reshape(len(y), -1), np.float32, order="C")

    def _outputs(self, y: Array) -> int:
        return int(y.shape[1])

    def _loss(self) -> Loss:
        link = "exp" if self.loss == "poisson" else "identity"
        numbers = {"huber": self.delta, "quantile": self.quantile}
        return Loss(self.loss, link, float(numbers.get(self.loss, 0.0)))

    def _judge(self, z: Array, held: Held) -> float:
        numbers = predicted(self.out_activation_, z)
        if not np.isfinite(numbers).all() or not held.weights.any():
            return np.nan
        return float(r2_score(held.y, numbers, sample_weight=held.weights))
