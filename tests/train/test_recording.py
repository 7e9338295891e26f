"""Callbacks that write files."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError, StateError
from chainrule.train import Callback, Checkpoints, load
from chainrule.train.callbacks import CSVLogger, LambdaCallback, ModelCheckpoint
from train.problems_small import line, linear_trainer, weights
from train.resumable import fit, new_trainer
from train.test_callbacks import Scripted
from train.test_learner import averaged
from train.test_resume import SignalInBatch


def test_weights_of_the_last_epochs(tmp_path: Path) -> None:
    seen: list[Any] = []
    trainer = linear_trainer()
    keeper = ModelCheckpoint(tmp_path / "w-{epoch:02d}-{loss:.3f}.safetensors", keep=2)
    look = LambdaCallback(lambda epoch, logs: seen.append((weights(trainer)[0], logs["loss"])))
    trainer.fit(line(), epochs=4, callbacks=[look, keeper], verbose=False)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [f"w-{i:02d}-{seen[i - 1][1]:.3f}.safetensors" for i in (3, 4)]
    np.testing.assert_array_equal(load(tmp_path / names[0])["weight"], seen[2][0])


def test_only_the_best(tmp_path: Path) -> None:
    trainer = linear_trainer(lr=0.01)
    script = Scripted([5.0, 3.0, 4.0, float("nan"), 3.0])
    keeper = ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True)
    trainer.fit(line(), epochs=5, callbacks=[script, keeper], verbose=False)
    assert keeper.best == 3.0
    np.testing.assert_array_equal(
        load(tmp_path / "best.safetensors")["weight"], np.asarray(script.seen[1][0])
    )


def test_averaged_weights_are_what_is_written(tmp_path: Path) -> None:
    trainer = averaged()
    path = tmp_path / "mean.safetensors"
    trainer.fit(line(), epochs=2, callbacks=[ModelCheckpoint(path)], verbose=False)
    other = linear_trainer()
    other.model.load_state_dict(load(path))
    x = line(5, seed=3)[0]
    np.testing.assert_array_equal(other.predict(x), trainer.predict(x))


def test_paths_that_cannot_be_filled_in(tmp_path: Path) -> None:
    keeper = ModelCheckpoint(tmp_path / "{val_los}.safetensors")
    with pytest.raises(ConfigError, match="val_los") as raised:
        linear_trainer().fit(line(), epochs=1, callbacks=[keeper], verbose=False)
    assert "available: epoch, loss" in raised.value.help
    with pytest.raises(ConfigError, match="keep is 0"):
        ModelCheckpoint("w", keep=0)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("what was there before\n" * 100)
    trainer = linear_trainer()
    history = trainer.fit(
        line(), validation=line(20), epochs=3, callbacks=[CSVLogger(path)], verbose=False
    )
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]


def test_csv_of_a_resumed_training_has_every_epoch_once(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    fit(new_trainer(), None, CSVLogger(plain))
    path, store = tmp_path / "log.csv", Checkpoints(tmp_path / "c", every=10)
    with pytest.raises(KeyboardInterrupt):
        fit(new_trainer(), store, CSVLogger(path), SignalInBatch(signal.SIGINT, 26))
    newest = store.newest()
    assert newest is not None
    newest.path.unlink()  # as if killed before it: epochs after step 20 are trained once more
    assert len(table(path)) == 3
    fit(new_trainer(), store, CSVLogger(path))
    assert path.read_bytes() == plain.read_bytes()


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot write"):
        linear_trainer().fit(
            line(), callbacks=[CSVLogger(tmp_path / "no" / "log.csv")], verbose=False
        )


def test_a_callback_with_a_set_in_its_state(tmp_path: Path) -> None:
    class Odd(Callback):
        def state(self) -> dict[str, Any]:
            return {"seen": {1}}

    with pytest.raises(StateError, match="a set cannot be stored in a checkpoint"):
        linear_trainer().fit(
            line(), callbacks=[Odd()], verbose=False, checkpoints=Checkpoints(tmp_path)
        )
