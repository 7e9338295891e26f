"""Targets of classifiers: labels as the network learns them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from ..errors import ConfigError

__all__ = ["check_first_classes", "decoded", "encoded", "is_right", "kind_of", "outputs_of"]

Array = npt.NDArray[Any]


def kind_of(y: Any, classes: Array | None = None) -> str:
    """``binary``, ``multiclass`` or ``multilabel``, and ``sparse multilabel`` for a sparse matrix.
    ValueError for what are no classes."""
    check_classification_targets(y)
    kind = str(type_of_target(y))
    if kind.startswith("multilabel"):
        return "sparse multilabel" if sparse.issparse(y) else "multilabel"
    if kind == "multiclass-multioutput":
        raise ConfigError(
            "Multioutput target data is not supported: each target has several classes",
            help="fit a classifier for each, or sklearn.multioutput.MultiOutputClassifier",
        )
    labels = unique_labels(y) if classes is None else classes
    return "binary" if len(labels) <= 2 else "multiclass"


def outputs_of(kind: str, y: Any, classes: Array) -> int:
    """Outputs of a network for these labels."""
    if kind == "multiclass":
        return len(classes)
    return 1 if kind == "binary" else int(y.shape[1])


def encoded(kind: str, y: Any, classes: Array) -> Array:
    """Class numbers int32 [rows] of several classes; else float32 [rows, outputs] of 0 and 1."""
    if kind == "multiclass":
        return np.searchsorted(classes, np.asarray(y)).astype(np.int32)
    if kind == "binary":
        second = classes[-1] if len(classes) == 2 else None
        ones = np.zeros(len(y), bool) if second is None else np.asarray(y) == second
        return np.asarray(ones, np.float32)[:, None]
    table = y.toarray() if sparse.issparse(y) else np.asarray(y)
    return np.asarray(table, np.float32, order="C")


def decoded(kind: str, probabilities: Array, classes: Array) -> Any:
    """Labels of their own type; an indicator matrix, sparse if it was so, of several labels."""
    if kind == "multiclass":
        return classes[probabilities.argmax(axis=1)]
    positive = probabilities > 0.5
    if kind == "binary":
        return classes[positive[:, 0].astype(np.intp) if len(classes) == 2 else 0 * positive[:, 0]]
    ones = positive.astype(np.intp)
    return sparse.csr_matrix(ones) if kind.startswith("sparse") else ones


def is_right(kind: str, probabilities: Array, y: Array) -> npt.NDArray[np.bool_]:
    """Whether all labels of a row are predicted as ``y``, which is encoded, has them."""
    if kind == "multiclass":
        return np.asarray(probabilities.argmax(axis=1) == y)
    return np.asarray(((probabilities > 0.5) == (y > 0.5)).all(axis=1))


def check_first_classes(estimator: Any, classes: Any) -> bool:
    """Whether this is the first call of ``partial_fit``; then ``classes`` become ``classes_``.

    ValueError for classes that are missing, or not those of the first call.
    """
    known = getattr(estimator, "classes_", None)
    if known is None and classes is None:
        raise ConfigError(
            "classes must be passed on the first call to partial_fit.",
            help="partial_fit(X, y, classes=np.unique(all_y)), so that the network has an output "
            "for each",
        )
    if classes is None:
        return False
    given = unique_labels(classes)
    if known is not None and not np.array_equal(known, given):
        raise ConfigError(
            f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}",
            help="leave classes out, or start a new estimator",
        )
    if known is None:
        estimator.classes_ = given
    return known is None
