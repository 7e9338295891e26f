"""A run that was ended goes on to the same bits, and refuses what would change them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import StateError
from chainrule.modalities.doors import fit, load_run, resume
from chainrule.modalities.tables.predictor import TablePredictor
from chainrule.records import sha256_of
from chainrule.runs.folder import RunFolder, is_being_written
from chainrule.runs.listeners import Listener
from chainrule.train import Callback
from interpreting import interpreting
from resealing import reseal


class Stop(Callback):
    """Ctrl-C after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        if epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


class Stopping(Listener):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def callbacks(self, epochs: int) -> list[Callback]:
        return [Stop(self.epoch)]


WORDS = ("train.average=ema", "train.schedule=cosine", "train.accumulate=2")


@pytest.fixture(scope="module")
def csv(table: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "people.csv"
    lines = [",".join(table)]
    for row in zip(*table.values(), strict=True):
        lines.append(",".join("" if v != v else str(v) for v in row))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def whole(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> TablePredictor:
    return started(csv, tmp_path_factory.mktemp("whole"), Listener())


def started(csv: Path, place: Path, listener: Listener) -> TablePredictor:
    return fit(csv, "ill", epochs=6, settings=WORDS, runs_dir=place, listener=listener)


@pytest.fixture(scope="module")
def interrupted(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that Ctrl-C ended after its third epoch."""
    place = tmp_path_factory.mktemp("ended")
    with pytest.raises(KeyboardInterrupt):
        started(csv, place, Stopping(2))
    [run] = place.iterdir()
    return run


@pytest.fixture
def ended(interrupted: Path, tmp_path: Path) -> Path:
    """A copy, to be resumed or changed."""
    return Path(shutil.copytree(interrupted, tmp_path / interrupted.name))


@pytest.fixture
def interpreted() -> Iterator[None]:
    with interpreting():
        yield


@pytest.mark.usefixtures("interpreted")  # it is about what they keep
def test_other_optimizers_go_on_too(csv: Path, tmp_path: Path) -> None:
    words = ["train.optimizer=muon", "train.regularization.input_noise=0.1",
             "train.gradient_noise.eta=0.01", "train.lookahead.k=3"]  # fmt: skip
    whole = fit(csv, "ill", epochs=4, settings=words, runs_dir=None, verbose=False)
    with pytest.raises(KeyboardInterrupt):
        fit(csv, "ill", epochs=4, settings=words, runs_dir=tmp_path, listener=Stopping(1))
    [run] = tmp_path.iterdir()
    assert same_bits(resume(run, verbose=False), whole)


def same_bits(a: TablePredictor, b: TablePredictor) -> bool:
    mine, theirs = a.model.state_dict(), b.model.state_dict()
    return all(np.array_equal(np.asarray(mine[n]), np.asarray(theirs[n])) for n in mine)


def test_the_same_bits_as_if_it_had_never_stopped(ended: Path, whole: TablePredictor) -> None:
    assert json.loads((ended / "run.json").read_text())["status"] == "interrupted"
    assert not is_being_written(ended)
    found = resume(ended, verbose=False)
    assert found.run == ended
    assert same_bits(found, whole)
    assert found.metrics == whole.metrics
    assert found.history.history == whole.history.history
    loaded = load_run(ended)
    assert loaded.history.epoch == list(range(6))
    assert loaded.history.history == whole.history.history
    lines = (ended / "events.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events[-3:] == ["interrupted", "resume", "done"]


def test_without_checkpoints_it_begins_afresh(ended: Path, whole: TablePredictor) -> None:
    """As after a kill before the first checkpoint."""
    shutil.rmtree(ended / "checkpoints")
    with (ended / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 9, "lo')
    assert same_bits(resume(ended, verbose=False), whole)
    assert len((ended / "metrics.jsonl").read_text().splitlines()) == 6


def test_more_epochs(csv: Path, tmp_path: Path) -> None:
    short = fit(csv, "ill", epochs=2, runs_dir=tmp_path, verbose=False)
    assert short.run is not None
    with pytest.raises(StateError, match="done after 2 epochs"):
        resume(short.run, verbose=False)
    longer = resume(short.run, epochs=5, verbose=False)
    direct = fit(csv, "ill", epochs=5, runs_dir=None, verbose=False)
    assert same_bits(longer, direct)
    assert load_run(short.run).settings.train.epochs == 5


def test_changed_data_is_refused(ended: Path, csv: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(csv.read_text().replace("town 1,", "town 2,", 1))
    with pytest.raises(StateError, match="the data is not the same"):
        resume(ended, other, verbose=False)
    moved = tmp_path / "moved.csv"
    shutil.copy(csv, moved)
    assert len(resume(ended, moved, verbose=False).history.epoch) == 6


def test_two_processes_never_write_one_run(ended: Path) -> None:
    before = (ended / "run.json").read_bytes()
    folder = RunFolder.open(ended, json.loads(before))
    assert is_being_written(ended)
    with pytest.raises(StateError, match="another process is writing"):
        resume(ended, verbose=False)
    folder.close()
    assert not is_being_written(ended)
    assert (ended / "run.json").read_bytes() == before


def test_a_table_from_python_must_be_given(table: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(table, "ill", epochs=4, runs_dir=tmp_path, listener=Stopping(1))
    [run] = tmp_path.iterdir()
    with pytest.raises(StateError, match="came from Python"):
        resume(run, verbose=False)
    found = resume(run, table, verbose=False)
    assert same_bits(found, fit(table, "ill", epochs=4, runs_dir=None, verbose=False))


def test_preprocessing_that_comes_out_differently(ended: Path) -> None:
    path = ended / "pipeline.json"
    path.write_text(path.read_text().replace('"age"', '"agee"', 1))
    with pytest.raises(StateError, match="not the one that this run wrote"):
        resume(ended, verbose=False)
    facts = json.loads((ended / "run.json").read_text())
    reseal(ended / "run.json", files=facts["files"] | {"pipeline.json": sha256_of(path)})
    with pytest.raises(StateError, match="comes out differently"):
        resume(ended, verbose=False)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("lr = 0.001", "lr = 0.5", "`train.lr` was 0.001 and is 0.5"),
        ("seed = 0", "seed = 1", "`seed` was 0 and is 1"),
        ("accumulate = 2", "accumulate = 3", "`train.accumulate` was 2 and is 3"),
    ],
)
def test_changed_settings_are_refused(ended: Path, before: str, after: str, said: str) -> None:
    """The optimizer would take its rate from the checkpoint, and the rest from the file."""
    path = ended / "run.toml"
    text = path.read_text()
    assert text.count(f"\n{before}\n") == 1
    path.write_text(text.replace(f"\n{before}\n", f"\n{after}\n"))
    with pytest.raises(StateError, match="was changed after the run began") as caught:
        resume(ended, verbose=False)
    assert said in caught.value.what


def test_settings_that_no_bit_depends_on_may_change(ended: Path, whole: TablePredictor) -> None:
    path = ended / "run.toml"
    path.write_text(path.read_text().replace('every = "30s"', 'every = "epoch"'))
    assert same_bits(resume(ended, verbose=False), whole)
    path.write_text(path.read_text().replace("epochs = 6", "epochs = 7"))
    assert len(resume(ended, verbose=False).history.epoch) == 7


def test_more_epochs_for_a_run_that_was_stopped_early(csv: Path, tmp_path: Path) -> None:
    """They would change nothing, and that is said; a run out of time has more to do."""
    words = ["train.convergence.loss=1000"]
    stopped = fit(csv, "ill", epochs=6, settings=words, runs_dir=tmp_path, verbose=False)
    assert stopped.run is not None
    with pytest.raises(StateError, match="stopped early after 2 of 6 epochs"):
        resume(stopped.run, epochs=9, verbose=False)
    # In the last epoch, too; and what it was allowed to take has nothing to do with it.
    words = ["train.convergence.loss=1000", "train.time_limit=1000"]
    last = fit(csv, "ill", epochs=2, settings=words, runs_dir=tmp_path, verbose=False)
    assert last.run is not None
    before = (last.run / "run.json").read_bytes()
    for epochs in (None, 9):
        with pytest.raises(StateError, match="stopped early after 2 of 2 epochs"):
            resume(last.run, epochs=epochs, verbose=False)
    assert (last.run / "run.json").read_bytes() == before
    words = ["train.time_limit=1e-6"]
    late = fit(csv, "ill", epochs=6, settings=words, runs_dir=tmp_path, verbose=False)
    assert late.run is not None
    assert len(late.history.epoch) == 1
    assert len(resume(late.run, verbose=False).history.epoch) == 2


@pytest.mark.parametrize("file", ["run.toml", "metrics.jsonl", "pipeline.json"])
def test_a_run_that_lacks_a_file(ended: Path, file: str) -> None:
    (ended / file).unlink()
    before = sorted(p.name for p in ended.iterdir())
    with pytest.raises(StateError, match=f"the run has no {file}"):
        resume(ended, verbose=False)
    assert sorted(p.name for p in ended.iterdir()) == before
    assert not is_being_written(ended)
