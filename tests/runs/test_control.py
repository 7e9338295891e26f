"""What is asked of a training while it goes on, and what becomes of its numbers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import StateError
from chainrule.optim import SGD
from chainrule.optim.schedule import Exponential
from chainrule.report import report_facts
from chainrule.runs.control import request_action
from chainrule.runs.listeners import Listener
from chainrule.train import Callback
from chainrule.train.callbacks.rates import rates_of, set_rates

from .test_observing import rows

DEADLINE = 60.0
SETTINGS = ["model.layers=[8]", "train.batch_size=20", "data.split=[0.6,0.2,0.2]",
            "train.early_stopping.patience=100", "output.checkpoints.every=epoch",
            "observe=off"]  # fmt: skip


class Asking(Listener):
    """Asks at the end of epochs, by their numbers; the run answers at once."""

    def __init__(self, asks: dict[int, Callable[[Path], None]]) -> None:
        self.asks = asks

    def begin(self, facts: Any) -> None:
        self.name = facts["name"]

    def callbacks(self, epochs: int) -> list[Callback]:
        listener = self

        class Ask(Callback):
            def on_epoch_end(self, epoch: int, logs: Any) -> None:
                ask = listener.asks.get(epoch + 1)
                if ask is not None:
                    ask(listener.runs / listener.name)

        return [Ask()]

    runs: Path


def trained(folder: Path, asks: dict[int, Callable[[Path], None]], *settings: str) -> Any:
    listener = Asking(asks)
    listener.runs = folder / "runs"
    return cr.fit(
        rows(folder), "y", epochs=6, settings=[*SETTINGS, *settings], runs_dir=listener.runs,
        listener=listener, verbose=False,
    )  # fmt: skip


def controlled(run: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == "control"]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def resume_when_paused(run: Path) -> None:
    end = time.monotonic() + DEADLINE
    while not controlled(run) and time.monotonic() < end:
        time.sleep(0.02)
    request_action(run, "resume")


def test_a_pause_changes_no_bit(tmp_path: Path) -> None:
    def pause(run: Path) -> None:
        request_action(run, "pause")
        threading.Thread(target=resume_when_paused, args=(run,)).start()

    plain = trained(tmp_path, {})
    paused = trained(tmp_path, {2: pause})
    assert losses(paused.run) == losses(plain.run)
    both = paused.model.state_dict(), plain.model.state_dict()
    assert all((both[0][name] == both[1][name]).all() for name in both[0])
    assert [event["action"] for event in controlled(paused.run)] == ["pause", "resume"]
    assert not (paused.run / "control").exists()
    assert controlled(plain.run) == []


def test_a_training_that_was_asked_to_stop_is_done_and_can_be_resumed(tmp_path: Path) -> None:
    whole = trained(tmp_path, {})
    stopped = trained(tmp_path, {2: lambda run: request_action(run, "stop")})
    assert losses(stopped.run) == losses(whole.run)[:2]
    facts = json.loads((stopped.run / "run.json").read_text())
    assert (facts["status"], facts["stopped"]) == ("done", False)
    assert facts["metrics"]
    (event,) = controlled(stopped.run)
    assert (event["action"], event["epoch"]) == ("stop", 2)
    notes = [note["message"] for note in report_facts(stopped.run)["notes"]]
    assert event["message"] in notes
    resumed = cr.resume(stopped.run, verbose=False)
    assert losses(resumed.run) == losses(whole.run)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_new_rate_is_recorded_and_kept_by_checkpoints(tmp_path: Path, schedule: str) -> None:
    def ask(run: Path) -> None:
        request_action(run, "lr", 0.5)

    way = f"train.schedule={schedule}"
    changed = trained(tmp_path, {2: ask}, way)
    plain = trained(tmp_path, {}, way)
    assert losses(changed.run)[:2] == losses(plain.run)[:2]
    assert losses(changed.run)[2:] != losses(plain.run)[2:]
    (event,) = controlled(changed.run)
    assert (event["action"], event["value"], event["epoch"]) == ("lr", 0.5, 2)
    assert "no longer reproduces" in event["message"]
    lines = map(json.loads, (changed.run / "metrics.jsonl").read_text().splitlines())
    rates = [line["lr"] for line in lines]
    assert max(rates[2:]) <= 0.5 < 10 * rates[2]
    both = {2: ask, 4: lambda run: request_action(run, "stop")}
    resumed = cr.resume(trained(tmp_path, both, way).run, verbose=False)
    assert losses(resumed.run) == losses(changed.run)


def test_nothing_is_asked_of_a_run_that_has_ended(tmp_path: Path) -> None:
    run = trained(tmp_path, {}).run
    with pytest.raises(StateError, match="not being trained"):
        request_action(run, "stop")
    assert not (run / "control").exists()


def test_what_is_no_request_is_removed(tmp_path: Path) -> None:
    def litter(run: Path) -> None:
        (run / "control").mkdir()
        for name, text in (("1.json", "{"), ("2.json", '{"action": "x"}'), ("3.json", "[]"),
                           ("4.json", '{"action": "lr", "value": "fast"}'),
                           (".5.json", "half")):  # fmt: skip
            (run / "control" / name).write_text(text)

    run = trained(tmp_path, {2: litter}).run
    assert controlled(run) == []
    assert [file.name for file in (run / "control").iterdir()] == [".5.json"]


def test_rates_of_all_groups_change_by_the_same_factor() -> None:
    parameters = [cr.nn.Parameter(np.zeros(2, np.float32)) for _ in range(3)]
    optimizer = SGD([{"params": parameters[:1], "lr": 0.1}, {"params": parameters[1:2], "lr": 0.2},
                     {"params": parameters[2:], "lr": Exponential(0.05, 0.9)}], lr=0.1)  # fmt: skip
    before = rates_of(optimizer)
    for _ in range(2):
        set_rates(optimizer, 2.0)
        assert rates_of(optimizer) == pytest.approx([rate * 10 for rate in before])
    set_rates(optimizer, 0.2)
    assert rates_of(optimizer) == pytest.approx(before)
