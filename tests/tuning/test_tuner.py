"""A search: what it tries, keeps, and ends with."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.tables.kind import TABLES
from chainrule.runs import jobs, training
from chainrule.runs.listeners import Listener
from chainrule.runs.settings.sources import from_file, gather
from chainrule.tuning import Tuned, TuningListener
from chainrule.tuning.library import optuna
from interpreting import interpreting

from .conftest import Tune
from .searches import SETTINGS, SPACE


def tried(tuned: Tuned) -> list[tuple[Any, ...]]:
    return [(t.chosen, t.state, tuple(t.values)) for t in tuned.trials]


@pytest.fixture(scope="module")
def reference(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Eight trials, of which some are cut short."""
    with interpreting():
        return cr.tune(
            table, "y", space=SPACE, settings=SETTINGS, epochs=4, trials=8, verbose=False,
            runs_dir=tmp_path_factory.mktemp("reference") / "runs",
        )  # fmt: skip


def test_the_result(reference: Tuned, tmp_path: Path) -> None:
    assert len(reference.trials) == 8
    assert {t.state for t in reference.trials} == {"complete", "pruned"}
    first, best = reference.trials[0], reference.best
    assert best is not None
    assert first.chosen["train.lr"] == pytest.approx(1e-3)  # the settings as they are
    assert best.value == min(t.value for t in reference.trials if t.state == "complete")
    assert best.value < first.value
    assert reference.changes["train.lr"] == pytest.approx(best.chosen["train.lr"], rel=1e-3)
    assert reference.usual["train.lr"] == 1e-3
    assert {p.name for p in reference.run.iterdir()} == {
        "best.toml", "tuning.html", "tuning.json", "study.db", "lock",
    }  # fmt: skip
    facts = json.loads((reference.run / "tuning.json").read_text())
    assert facts == json.loads(json.dumps(reference.to_dict()))
    assert facts["best"]["trial"] == best.index + 1
    assert "trials" in repr(reference)


def test_the_best_run_has_the_bits_of_its_trial_and_of_best_toml(
    reference: Tuned, tmp_path: Path
) -> None:
    predictor = reference.predictor
    assert predictor is not None
    assert predictor.run is not None
    assert predictor.run.parent == reference.run.parent
    assert reference.best is not None
    losses = [json.loads(line)["val_loss"]
              for line in (predictor.run / "metrics.jsonl").read_text().splitlines()]  # fmt: skip
    assert tuple(losses) == tuple(reference.best.values)
    read = gather([from_file(reference.run / "best.toml")], TABLES.settings).settings
    read = read.changed(output=read.output.changed(runs_dir=str(tmp_path)))
    with interpreting():
        again = training.train(TABLES, read, None, Listener())
    assert again.run is not None
    assert (again.run / "model.safetensors").read_bytes() == (
        predictor.run / "model.safetensors"
    ).read_bytes()
    assert cr.load_run(predictor.run).metrics == predictor.metrics


