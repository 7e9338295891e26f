"""scikit-learn's own checks of estimators: none of them fails.

``python -m benchmarks.sklearn_checks`` runs all of them on all four estimators with their defaults.
Here the perceptrons pass all, and the classifier of tables those that do not train for long.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from chainrule.sklearn import ChainruleClassifier, MLPClassifier, MLPRegressor

# Checks fit without converging, and on few rows.
pytestmark = pytest.mark.filterwarnings("ignore")

BRIEF: dict[str, Any] = {"epochs": 8, "layers": [8], "lr": 0.05}
#: checks that fit often, or much, and then look at what `test_tables.py` looks at, too
LONG = {
    "check_class_weight_classifiers",
    "check_classifier_data_not_an_array",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_estimators_dtypes",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}
#: checks that are skipped: what they need is not there, in scikit-learn's own perceptrons either
SKIPPED = {
    "check_array_api_input",
    "check_classifiers_multilabel_output_format_decision_function",
}


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_no_check_of_perceptrons_fails(kind: Any) -> None:
    results = check_estimator(kind(), on_fail=None)
    assert not {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= SKIPPED
    assert len(results) >= (67 if kind is MLPClassifier else 60)


def test_no_check_of_tables_fails() -> None:
    checks = [
        (estimator, check)
        for estimator, check in estimator_checks_generator(ChainruleClassifier(**BRIEF))
        if name_of(check) not in LONG | SKIPPED
    ]
    assert len(checks) > 45
    for estimator, check in checks:
        check(estimator)


def name_of(check: Any) -> str:
    """The name of a check, whose first arguments may be set."""
    return str(getattr(check, "func", check).__name__)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)]
)
def test_perceptrons_have_all_the_checks_of_scikit_learns(ours: Any, theirs: Any) -> None:
    def names(estimator: Any) -> Counter[str]:
        return Counter(name_of(check) for _, check in estimator_checks_generator(estimator))

    assert not names(theirs()) - names(ours())
