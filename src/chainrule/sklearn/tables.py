"""`ChainruleClassifier` and `ChainruleRegressor`: networks for tables as they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from .. import driver
from ..errors import ConfigError
from ..ir.types import is_whole
from ..modalities.tables import TablePredictor, fit_table
from ..train.weights import checked_weights
from .frames import check_classes, checked_table, columns_of, free_name, merged_rows
from .frozen import Pickled
from .overrides import as_overrides
from .saved import saved_model, unsaved_model
from .threads import threads

__all__ = ["ChainruleClassifier", "ChainruleRegressor"]

Array = npt.NDArray[Any]

assert driver.DEFAULT  # loaded, it makes compiled functions native

#: rows of a table that are predicted at once
ROWS = 65_536
#: parameters that are arguments of `fit_table` by the same name
ARGUMENTS = (
    "layers", "dropout", "epochs", "batch_size", "lr", "optimizer", "schedule", "weight_decay",
    "patience", "time_limit", "columns", "missing",
)  # fmt: skip


class _TableEstimator(Pickled, BaseEstimator, ABC):  # type: ignore[misc]
    """What both share."""

    _remade = ("_predictor",)
    _arguments: ClassVar[tuple[str, ...]] = ARGUMENTS

    _predictor: TablePredictor | None

    def _set(self, parameters: Mapping[str, Any]) -> None:
        """The constructor: ``parameters`` are its locals."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _read_target(self, y: Any) -> Array:
        """The target, checked, as numbers."""

    @abstractmethod
    def _task(self, y: Array) -> str:
        """The task that these numbers set."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, by_class: Any = None) -> None:
        target = self._read_target(y)  # it forgets the names of the columns
        X = checked_table(self, X, reset=True)
        check_consistent_length(X, target)
        weights = checked_weights(sample_weight, len(target))
        if by_class is not None:
            weights = weights * compute_sample_weight(by_class, y)
        columns, target, weights = merged_rows(columns_of(X), target, weights)
        name = free_name(columns, "target")
        arguments: dict[str, Any] = {key: getattr(self, key) for key in self._arguments}
        arguments["weights"] = weights if np.ptp(weights) else None
        with threads(self.n_jobs):
            fitted = fit_table(
                {**columns, name: target},
                name,
                task=self._task(target),  # type: ignore[arg-type]  # the name of one
                split=self._split(),
                seed=self._seed(),
                settings=[*as_overrides(self.settings), *self._preset()],
                runs_dir=self.runs_dir,
                verbose=bool(self.verbose),
                **arguments,
            )
        self._keep(fitted)

    def _preset(self) -> list[str]:
        return [] if self.preset is None else [f"preset={self.preset}"]

    def _keep(self, fitted: TablePredictor) -> None:
        history = fitted.history
        self.history_ = {name: list(map(float, values)) for name, values in history.items()}
        self.n_iter_ = len(history.epoch)
        self.findings_ = [str(finding) for finding in fitted.findings]
        self.task_ = fitted.task
        self._model = saved_model(fitted)
        self._predictor = fitted

    def _split(self) -> tuple[float, float, float]:
        """Shares of training, validation and test: scikit-learn's users keep test rows back
        themselves, so that one row must do."""
        share = self.validation_fraction
        if not isinstance(share, int | float) or not 0 < share < 1:
            raise ConfigError(
                f"validation_fraction is {share!r}",
                help="validation_fraction must be a number between 0 and 1",
            )
        return 1 - share, share, 0.0  # who fits an estimator tests it

    def _seed(self) -> int:
        if is_whole(self.random_state):
            return int(self.random_state)
        random = self.random_state or np.random.RandomState()
        return int(random.randint(2**31))

    def _fitted(self) -> TablePredictor:
        check_is_fitted(self, "task_")
        if getattr(self, "_predictor", None) is None:
            self._predictor = unsaved_model(self._model)
        assert self._predictor is not None
        return self._predictor

    def _parts(self, X: Any) -> list[dict[str, Array]]:
        """The columns of ``X``, in parts of bounded size."""
        predictor = self._fitted()
        assert predictor is not None
        columns = columns_of(checked_table(self, X, reset=False))
        count = len(next(iter(columns.values())))
        return [
            {name: values[start : start + ROWS] for name, values in columns.items()}
            for start in range(0, count, ROWS)
        ]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "task_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class ChainruleClassifier(ClassifierMixin, _TableEstimator):  # type: ignore[misc]
    """A network that classifies the rows of a table as it comes.

    Columns may hold numbers, text, truth values and dates, with gaps; data frames of pandas and
    polars, tables of Arrow and arrays are taken. Nothing need be scaled or encoded first.

    Args:
        preset: a documented set of settings, by name.
        layers, dropout, epochs, batch_size, lr, optimizer, schedule, weight_decay, patience,
            time_limit, columns, missing: as in `chainrule.fit_table`; None lets the data decide.
        settings: any other setting of a run, ``{"train.average": "ema"}``.
        class_weight: "balanced", or a weight for each class.
        validation_fraction: the share of rows that decides when to stop.
        random_state: the seed of the split, the first weights and the order of rows.
        runs_dir: a folder for a run folder of each fit, to report on; None writes nothing.
        verbose: whether progress is shown.
        n_jobs: threads, -1 for all processors.

    After `fit`: ``classes_``, ``n_iter_``, ``history_`` (loss and metrics of every epoch),
    ``findings_`` (what was noticed in the data), ``task_``.
    """

    classes_: Array

    def __init__(
        self,
        *,
        preset: str | None = None,
        layers: Sequence[int] | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | str | None = None,
        lr: float | None = None,
        optimizer: str | None = None,
        schedule: str | None = None,
        weight_decay: float | None = None,
        patience: int | None = None,
        time_limit: float | None = None,
        columns: Mapping[str, str] | None = None,
        missing: Mapping[str, Sequence[Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        class_weight: Any = None,
        validation_fraction: float = 0.15,
        random_state: Any = 0,
        runs_dir: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self._set(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChainruleClassifier:
        """Train on the rows of a table with labels y. ``sample_weight`` says how much each row
        counts. DataError or ConfigError, ValueErrors, for what cannot be used."""
        self._fit(X, y, sample_weight, self.class_weight)
        return self

    def predict(self, X: Any) -> Array:
        """The label of each row."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """The probability of each class, [n, classes], in the order of ``classes_``."""
        predictor = self._fitted()
        parts = [predictor.predict_proba(part) for part in self._parts(X)]
        known = np.asarray(predictor.classes, int)
        result = np.zeros((sum(map(len, parts)), len(self.classes_)))
        result[:, known] = np.concatenate(parts)
        return result

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def _read_target(self, y: Any) -> Array:
        y = column_or_1d(validate_data(self, "no_validation", y), warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        return np.asarray(np.searchsorted(self.classes_, y))

    def _task(self, y: Array) -> str:
        counted = np.unique(y)
        check_classes(self.classes_[counted])
        return "binary" if len(counted) == 2 else "multiclass"


class ChainruleRegressor(RegressorMixin, _TableEstimator):  # type: ignore[misc]
    """A network that predicts a number for each row of a table as it comes.

    Parameters and attributes are those of `ChainruleClassifier`, but for classes. ``quantiles``
    are predicted in place of the mean, and a skewed target is learned through a ``transform``, both
    as in `chainrule.fit_table`: `predict` then gives the median, or the quantile nearest to it.
    """

    _arguments = (*ARGUMENTS, "quantiles", "transform")

    def __init__(
        self,
        *,
        preset: str | None = None,
        layers: Sequence[int] | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | str | None = None,
        lr: float | None = None,
        optimizer: str | None = None,
        schedule: str | None = None,
        weight_decay: float | None = None,
        patience: int | None = None,
        time_limit: float | None = None,
        columns: Mapping[str, str] | None = None,
        missing: Mapping[str, Sequence[Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        quantiles: Sequence[float] | None = None,
        transform: str | None = None,
        validation_fraction: float = 0.15,
        random_state: Any = 0,
        runs_dir: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self._set(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChainruleRegressor:
        """Train on the rows of a table with numbers y. ``sample_weight`` says how much each row
        counts. DataError or ConfigError, ValueErrors, for what cannot be used."""
        self._fit(X, y, sample_weight)
        return self

    def predict_quantiles(self, X: Any) -> npt.NDArray[np.float64]:
        """The ``quantiles`` of each row, [n, quantiles]. ConfigError without any."""
        predictor = self._fitted()
        return np.concatenate([predictor.predict_quantiles(part) for part in self._parts(X)])

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """The number of each row."""
        predictor = self._fitted()
        parts = [predictor.predict(part) for part in self._parts(X)]
        return np.concatenate(parts).astype(np.float64)

    def _read_target(self, y: Any) -> Array:
        y = validate_data(self, "no_validation", y, y_numeric=True)
        return np.asarray(column_or_1d(y, warn=True), np.float64)

    def _task(self, y: Array) -> str:
        return "regression"