def test_only_the_best_run_looks_at_the_test_part(
    tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    judge = training.TrainingRun._evaluate

    def counted(self: Any, trainer: Any, folder: Any) -> Any:
        looks.append(self.settings.name)
        return judge(self, trainer, folder)

    monkeypatch.setattr(training.TrainingRun, "_evaluate", counted)
    tune(trials=4)
    assert looks == ["signs-tuned"]


def test_data_is_prepared_once(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    open_data = jobs.open_data
    monkeypatch.setattr(jobs, "open_data", lambda *a: opened.append(a) or open_data(*a))
    tune(trials=3)
    assert not opened  # the search has read it
    tune(trials=2, name="split", space={"data.split_seed": {"choices": [1, 2]}, "only": True})
    assert opened


@pytest.mark.parametrize("after", [1, 4])
def test_a_search_that_is_killed_goes_on_to_the_same(
    tune: Tune, killed: Callable[[int], None], reference: Tuned, after: int
) -> None:
    killed(after)
    tuned = tune(trials=8)
    assert tried(tuned) == tried(reference)
    assert tuned.settings is not None
    assert tuned.predictor is not None
    assert reference.predictor is not None
    assert tuned.predictor.metrics == reference.predictor.metrics


class Counting(TuningListener):
    def __init__(self) -> None:
        self.trials: list[int] = []
        self.begun = 0

    def trial(self, search: object, trial: Any, best: object, trials: int) -> None:
        self.trials.append(trial.index)

    def begin(self, facts: object) -> None:
        self.begun += 1


def test_more_trials_go_on_and_a_search_that_is_done_trains_nothing(
    tune: Tune, reference: Tuned
) -> None:
    tune(trials=3)
    more, again = Counting(), Counting()
    tuned = tune(trials=8, listener=more)
    assert more.trials == [3, 4, 5, 6, 7]
    assert tried(tuned) == tried(reference)
    done = tune(trials=8, listener=again)
    assert not again.trials
    assert not again.begun
    assert done.predictor is not None
    assert tuned.predictor is not None
    assert done.predictor.run == tuned.predictor.run


def test_the_time_decides_how_many(tune: Tune, reference: Tuned) -> None:
    """One trial at least: the others take as long as they take."""
    assert tried(tune(trials=8, time=1e-9)) == tried(reference)[:1]
    assert tried(tune(trials=2, time="1h")) == tried(reference)[:2]


class Interrupting(TuningListener):
    told: tuple[int, int] | None = None

    def trial(self, search: object, trial: Any, best: object, trials: int) -> None:
        if trial.index == 1:
            raise KeyboardInterrupt

    def interrupted_search(self, folder: Path, done: int, trials: int) -> None:
        self.told = done, trials
        assert (folder / "tuning.html").is_file()
        assert not list(folder.parent.glob("*tuned*"))


def test_ctrl_c_saves_what_there_is(tune: Tune, reference: Tuned) -> None:
    listener = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        tune(trials=8, listener=listener)
    assert listener.told == (2, 8)
    assert tried(tune(trials=8)) == tried(reference)


def test_a_metric_can_judge(tune: Tune) -> None:
    tuned = tune(trials=3, metric="accuracy")
    assert tuned.objective == "val_accuracy"
    assert tuned.rises
    assert tuned.best is not None
    assert tuned.best_value == max(t.value for t in tuned.trials if t.state == "complete")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 1}, "another seed"),
        ({"space": {**SPACE, "train.lr": {"low": 1e-3, "high": 0.2, "log": True}}}, "other space"),
        ({"epochs": 5}, "other settings"),
        ({"metric": "accuracy"}, "other settings"),
    ],
)
def test_a_database_of_another_search_is_refused(
    tune: Tune, reference: Tuned, changed: dict[str, Any], told: str
) -> None:
    shutil.copytree(reference.run, "runs/signs-tune", dirs_exist_ok=True)
    before = Path("runs/signs-tune/study.db").read_bytes()
    with pytest.raises(StateError, match=told.replace("other", ".*other")):
        tune(trials=8, **changed)
    assert Path("runs/signs-tune/study.db").read_bytes() == before


def test_a_database_of_another_table_is_refused(
    tune: Tune, reference: Tuned, table: Path, tmp_path: Path
) -> None:
    shutil.copytree(reference.run, "runs/signs-tune", dirs_exist_ok=True)
    other = tmp_path / "signs.csv"
    other.write_text(table.read_text() + "1,1,1\n")
    with pytest.raises(StateError, match="other data"):
        tune(other)


def test_what_is_no_database(tune: Tune) -> None:
    folder = Path("runs/signs-tune")
    (folder / "study.db").write_text("not a database, but long enough to look like one " * 40)
    with pytest.raises(StateError, match="cannot be used"):
        tune()
    (folder / "study.db").unlink()
    with sqlite3.connect(folder / "study.db") as database:
        database.execute("CREATE TABLE studies (x INTEGER)")
    with pytest.raises(StateError, match="cannot be used"):
        tune()


def test_a_database_that_optuna_has_made_elsewhere(tune: Tune) -> None:
    url = "sqlite:///runs/signs-tune/study.db"
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=url, study_name="tune")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    optuna.logging.set_verbosity(before)
    with pytest.raises(StateError, match="not from chainrule tune"):
        tune()


