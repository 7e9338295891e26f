"""History is a table that survives columns that come late."""

from __future__ import annotations

import json

import pytest

from chainrule.errors import ConfigError, StateError
from chainrule.train.history import History


def sample() -> History:
    history = History()
    history.append(0, {"loss": 2.0})
    history.append(1, {"loss": 1.0, "val_loss": 3.0})
    history.append(2, {"loss": 1.5, "val_loss": 2.5})
    return history


def test_columns() -> None:
    history = sample()
    assert history["loss"] == history.history["loss"] == [2.0, 1.0, 1.5]
    assert history["val_loss"][1:] == [3.0, 2.5]
    assert history["val_loss"][0] != history["val_loss"][0]
    assert list(history) == ["loss", "val_loss"]
    assert history.to_dict()["epoch"] == [0, 1, 2]
    assert json.loads(json.dumps(history.to_dict()["loss"])) == [2.0, 1.0, 1.5]


def test_best() -> None:
    assert sample().best("loss") == 1
    assert sample().best("val_loss", "max") == 1
    assert sample().best() == 2
    empty = History()
    empty.append(0, {"loss": float("nan")})
    with pytest.raises(ConfigError, match="no epoch has a value"):
        empty.best("loss")


def test_unknown_column_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'val_loss'"):
        sample()["val_los"]


@pytest.mark.parametrize(
    "state", [{"epoch": [1], "values": {"loss": 1}}, {"epoch": 1, "values": {}}, {"values": {}},
              {"epoch": [1], "values": {"loss": ["x"]}}, {"epoch": [1], "values": 3}],
)  # fmt: skip
def test_what_is_no_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(StateError, match="not the state of a history"):
        History().set_state(state)
