"""scikit-learn's own checks of estimators: none of them fails.

Those for tables train for a few epochs here, as scikit-learn lets its own do in its tests; with
their defaults they are checked by ``python -m benchmarks.sklearn_checks``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor, MLPClassifier, MLPRegressor

# Checks fit without converging, and on few rows.
pytestmark = pytest.mark.filterwarnings("ignore")

BRIEF: dict[str, Any] = {"epochs": 12, "layers": [16], "lr": 0.05}
#: checks that are skipped: what they need is not there, in scikit-learn's own perceptrons either
SKIPPED = {
    "check_array_api_input",
    "check_classifiers_multilabel_output_format_decision_function",
}


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(),
        MLPRegressor(),
        ChainruleClassifier(**BRIEF),
        ChainruleRegressor(**BRIEF),
    ],
    ids=lambda e: type(e).__name__,
)
def test_no_check_fails(estimator: Any) -> None:
    results = check_estimator(estimator, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= SKIPPED
    assert len(results) > 50


@pytest.mark.parametrize(
    ("ours", "theirs"), [(MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)]
)
def test_perceptrons_have_all_the_checks_of_scikit_learns(ours: Any, theirs: Any) -> None:
    def names(estimator: Any) -> Counter[str]:
        checks = estimator_checks_generator(estimator)
        return Counter(getattr(check, "func", check).__name__ for _, check in checks)

    assert not names(theirs()) - names(ours())
