"""The folder of checkpoints: order, retention, damage, locks."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError, StateError
from chainrule.train import Checkpoint, Checkpoints
from chainrule.train.checkpoints import weights_file
from chainrule.train.interrupts import Interrupts
from resealing import reseal


def written(folder: Path, *scores: float, keep: int = 3, **settings: Any) -> Checkpoints:
    """Checkpoints of steps 10, 20, ... with these validation losses."""
    store = Checkpoints(folder, keep=keep, **settings)
    with store.writing(resume=True):
        for i, score in enumerate(scores, 1):
            state = {"number": i, "array": np.arange(i, dtype=np.float32)}
            store.save(lambda s=state: s, 10 * i, i, {"loss": 9.0 - i, "val_loss": score})
    return store


def steps(store: Checkpoints) -> list[int]:
    return [c.step for c in store.readable()]


def test_layout_and_contents(tmp_path: Path) -> None:
    store = written(tmp_path, 0.5, 0.25)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".lock") == [
        "000010.json", "000010.safetensors", "000020.json", "000020.safetensors",
    ]  # fmt: skip
    facts = json.loads((tmp_path / "000020.json").read_text())
    assert facts["format"] == "chainrule.checkpoint"
    assert (facts["version"], facts["step"], facts["epoch"]) == (2, 20, 2)
    assert facts["score"] == {"name": "val_loss", "value": 0.25}
    content = (tmp_path / "000020.safetensors").read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    newest = store.newest()
    assert newest is not None
    state = newest.state()
    assert state["number"] == 2
    np.testing.assert_array_equal(state["array"], [0, 1])


def test_the_last_and_the_best_stay(tmp_path: Path) -> None:
    store = written(tmp_path, 5, 1, 4, 3, 2, float("nan"), keep=2)
    assert steps(store) == [20, 50, 60]
    best, newest = store.best(), store.newest()
    assert best is not None
    assert newest is not None
    assert (best.step, best.score, newest.step) == (20, 1.0, 60)


def test_more_can_be_better_and_no_best_at_all(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "a", keep=1, monitor="val_accuracy")
    with store.writing(resume=False):
        for i, accuracy in enumerate([0.5, 0.9, 0.7], 1):
            store.save(dict, i, i, {"loss": 1.0, "val_accuracy": accuracy})
        with pytest.raises(ConfigError, match="which is not computed"):
            store.save(dict, 9, 9, {"loss": 1.0})
    assert steps(store) == [2, 3]
    assert steps(written(tmp_path / "b", 1, 2, 3, keep=1, monitor=None)) == [30]


def test_steps_order_them_whatever_the_clock_says(tmp_path: Path) -> None:
    store = written(tmp_path, 3, 2, 1)
    for i, name in enumerate(sorted(os.listdir(tmp_path))):
        os.utime(tmp_path / name, (2e9 - i * 1e6, 2e9 - i * 1e6))
    newest = store.newest()
    assert newest is not None
    assert newest.step == 30


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: flip_a_bit(f / "000030.safetensors"),
        lambda f: (f / "000030.safetensors").unlink(),
        lambda f: (f / "000030.json").unlink(),
        lambda f: (f / "000030.json").write_bytes(b""),
        lambda f: (f / "000030.json").write_text("[1, 2]"),
        lambda f: (f / "000030.safetensors").write_bytes(b"short"),
    ],
)
def test_the_newest_whole_one_wins(tmp_path: Path, damage: Any) -> None:
    store = written(tmp_path, 3, 2, 1)
    damage(tmp_path)
    with store.writing(resume=True) as newest:
        assert newest is not None
        assert newest.step == 20
        assert newest.state()["number"] == 2
        names = sorted(p.name for p in tmp_path.iterdir() if "3" in p.name)
        assert names == []  # a half is no use, and its name will be needed
        store.save(lambda: {"number": 3}, 30, 3, {"loss": 1.0})
    assert steps(store) == [10, 20, 30]


def test_leftovers_of_a_killed_process_are_removed_and_strangers_stay(tmp_path: Path) -> None:
    store = written(tmp_path, 1)
    for name in (".000020.safetensors.0123abcd", "000020.safetensors", "notes.json", "1.json"):
        (tmp_path / name).write_bytes(b"{}")
    with store.writing(resume=True):
        pass
    found = sorted(p.name for p in tmp_path.iterdir())
    assert found == [".lock", "000010.json", "000010.safetensors", "1.json", "notes.json"]


def test_all_damaged_is_an_error_and_not_a_fresh_start(tmp_path: Path) -> None:
    store = written(tmp_path, 2, 1)
    for path in tmp_path.glob("*.safetensors"):
        flip_a_bit(path)
    with pytest.raises(StateError, match="none of the 2 checkpoints"), store.writing(resume=True):
        pass
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_another_format_version(tmp_path: Path) -> None:
    written(tmp_path, 1)
    path = tmp_path / "000010.json"
    reseal(path, version=7)
    with pytest.raises(StateError, match="version 7"):
        Checkpoint.read(path)
    with pytest.raises(StateError, match="version 7"):
        written(tmp_path, 1)
    assert path.exists()


def test_going_back_removes_what_came_after(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=9)
    with store.writing(resume=False):
        for step in (10, 20, 30):
            store.save(lambda s=step: {"at": s}, step, step, {})
        store.forget_after(10)
        assert steps(store) == [10]
        store.save(lambda: {"at": "anew"}, 20, 20, {})
    newest = store.newest()
    assert newest is not None
    assert newest.state() == {"at": "anew"}


def test_two_writers(tmp_path: Path) -> None:
    first, second = Checkpoints(tmp_path), Checkpoints(tmp_path)
    with first.writing(resume=False):
        with (
            pytest.raises(StateError, match=f"in use by process {os.getpid()}"),
            second.writing(resume=True),
        ):
            pass
        assert second.readable() == []
    with second.writing(resume=True):
        pass


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StateError, match="cannot write checkpoints"),
        Checkpoints(tmp_path / "file").writing(resume=False),
    ):
        pass


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the system's answer is given in its place."""
    store = written(tmp_path, 1)

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    with store.writing(resume=True):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refuse)
            patch.setattr(os, "open", refuse)
            with pytest.raises(StateError, match="Permission denied"):
                store.save(lambda: {"n": 2}, 20, 2, {})
        assert steps(store) == [10]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with (
            pytest.raises(StateError, match="cannot write checkpoints"),
            store.writing(resume=True),
        ):
            pass


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The disk fills up in the first file, or between the two."""
    store = written(tmp_path, 1)
    calls: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == failing:
            raise StateError("no room")
        weights_file.write_whole(path, content)

    monkeypatch.setattr("chainrule.train.checkpoints.folder.write_whole", write)
    with store.writing(resume=True), pytest.raises(StateError):
        store.save(lambda: {"n": 2}, 20, 2, {})
    newest = store.newest()
    assert newest is not None
    assert newest.step == 10
    with store.writing(resume=True):
        assert not (tmp_path / "000020.safetensors").exists()


@pytest.mark.parametrize("every", ["epochs", 0, -3, "s", "30", True, 1.5, "1d"])
def test_intervals_that_are_none(tmp_path: Path, every: Any) -> None:
    with pytest.raises(ConfigError, match="invalid checkpoint interval"):
        Checkpoints(tmp_path, every)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep is 0"):
        Checkpoints(tmp_path, keep=0)
    with pytest.raises(ConfigError, match="cannot tell whether a higher or lower"):
        Checkpoints(tmp_path, monitor="val_profit")


def test_when_one_is_due(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, every=10)
    assert [store.due(s, ended=False) for s in (0, 9, 10, 11)] == [False, False, True, True]
    assert [store.steps_left(s, 100) for s in (0, 7, 10)] == [10, 3, 10]
    assert Checkpoints(tmp_path, every="2m").seconds == 120
    epochs = Checkpoints(tmp_path)
    assert (epochs.due(5, ended=False), epochs.due(5, ended=True)) == (False, True)


def test_signals_are_left_alone_outside_the_main_thread() -> None:
    found: list[bool] = []

    def enter() -> None:
        with Interrupts() as interrupts:
            found.append(not interrupts._before)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [True]
