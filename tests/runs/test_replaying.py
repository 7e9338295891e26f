"""A step that is replayed past what was done to the training by hand, or by its guard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import StateError
from chainrule.microscope.interventions import read_interventions
from chainrule.microscope.of_run import open_run
from chainrule.runs.control import request_action

from .test_control import trained

EVERY = ("output.checkpoints.every=epoch", "output.checkpoints.keep=10")


def events(run: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Rewrites the events of a run."""
    lines = map(json.loads, (run / "events.jsonl").read_text(encoding="utf-8").splitlines())
    kept = [json.dumps(line) + "\n" for event in lines if (line := change(event))]
    (run / "events.jsonl").write_text("".join(kept), encoding="utf-8")


def check_last_step(run: Path) -> None:
    """The last step, from the beginning and from a checkpoint: to the bits of the newest one."""
    opened = open_run(run)
    newest = opened.checkpoints[-1]
    expected = newest.state()["model"]
    for kept in (opened.checkpoints[:-1], []):
        opened.checkpoints = [*kept, newest]
        last = opened.replay(newest.step)
        for name, parameter in last.step.parameters.items():
            np.testing.assert_array_equal(parameter.after, expected[name])


def test_a_rate_set_by_hand_is_set_again(tmp_path: Path) -> None:
    asks = {2: lambda run: request_action(run, "lr", 0.02),
            4: lambda run: request_action(run, "lr", 0.01)}  # fmt: skip
    run = trained(tmp_path, asks, "train.schedule=cosine", *EVERY).run
    check_last_step(run)


def test_a_training_that_was_rolled_back_is_followed(tmp_path: Path) -> None:
    way = ("train.optimizer.name=sgd", "train.lr=1000", "train.guard.most=3",
           "train.guard.lr_factor=1e-5", "train.schedule=constant", *EVERY)  # fmt: skip
    run = trained(tmp_path, {}, *way).run
    rolled = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()
              if '"rollback"' in line]  # fmt: skip
    assert [event["factor"] for event in rolled] == [1e-5]
    check_last_step(run)
    old = shutil.copytree(run, tmp_path / "old")
    events(old, lambda event: None if event["event"] == "rollback" else event)
    opened = open_run(old)
    opened.replay(opened.checkpoints[-1].step)  # from the checkpoint before it
    opened.checkpoints = opened.checkpoints[-1:]
    with pytest.raises(StateError, match="steps from 1 on cannot be replayed from before"):
        opened.replay(opened.checkpoints[-1].step)


def test_what_nobody_recorded_is_noticed_by_the_losses(tmp_path: Path) -> None:
    asks = {2: lambda run: request_action(run, "lr", 0.02)}
    run = trained(tmp_path, asks, *EVERY).run
    events(run, lambda event: None if event["event"] == "control" else event)
    opened = open_run(run)
    opened.checkpoints = []
    opened.replay(opened.order.steps + 1)
    with pytest.raises(StateError, match="epoch 3 done again has a loss of"):
        opened.replay(4 * opened.order.steps)


def test_more_epochs_change_a_schedule(tmp_path: Path) -> None:
    run = trained(tmp_path, {}, "train.schedule=cosine", *EVERY).run
    cr.resume(run, epochs=8, verbose=False)
    opened = open_run(run)
    steps = opened.order.steps
    opened.replay(7 * steps)
    with pytest.raises(StateError, match=f"steps 1 to {6 * steps} cannot be replayed"):
        opened.replay(2)


def test_what_was_done_and_lost_again_is_left_out(tmp_path: Path) -> None:
    def lr(step: int, before: float, value: float) -> dict[str, Any]:
        return {"event": "control", "action": "lr", "step": step, "before": before, "value": value}

    def read(*lines: dict[str, Any]) -> Any:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / "events.jsonl").write_text(text + '{"event": "contr', encoding="utf-8")
        return read_interventions(tmp_path, {}, 10)

    crashed = read(lr(5, 0.1, 0.2), lr(15, 0.2, 0.3), {"event": "resume", "epoch": 1, "step": 10})
    assert [change.step for change in crashed.changes] == [5]
    assert crashed.unknown is None
    earlier = read(lr(15, 0.1, 0.3), {"event": "resume", "epoch": 1})
    assert earlier.unknown == 10
    assert earlier.between(0, 10) == ()
    with pytest.raises(StateError, match="resumed there"):
        earlier.between(0, 11)
    back = {"event": "rollback", "step": 10, "before": 0.2, "factor": 0.5}
    twice = read(lr(5, 0.1, 0.2), lr(15, 0.2, 0.3), back, {**back, "factor": 0.25})
    assert [(c.step, c.factor) for c in twice.changes] == [(5, 1.0), (10, 0.25)]
