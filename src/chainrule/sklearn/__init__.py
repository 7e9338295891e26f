"""Networks as scikit-learn's estimators: for pipelines, searches and cross-validation.

    from chainrule.sklearn import ChainruleClassifier, MLPClassifier

`MLPClassifier` and `MLPRegressor` take the place of scikit-learn's own, with the same parameters,
attributes and results; `ChainruleClassifier` and `ChainruleRegressor` take tables as they come.
The names are loaded when first used, and need the package scikit-learn (the extra ``sklearn``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazily import loaded

if TYPE_CHECKING:
    from .mlp import MLPClassifier as MLPClassifier
    from .mlp import MLPRegressor as MLPRegressor
    from .tables import ChainruleClassifier as ChainruleClassifier
    from .tables import ChainruleRegressor as ChainruleRegressor

#: where each public name is defined
_HOMES = {
    "ChainruleClassifier": "tables",
    "ChainruleRegressor": "tables",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    return loaded(name, _HOMES, __name__)