def test_one_process_at_a_time(tune: Tune) -> None:
    class Second(TuningListener):
        def trial(self, *words: object) -> None:
            with pytest.raises(StateError, match="another process"):
                tune()

    tune(trials=1, listener=Second())


def test_settings_that_fail_are_trials_that_failed(tune: Tune) -> None:
    space = {"train.loss": {"choices": ["bce_with_logits", "mse"]}, "only": True}
    tuned = tune(trials=6, space=space)
    states = {t.chosen["train.loss"]: t.state for t in tuned.trials}
    assert states["mse"] == "failed"
    assert states["bce_with_logits"] in ("complete", "pruned")
    assert "does not fit" in next(t.error for t in tuned.trials if t.error)
    assert "does not fit" in (tuned.run / "tuning.html").read_text()


def test_settings_that_fail_as_they_are_end_the_search(tune: Tune) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        tune(settings=[*SETTINGS, "train.loss=mse"])
    with pytest.raises(DataError):
        tune(target="z")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"time": "soon"}, "the time is 'soon'"),
        ({"time": -1}, "time is -1"),
        ({"jobs": 0}, "jobs is 0"),
        ({"space": {"only": True}}, "nothing is varied"),
        ({"runs_dir": None}, "needs a folder"),
        ({"metric": "rmse"}, "rmse does not fit"),
        ({"layres": 3}, "no argument 'layres'"),
        ({"preset": "best"}, "an ensemble of folds cannot be tuned"),
    ],
)
def test_bad_arguments(tune: Tune, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tune(**arguments)
    assert not list(Path("runs").glob("*tuned*"))


def test_data_in_memory(tune: Tune, table: Path) -> None:
    values = np.loadtxt(table, delimiter=",", skiprows=1)
    columns = {"a": values[:, 0], "b": values[:, 1], "y": values[:, 2].astype(int)}
    tuned = tune(columns, name="mine")
    assert tuned.run == Path("runs/mine-tune")
    with pytest.raises(ConfigError, match="came from Python"):
        tune(columns, name="mine", jobs=2, trials=5)


def test_a_run_toml_with_its_space(tune: Tune, table: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        f'name = "filed"\n[data]\npath = "{table}"\ntarget = "y"\n[model]\nlayers = [4]\n'
        '[train]\nepochs = 3\n[tune]\nonly = true\n"train.lr" = { low = 0.01, high = 0.1 }\n'
    )
    with interpreting():
        tuned = cr.tune("run.toml", trials=2, verbose=False)
        assert tuned.run == Path("runs/filed-tune")
        assert set(tuned.changes) == {"train.lr"}
        with pytest.raises(ConfigError, match="cannot be combined"):
            cr.tune("run.toml", "y")


@pytest.mark.parametrize("only", [True, False])
def test_the_first_trial_is_the_default_where_validation_chooses_some_of_it(
    tmp_path: Path, only: bool
) -> None:
    """So no search ends with what is worse on validation data, whatever it varies."""
    x = np.random.default_rng(0).normal(size=(1000, 3))
    columns = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x @ [1.0, -2.0, 0.5]}
    small = ["preset=good", "model.members=2", "model.layers=[8]", "model.trial_epochs=2",
             "train.batch_size=70", "train.lr=0.0212345", "train.epochs=3"]  # fmt: skip
    space = {"train.lr": {"low": 1e-3, "high": 0.3, "log": True}, "only": only}
    with interpreting():
        default = cr.fit(columns, "y", settings=small, runs_dir=None, verbose=False)
        tuned = cr.tune(columns, "y", settings=small, space=space, trials=1 + only, name="line",
                        runs_dir=tmp_path, verbose=False)  # fmt: skip
    assert default.settings.model.numbers == "plain", "the rule alone would take intervals"
    first = tuned.trials[0]
    assert list(first.values) == default.history["val_loss"]
    assert tuned.best is not None
    assert tuned.best.value <= min(default.history["val_loss"])
    assert tuned.usual["train.lr"] == 0.0212345
    assert tuned.settings is not None
    if tuned.best is first:
        assert tuned.settings.train == default.settings.train
