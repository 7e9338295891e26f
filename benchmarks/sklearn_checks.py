"""scikit-learn's checks of all our estimators with their defaults, beside its own perceptrons.

python -m benchmarks.sklearn_checks
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from typing import Any

from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.estimator_checks import check_estimator

from chainrule.sklearn import ChainruleClassifier, ChainruleRegressor, MLPClassifier, MLPRegressor

ESTIMATORS: tuple[Any, ...] = (
    TheirClassifier, MLPClassifier, TheirRegressor, MLPRegressor, ChainruleClassifier,
    ChainruleRegressor,
)  # fmt: skip


def main() -> None:
    """A line for each estimator: how many checks passed, were skipped, failed; which failed."""
    for kind in ESTIMATORS:
        spent = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = check_estimator(kind(), on_fail=None)
        spent = time.process_time() - spent
        counts = Counter(r["status"] for r in results)
        said = ", ".join(f"{counts[status]} {status}" for status in sorted(counts))
        module = kind.__module__.split(".")[0]
        print(f"{module}.{kind.__name__}: {said}, {spent:.0f} processor seconds")
        for result in results:
            if result["status"] == "failed":
                print(f"  {result['check_name']}: {result['exception']}")


if __name__ == "__main__":
    main()
