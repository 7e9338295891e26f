"""Ctrl-C at any moment of a compiled call or a loop: what was done is what was counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.frontend import host_effect, host_scalar
from chainrule.frontend.compiled import CompiledFunction, engine

ROOT = Path(__file__).parent.parent.parent

# SGD with rate 1 and gradient 1: the weight is minus the number of updates that are in it.
_STORM = """
import sys
import numpy as np
import chainrule as cr
from chainrule import optim
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper

how, length, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
w = cr.zeros(3)
w.requires_grad = True
opt = optim.SGD([{"params": [w]}], lr=1.0)
ones = np.ones((8, 1), np.float32)
rows = np.zeros((length, 2), np.int32)

def step(x):
    opt.zero_grad()
    loss = (w * x.mean()).sum()
    loss.backward()
    opt.step()
    return loss

compiled, looped = cr.compile(step), LoopStepper(step)

def work():
    if how == "calls":
        compiled(ones)
    else:
        looped.run(Examples((ones,)), rows)

def steps():
    return opt.state_dict()["state"][0]["step"]

work()
for round in range(rounds):
    try:
        print("ready", flush=True)
        while True:
            work()
    except KeyboardInterrupt:
        pass
    assert w.tolist() == [-steps()] * 3, (round, w.tolist(), steps())
before = steps()
work()
assert steps() - before == (1 if how == "calls" else length)
assert w.tolist() == [-steps()] * 3
"""


@pytest.mark.parametrize(
    ("how", "length", "rounds"), [("calls", 1, 500), ("loops", 1, 300), ("loops", 300, 100)]
)
def test_interrupts_at_random_moments(how: str, length: int, rounds: int, tmp_path: Path) -> None:
    """They come from outside: a thread of the same process would wait for Python's lock first, and
    so never strike while Python runs.
    """
    delays = np.random.default_rng(0).uniform(0.0001, 0.003, rounds)
    process = subprocess.Popen(
        [sys.executable, "-c", _STORM, how, str(length), str(rounds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_CACHE_DIR": str(tmp_path)},
    )
    assert process.stdout is not None
    for delay in delays:
        if process.stdout.readline() != "ready\n":
            break
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")


class _Interrupted:
    """A program of no states that is interrupted after ``steps_done`` steps."""

    def __init__(self, program: Any, after: int) -> None:
        self.program, self.after = program, after
        self.exclusive = program.exclusive
        self.steps_done = 7  # of a call before

    def forget_steps(self) -> None:
        self.steps_done = 0

    def __call__(self, *args: Any, scalars: Any = ()) -> Any:
        self.steps_done = self.after
        raise KeyboardInterrupt


@pytest.mark.parametrize("after", [0, 1])
def test_effects_follow_the_steps_that_were_done(after: int) -> None:
    counted: list[int] = []
    f = _compiled(counted, lambda program: _Interrupted(program, after))
    with pytest.raises(KeyboardInterrupt):
        f(np.float32(1))
    assert counted == [1] * (2 * after)


def test_a_scalar_that_is_interrupted_counts_nothing() -> None:
    """Not even the step of the call before."""
    counted: list[int] = []
    told: list[BaseException] = []

    def rate(k: int) -> float:
        if told:
            raise told.pop()
        return 1.0

    def step(x: Any) -> Any:
        scale = host_scalar(rate)
        host_effect(lambda n: counted.append(n))
        return x * scale

    f = cr.compile(step)
    f(np.float32(1))
    told.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        f(np.float32(1))
    assert counted == [1]


def test_an_effect_that_is_interrupted_happens_once() -> None:
    """As do those before and after it, in their order."""
    happened: list[str] = []
    stops = [KeyboardInterrupt()]

    def second(n: int) -> None:
        if stops:
            raise stops.pop()
        happened.append("second")

    def step(x: Any) -> Any:
        host_effect(lambda n: happened.append("first"))
        host_effect(second)
        host_effect(lambda n: happened.append("third"))
        return x * 2.0

    f = cr.compile(step)
    with pytest.raises(KeyboardInterrupt):
        f(np.float32(1))
    assert happened == ["first", "second", "third"]
    assert f(np.float32(3)).item() == 6.0
    assert happened == ["first", "second", "third"] * 2


def _compiled(counted: list[int], wrap: Any) -> CompiledFunction[..., Any]:
    from_engine = engine.backend

    def step(x: Any) -> Any:
        host_effect(lambda n: counted.append(n))
        host_effect(lambda n: counted.append(n))
        return x + 1.0

    return cr.compile(backend=lambda graph, states: wrap(from_engine(graph, states)))(step)
