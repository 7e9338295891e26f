"""Predictors as files, copies and pickles: the same predictions, and no code in what is written."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import StateError
from chainrule.runs import predictor as predictors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = (X[:, 0] > 0).astype(int)
FEW: dict[str, Any] = {"epochs": 2, "verbose": False, "batch_size": 64}


@pytest.fixture(scope="module")
def model() -> Any:
    return cr.fit(X, Y, runs_dir=None, **FEW)


def same(a: Any, b: Any) -> None:
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert (a.metrics, a.baseline, a.findings) == (b.metrics, b.baseline, b.findings)
    assert a.history.rows() == b.history.rows()


def test_a_model_without_a_run_folder_is_saved_as_one(model: Any, tmp_path: Path) -> None:
    assert model.save(tmp_path / "deep" / "model") == tmp_path / "deep" / "model"
    loaded = cr.load_run(tmp_path / "deep" / "model")
    same(model, loaded)
    same(model, cr.load_run(loaded.save(tmp_path / "again")))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "deep"]  # nothing half done


def test_a_run_folder_is_copied(tmp_path: Path) -> None:
    trained = cr.fit(X, Y, runs_dir=tmp_path / "runs", **FEW)
    saved = trained.save(tmp_path / "copy")
    same(trained, cr.load_run(saved))
    assert (saved / "evaluation.json").is_file()
    assert not (saved / "checkpoints").exists()


def test_what_exists_is_not_overwritten(model: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(StateError, match="there is something at"):
        model.save(tmp_path / "kept")
    with pytest.raises(StateError):
        model.save(tmp_path / "kept" / "below")
    assert (tmp_path / "kept").read_text() == "mine"


def test_copies_and_pickles_predict_alike(model: Any) -> None:
    same(model, copy.deepcopy(model))
    same(model, pickle.loads(pickle.dumps(model)))
    cloned = copy.deepcopy(model)
    state = cloned.model.state_dict()
    cloned.model.load_state_dict({name: 0 * np.asarray(array) for name, array in state.items()})
    assert not np.array_equal(cloned.predict_proba(X), model.predict_proba(X))


class Watching(pickle.Unpickler):
    """Notes what code a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        self.named = {*getattr(self, "named", ()), f"{module}.{name}"}
        return super().find_class(module, name)


def test_a_pickle_holds_arrays_and_text_alone(model: Any) -> None:
    reader = Watching(io.BytesIO(pickle.dumps(model)))
    same(model, reader.load())
    own = {name for name in reader.named if not name.startswith("numpy.")}
    assert own == {"chainrule.runs.predictor.restored"}


def test_a_pickle_of_another_release_is_refused(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(model)
    monkeypatch.setattr(predictors, "PICKLED", 2)
    with pytest.raises(StateError, match="pickled in format 1, and this release reads 2"):
        pickle.loads(pickled)
