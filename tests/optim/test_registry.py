"""Optimizers by name: settings, defaults, and what is said about wrong ones."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

from chainrule import optim
from chainrule.errors import ConfigError
from chainrule.frontend import Tensor
from chainrule.frontend.apply import new_tensor


def matrix() -> Tensor:
    return new_tensor(np.ones((2, 3), np.float32), requires_grad=True)


def test_names() -> None:
    expected = (
        "sgd adagrad adadelta rmsprop adam amsgrad adamw adamax nadam radam lion lamb adafactor "
        "muon rprop lbfgs sgld simulatedannealing"
    )
    assert list(optim.OPTIMIZERS) == expected.split()
    assert type(optim.make("L-BFGS", [matrix()])) is optim.LBFGS
    assert type(optim.make("RMSprop", [matrix()])) is optim.RMSprop


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_defaults_are_legal_and_become_the_settings_of_the_group(name: str) -> None:
    defaults = optim.settings_of(name)
    optimizer = optim.make(name, [matrix()], **defaults)
    (group,) = optimizer.param_groups
    kept = {key: value for key, value in defaults.items() if key in group}
    assert {key: group[key] for key in kept} == kept
    # What a kind of Adam fixes is a setting too, and nothing else is.
    assert set(group) - set(defaults) <= {"params", "amsgrad", "decoupled_weight_decay"}
    # What is no setting of a group belongs to the optimizer; a generator is made from the seed.
    own = {key: value for key, value in defaults.items() if key not in group and key != "seed"}
    assert {key: getattr(optimizer, key) for key in own} == own


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_formula_and_source_are_told(name: str) -> None:
    doc = inspect.getdoc(optim.OPTIMIZERS[name]) or ""
    assert "←" in doc or name in ("adamw",)
    assert re.search(r"\b(19|20)\d\d\b", doc), "the year of its source"


def test_settings_come_from_files_as_lists() -> None:
    optimizer = optim.make("adafactor", [matrix()], eps=[None, 0.01])
    assert optimizer.param_groups[0]["eps"] == (None, 0.01)
    assert optim.make("adam", [matrix()], betas=[0.5, 0.9]).param_groups[0]["betas"] == (0.5, 0.9)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("adm", {}, "unknown optimizer 'adm'(.|\n)*did you mean 'adam'"),
        ("rmspropp", {}, "did you mean 'rmsprop'"),
        (
            "adam",
            {"beta": (0.9, 0.99)},
            "unknown optimizer setting 'beta'(.|\n)*did you mean 'betas'",
        ),
        ("sgd", {"params": []}, "unknown optimizer setting 'params'"),
        ("adadelta", {"rho": 1.0}, "rho is 1.0"),
        ("adafactor", {"eps": 1e-3}, "eps is 0.001"),
        ("adafactor", {"eps": (None, -1.0)}, "eps is"),
        ("adafactor", {"d": 0.5}, "d is 0.5"),
        ("adafactor", {"beta2_decay": 0.8}, "beta2_decay is 0.8"),
        ("adamax", {"betas": (0.9, -0.1)}, "betas is"),
        ("amsgrad", {"lr": -1}, "lr is -1"),
        ("lamb", {"eps": float("inf")}, "eps is inf"),
        ("lbfgs", {"history_size": 0}, "history_size is 0"),
        ("lbfgs", {"max_iter": 2.5}, "max_iter is 2.5"),
        ("lbfgs", {"max_eval": True}, "max_eval is True"),
        ("lion", {"betas": (0.9,)}, "betas is"),
        ("muon", {"momentum": 1.0}, "momentum is 1.0"),
        ("muon", {"ns_steps": 100}, "ns_steps is 100"),
        ("muon", {"ns_coefficients": (1.0, 2.0)}, "ns_coefficients is"),
        ("muon", {"adjust_lr_fn": "rms"}, "adjust_lr_fn is 'rms'"),
        ("nadam", {"momentum_decay": -1.0}, "momentum_decay is -1.0"),
        ("radam", {"decoupled_weight_decay": "yes"}, "decoupled_weight_decay is 'yes'"),
        ("rprop", {"etas": (1.5, 1.2)}, "etas is"),
        ("rprop", {"step_sizes": (1.0, 0.1)}, "step_sizes is"),
    ],
)
def test_wrong_names_and_settings(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        optim.make(name, [matrix()], **settings)
