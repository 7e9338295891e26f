"""TensorBoard's own reader finds the numbers again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chainrule import nn, optim
from chainrule.errors import ConfigError, StateError
from chainrule.report import TensorBoard, export_tensorboard, report_facts
from chainrule.train import History, Trainer


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    reader = EventAccumulator(str(folder))
    reader.Reload()
    tags = reader.Tags()["scalars"]
    return {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in tags}


def train(folder: Path, epochs: int = 3) -> History:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 2)).astype(np.float32)
    y = x.sum(axis=1, keepdims=True)
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=optim.schedule.Exponential(0.1, 0.9))
    trainer = Trainer(model, loss="mse", optimizer=optimizer)
    return trainer.fit(
        (x, y), validation=(x, y), epochs=epochs, callbacks=[TensorBoard(folder)], verbose=False
    )


def test_the_callback(tmp_path: Path) -> None:
    history = train(tmp_path)
    written, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert set(written) == {"loss", "learning_rate"}
    assert written["loss"] == [(i + 1, np.float32(v)) for i, v in enumerate(history["loss"])]
    assert validation == {
        "loss": [(i + 1, np.float32(v)) for i, v in enumerate(history["val_loss"])]
    }
    rates = [rate for _, rate in written["learning_rate"]]
    assert rates[0] > rates[1] > rates[2]


def test_epochs_that_come_again_replace_the_old_ones(tmp_path: Path) -> None:
    train(tmp_path, 4)
    history = train(tmp_path, 2)
    assert scalars(tmp_path / "train")["loss"] == [
        (i + 1, np.float32(v)) for i, v in enumerate(history["loss"])
    ]


def test_a_run_is_converted(classes: Path, tmp_path: Path) -> None:
    assert export_tensorboard(classes, tmp_path) == tmp_path
    history = report_facts(classes)["history"]
    validation = scalars(tmp_path / "validation")
    assert set(validation) == {"loss", "accuracy"}
    assert set(scalars(tmp_path / "train")) == {"loss", "learning_rate"}
    expected = list(zip(history["epoch"], np.float32(history["val_accuracy"]), strict=True))
    assert validation["accuracy"] == expected


def test_a_missing_package_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ConfigError) as caught:
        TensorBoard(tmp_path)
    assert 'pip install "chainrule[tensorboard]"' in str(caught.value)


def test_a_place_that_cannot_be_written(tmp_path: Path, classes: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        export_tensorboard(classes, tmp_path / "file" / "logs")
