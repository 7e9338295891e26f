"""The networks of a group, trained in other processes, to the bits of this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.errors import ConfigError
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.settings import Settings
from chainrule.runs.bagging import start
from chainrule.runs.carriers import Processes
from chainrule.runs.groups import repeat
from chainrule.runs.listeners import Listener
from chainrule.runs.settings.sources import from_overrides, gather

from .conftest import people

RECIPES = ["preset=best", "ensemble.folds=2", 'ensemble.recipes=["fast", "good"]',
           "model.layers=[8]", "train.epochs=2", "train.batch_size=32"]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "people.csv"
    columns: dict[str, Any] = people()
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if cell != cell else str(cell) for cell in row) for row in rows]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


def settings(table: Path, runs: Path, *words: str) -> Settings:
    named = [f"data.path={table}", "data.target=ill", f"output.runs_dir={runs}", *words]
    return gather([from_overrides(named, "test")], Settings).settings


def same_runs(here: Path, there: Path) -> None:
    """Whether two groups hold the same weights and numbers."""
    for folder in (here, there):
        assert not list(folder.glob(".*"))
    names = [sorted(json.loads((g / "group.json").read_text())["members"].items())
             for g in (here, there)]  # fmt: skip
    assert [name for name, _ in names[0]] == [name for name, _ in names[1]]
    for (_, ours), (_, theirs) in zip(*names, strict=True):
        for file in ("model.safetensors", "pipeline.json", "evaluation.json"):
            assert (here / ours["run"] / file).read_bytes() == (
                there / theirs["run"] / file
            ).read_bytes()


def test_an_ensemble(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    results = [
        start(TABLES, settings(table, tmp_path / name, *RECIPES), None, Listener(), carrier)
        for name, carrier in (("here", None), ("there", Processes(2)))
    ]
    assert results[0].metrics == results[1].metrics
    assert results[0].run is not None
    assert results[1].run is not None
    same_runs(results[0].run, results[1].run)


def test_folds(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    quick = ("preset=fast", "model.layers=[4]", "train.epochs=2", "train.batch_size=32")
    here, there = (
        repeat(TABLES, settings(table, tmp_path / name, *quick), None, None, 2, Listener(), carrier)
        for name, carrier in (("here", None), ("there", Processes(2)))
    )
    assert here.summary == there.summary
    assert here.run is not None
    assert there.run is not None
    same_runs(here.run, there.run)


def test_a_time_limit_is_for_one_at_a_time(table: Path, tmp_path: Path) -> None:
    limited = settings(table, tmp_path, *RECIPES, "train.time_limit=5")
    with pytest.raises(ConfigError, match="cannot share a time limit"):
        start(TABLES, limited, None, Listener(), Processes(2))
    assert not list(tmp_path.iterdir())


def test_what_is_one_training_is_told_so(table: Path) -> None:
    done = CliRunner().invoke(app, ["train", str(table), "--target", "ill", "--jobs", "2"])
    assert done.exit_code == 2
    assert "--jobs is for several trainings" in done.output
