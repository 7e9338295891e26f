"""Several networks as one predictor of a table, and numbers encoded by intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.modalities.doors import fit, load_run
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.network import TableNet
from chainrule.modalities.tables.words import words_for
from chainrule.runs.checks.model import Trial, first_loss, gradient_check, one_batch
from chainrule.runs.dry_run import prepare_run
from chainrule.runs.settings.sources import from_overrides, gather
from interpreting import interpreting

TARGETS = {"binary": "ill", "multiclass": "town", "regression": "age"}
SETTINGS = ("model.members=3", "model.numbers=piecewise", "model.bins=4", "model.layers=[4]")


@pytest.mark.parametrize(
    ("task", "network", "numbers"),
    [
        ("binary", "mlp", "piecewise"),
        ("regression", "mlp", "periodic"),
        ("multiclass", "tabm", "piecewise"),
        ("binary", "tabm", "periodic"),
        ("multiclass", "realmlp", "periodic"),
        ("regression", "realmlp", "plain"),
    ],
)
def test_ensemble_is_one_predictor_that_can_be_loaded(
    task: Any, network: str, numbers: str, table: dict[str, Any], tmp_path: Path
) -> None:
    with interpreting():
        predictor = fit(
            table, TARGETS[task], task=task, epochs=2, runs_dir=tmp_path, verbose=False,
            settings=(*SETTINGS, f"model.network={network}", f"model.numbers={numbers}"),
        )  # fmt: skip
    assert predictor.run is not None
    loaded = load_run(predictor.run)
    assert loaded.settings.model.members == 3
    np.testing.assert_array_equal(loaded.predict(table), predictor.predict(table))
    if task != "regression":
        chances = loaded.predict_proba(table)
        np.testing.assert_array_equal(chances, predictor.predict_proba(table))
        np.testing.assert_allclose(chances.sum(1), 1)
    for name, buffer in loaded.model.named_buffers():
        taken = not name.endswith("scale") or np.count_nonzero(buffer.numpy())
        assert taken, "nothing was taken from the training rows"


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", ["relu", "selu"])
@pytest.mark.parametrize("alike", [False, True])
def test_members_are_averaged_in_evaluation_alone(
    normalisation: str, activation: str, alike: bool
) -> None:
    net = TableNet(3, (4,), 2, (5,), 0.1, activation, normalisation=normalisation,
                   members=3, alike=alike, kind="softmax")  # fmt: skip
    x, codes = cr.ones(6, 3), cr.tensor(np.ones((6, 1), np.int32))
    assert net(x, codes).shape == (3, 6, 2)
    net.eval()
    assert net(x, codes).shape == (6, 2)


def test_checks_before_training_know_members(table: dict[str, Any]) -> None:
    words = ("data.target=ill", *SETTINGS)
    settings = gather([from_overrides(words, "test")], TABLES.settings).settings
    with prepare_run(TABLES, settings, table) as run:
        trial = Trial.of(run)
        assert [look(trial).status for look in (first_loss, gradient_check)] == ["ok", "ok"]
        assert one_batch(trial).status == "ok"


@pytest.mark.parametrize("network", ["mlp", "tabm", "realmlp"])
@pytest.mark.parametrize("kinds", ["numbers", "codes", "both"])
def test_any_columns_will_do(network: str, kinds: str) -> None:
    """Numbers alone, embedded categories alone, and both."""
    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {"y": ["a", "b"] * 40}
    if kinds != "codes":
        columns |= {"x": rng.normal(size=80), "z": rng.normal(size=80)}
    if kinds != "numbers":
        columns["town"] = [f"t{i % 16}" for i in range(80)]
    words = ("data.target=y", *SETTINGS, f"model.network={network}")
    settings = gather([from_overrides(words, "test")], TABLES.settings).settings
    with prepare_run(TABLES, settings, columns) as run, interpreting():
        outputs = run.trainer().predict(run.prepared.train[0])
    assert outputs.shape == (run.prepared.sizes["train"], 1)
    assert np.isfinite(outputs).all()


def test_runs_say_how_many_they_are() -> None:
    facts = {"network": "tabm", "members": 8, "layers": [128, 64]}
    words = words_for({"data": {"rows": 9}, "model": facts})
    assert words.network == "8 x tabm 128-64"
    assert words.model == "an ensemble of 8 networks with hidden layers of 128 and 64 units"
    older = words_for({"model": {"layers": [4]}})  # written before there were several
    assert (older.network, older.model) == ("mlp 4", "a network with a hidden layer of 4 units")
    assert words_for({"model": {"layers": []}}).model == "a linear model"
