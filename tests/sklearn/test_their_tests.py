"""scikit-learn's own tests of its perceptrons, from the installed package, run on ours.

Left out are those that look at what is private to its classes.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
import sklearn.neural_network
from sklearn.neural_network.tests import __path__ as folder

from chainrule.sklearn import MLPClassifier, MLPRegressor

#: tests that read private attributes: what they read, and what is tested in their place
LEFT_OUT = {
    "test_gradient": "_loss_grad_lbfgs; see test_gradients_are_those_of_scikit_learn",
    "test_learning_rate_warmstart": "_optimizer.learning_rate; see test_rates",
    "test_adaptive_learning_rate": "_optimizer.learning_rate; see test_rates",
}

# These tests fit without converging, as scikit-learn's settings of pytest allow.
pytestmark = pytest.mark.filterwarnings("default")


def their_tests() -> ModuleType:
    """The module of tests, which finds our classes where it looks for its own."""
    spec = importlib.util.spec_from_file_location("their_test_mlp", f"{folder[0]}/test_mlp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.neural_network, "MLPClassifier", MLPClassifier)
        patch.setattr(sklearn.neural_network, "MLPRegressor", MLPRegressor)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def global_random_seed() -> int:
    """The seed of scikit-learn's own test runs."""
    return 42


_module = their_tests()
assert vars(_module).keys() >= LEFT_OUT.keys()
globals().update(
    {n: f for n, f in vars(_module).items() if n.startswith("test_") and n not in LEFT_OUT}
)
