"""Trainings as plain values, and who carries them out."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.tables.kind import TABLES
from chainrule.runs import carriers
from chainrule.runs.carriers import InProcess, Processes, in_order
from chainrule.runs.jobs import Job, Outcome, Workplace, objective_of, write_folder
from interpreting import interpreting


def job(name: str, bounds: list[float | None] | None = None, **changed: Any) -> Job:
    """A training on a bundled table, of a moment."""
    document = TABLES.settings().to_document()
    document["data"] |= {"path": "heart", "target": "disease"}
    document["model"] |= {"layers": [4], "dropout": 0.0}
    document["train"] |= {"epochs": 4, "batch_size": 642, "lr": 0.05, **changed}
    document["train"]["loss"] = changed.get("loss", "bce_with_logits")
    return Job(name, "tables", document, bounds)


@pytest.fixture(scope="module")
def values() -> tuple[float, ...]:
    """The validation losses of a job that nothing cuts short."""
    with interpreting():
        outcome = Workplace(TABLES).perform(job("whole", []))
    assert outcome.error is None
    return tuple(outcome.values)


def test_a_trial(values: tuple[float, ...]) -> None:
    assert len(values) == 4
    assert values[-1] < values[0]


def test_a_trial_ends_where_it_is_worse_than_the_bound(values: tuple[float, ...]) -> None:
    with interpreting():
        workplace = Workplace(TABLES)
        fine = workplace.perform(job("fine", [v + 1e-9 for v in values]))
        cut = workplace.perform(job("cut", [None, values[1] - 1e-9, 0.0]))
    assert not fine.pruned
    assert tuple(fine.values) == values
    assert cut.pruned
    assert tuple(cut.values) == values[:2]
    assert cut.value == values[1]


def test_runs_of_the_same_rows_decide_by_them_each() -> None:
    documents = [job(f"seed-{seed}").settings for seed in (0, 1)]
    for seed, document in enumerate(documents):
        document["seed"] = seed
        document["data"]["split_seed"] = 0
        document["model"]["dropout"] = "auto"
        document["train"] |= {"epochs": 1, "loss": "auto"}
    with interpreting():
        workplace = Workplace(TABLES)
        done = [workplace.perform(Job(f"seed-{i}", "tables", d)) for i, d in enumerate(documents)]
    assert [outcome.error for outcome in done] == [None, None]
    assert all(outcome.files for outcome in done)


def test_an_outcome_is_json(values: tuple[float, ...]) -> None:
    outcome = Outcome("a", (*values, float("nan")), 3, False, 0.25, files={"a/b": b"\x00\xff"})
    again = Outcome.from_dict(json.loads(json.dumps(outcome.to_dict())))
    assert tuple(again.values[:4]) == values
    assert again.best == 3
    assert again.files == outcome.files


@pytest.mark.parametrize(
    ("wrong", "kind", "told"),
    [
        ({"loss": "mae"}, ConfigError, "`train.loss` is 'mae'"),
        ({"lr": -1.0}, ConfigError, "`train.lr` is -1.0"),
        ({"loss": "ctc"}, ConfigError, "does not fit"),
    ],
)
def test_errors_come_back_as_they_were(wrong: Any, kind: type[Exception], told: str) -> None:
    outcome = Workplace(TABLES).perform(job("wrong", [], **wrong))
    again = Outcome.from_dict(json.loads(json.dumps(outcome.to_dict())))
    error = again.raised()
    assert isinstance(error, kind)
    assert told in error.what
    assert error.help


def test_data_that_is_not_there() -> None:
    """As on a node that does not share the disk of the others."""
    missing = job("missing")
    missing.settings["data"]["path"] = "/nowhere/table.csv"
    error = Workplace(TABLES).perform(missing).raised()
    assert isinstance(error, DataError)
    assert "/nowhere/table.csv" in str(error)


def test_another_release_is_refused() -> None:
    other = Job("other", "tables", {}, [], version="0.0.1")
    error = Workplace(TABLES).perform(other).raised()
    assert isinstance(error, StateError)
    assert "0.0.1" in error.what


def test_errors_of_no_class_of_ours_are_no_harm() -> None:
    told = {"class": "SystemExit", "what": "x", "where": "", "help": ""}
    assert type(Outcome("a", error=told).raised()) is StateError


@pytest.mark.parametrize("file", ["../outside", "/absolute", "a/../../b"])
def test_no_file_leaves_its_folder(tmp_path: Path, file: str) -> None:
    with pytest.raises(StateError, match="not a file in a run folder"):
        write_folder(tmp_path, "20260101-000000-run-abcd", {file: b"x"})
    assert not list(tmp_path.glob("2*"))
    assert not (tmp_path.parent / "outside").exists()


def test_a_folder_travels(tmp_path: Path) -> None:
    files = {"run.json": b"{}", "checkpoints/a/b": b"\x00\xff"}
    run = write_folder(tmp_path, "20260101-000000-run-abcd", files)
    assert (run / "checkpoints" / "a" / "b").read_bytes() == b"\x00\xff"
    assert [p.name for p in tmp_path.iterdir()] == [run.name]


def test_jobs_are_asked_for_when_there_is_a_place() -> None:
    """Job n comes after outcome n - places, whichever is done first."""
    log: list[str] = []

    def jobs() -> Iterator[Job]:
        for n in range(4):
            log.append(f"ask {n}")
            yield Job(str(n), "tables", {})

    for outcome in in_order(jobs(), 2, lambda j: j, lambda j: Outcome(j.name)):
        log.append(f"got {outcome.name}")
    assert log == ["ask 0", "ask 1", "got 0", "ask 2", "got 1", "ask 3", "got 2", "got 3"]


def test_in_process(values: tuple[float, ...]) -> None:
    with interpreting():
        outcomes = list(InProcess().carry(Workplace(TABLES), [job("a", []), job("b", [])]))
    assert [o.name for o in outcomes] == ["a", "b"]
    assert all(tuple(o.values) == values for o in outcomes)


def test_processes_one_of_which_is_killed(
    monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...]
) -> None:
    """Its training is done again, and all have the bits of this process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    started: list[Any] = []

    class Killed(carriers._Worker):
        """The first is killed as soon as it has something to do."""

        def __init__(self, threads: int) -> None:
            super().__init__(threads)
            started.append(self)

        def send(self, job: Job) -> None:
            super().send(job)
            if self is started[0]:
                os.kill(self._process.pid, signal.SIGKILL)

    monkeypatch.setattr(carriers, "_Worker", Killed)
    notes: list[str] = []
    outcomes = list(Processes(2).carry(Workplace(TABLES), (job(n, []) for n in "ab"), notes.append))
    assert len(started) == 3
    assert notes == ["the process of a was killed; a is done again"]
    assert [o.name for o in outcomes] == ["a", "b"]
    assert all(tuple(o.values) == values for o in outcomes)
    assert all(worker._process.returncode is not None for worker in started)


def test_a_process_that_is_always_killed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(carriers._Worker):
        def __init__(self, threads: int) -> None:
            del threads

        def send(self, job: Job) -> None: ...

        def outcome(self) -> None:
            return None

        def close(self) -> None: ...

    monkeypatch.setattr(carriers, "_Worker", Dead)
    with pytest.raises(StateError, match="killed 3 times"):
        list(Processes(2).carry(Workplace(TABLES), [job("a", [])]))


def test_objectives() -> None:
    workplace = Workplace(TABLES)
    for metric, told in (("auto", ("val_loss", False)), ("log_loss", ("val_log_loss", False)),
                         ("roc_auc", ("val_roc_auc", True))):  # fmt: skip
        settings = TABLES.settings.read(job("a", metric=metric).settings)
        assert objective_of(TABLES, workplace.prepared(settings)) == told
