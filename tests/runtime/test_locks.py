"""Programs that share any state take turns; others do not wait for one another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.driver import native_backend
from chainrule.frontend import host_effect, host_scalar
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.ir.memory import aligned_empty
from chainrule.ir.types import Array
from chainrule.runtime.locks import JointLock, RunLock, lock_of
from chainrule.runtime.processors import set_num_threads
from chainrule.train.examples import Examples
from chainrule.train.loop import LoopStepper
from runtime.programs import counting_program

SECONDS = 60


def state() -> Array:
    array = aligned_empty((4,), np.float32)
    array.fill(0)
    return array


def together(*works: Callable[[], Any]) -> None:
    """Run ``works`` at once, each in a thread of its own."""
    problems: list[BaseException] = []
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], Any]) -> None:
        start.wait()
        try:
            work()
        except BaseException as problem:
            problems.append(problem)
            raise

    threads = [threading.Thread(target=begin, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    assert not problems


def test_one_lock_for_each_state() -> None:
    p, q, r = state(), state(), state()
    first, second = lock_of([p]), lock_of([q])
    assert isinstance(first, RunLock)
    assert first is not second
    assert lock_of([p]) is first
    assert lock_of([p, r]) is first
    assert lock_of([r]) is first
    assert lock_of([p[1:]]) is first  # the same memory
    both = lock_of([q, p])
    assert isinstance(both, JointLock)
    assert both.parts == (first, second)
    assert lock_of([]) is not lock_of([])


def test_memory_that_returns_at_an_old_address_is_new() -> None:
    """Else a program would wait for one that its predecessor there had shared a state with."""
    buffer, kept = bytearray(256), state()
    old = np.frombuffer(buffer, np.float32)
    lock = lock_of([kept, old])
    assert lock_of([np.frombuffer(buffer, np.float32)]) is lock  # as long as the old one lives
    del old
    new = np.frombuffer(buffer, np.float32)
    assert lock_of([new]) is not lock
    assert lock_of([kept]) is lock


def test_a_joint_lock_is_given_back_when_a_ctrl_c_strikes_between_its_parts() -> None:
    class Struck(threading.Barrier):
        def __enter__(self) -> None:
            raise KeyboardInterrupt

        def __exit__(self, *error: object) -> None:
            raise AssertionError("was never entered")

    first, second = RunLock(), RunLock()
    second.calls = Struck(1)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt), JointLock([second, first]).calls:
        pass
    together(lambda: first.calls.acquire(timeout=100) or pytest.fail("still taken"))


def counter(steps: int, *tensors: cr.Tensor) -> Callable[[], Any]:
    """Calls a program of its own that adds 1 to each, ``steps`` times in a call."""

    def step(x: Any) -> Any:
        for t in tensors:
            t.assign_(t + x.mean())
        return x.mean()

    stepper = LoopStepper(step)
    ones, rows = np.ones((2, 1), np.float32), np.zeros((steps, 1), np.int32)
    return lambda: stepper.run(Examples((ones,)), rows)


def test_threads_with_programs_that_share_a_state() -> None:
    """An update reads, adds and writes: if two ran at once, some would be lost."""
    set_num_threads(1)
    p, q = cr.zeros(1024), cr.zeros(1024)
    steps = 500_000
    works = [counter(steps, *states) for states in ([p], [q], [p, q], [q, p])]
    for work in works:
        work()
    together(*([lambda w=w: [w() for _ in range(5)] for w in works]))  # type: ignore[misc]
    assert p.tolist() == q.tolist() == [3 * 6 * steps] * 1024


@pytest.mark.parametrize("backend", [native_backend, interpreter_backend])
def test_threads_that_call_one_training_step(backend: Any) -> None:
    """Each finds the step count that belongs to the weights it finds."""
    w, clock = cr.zeros(3), SimpleNamespace(steps=0)

    def advance(n: int) -> None:
        clock.steps += n

    @cr.compile(backend=backend)
    def step() -> Any:
        w.assign_(w + host_scalar(lambda k: clock.steps + k + 1.0))
        host_effect(advance)
        return w.sum()

    step()

    def work() -> None:
        for _ in range(300):
            step()

    together(work, work, work)
    assert clock.steps == 901
    assert w.tolist() == [sum(range(902))] * 3


def test_an_evaluation_waits_for_the_whole_step_of_a_training() -> None:
    """All weights of one step, never half of them."""
    set_num_threads(1)
    p, q = cr.zeros(4096), cr.zeros(4096)
    train = counter(20_000, p, q)
    seen: list[float] = []
    difference = cr.compile(lambda: (p - q).sum() + 0 * p.sum())
    train()
    difference()
    together(
        lambda: [train() for _ in range(15)],
        lambda: seen.extend(difference().item() for _ in range(500)),
    )
    assert seen == [0.0] * 500


def test_programs_that_share_nothing_run_at_once() -> None:
    set_num_threads(1)
    long, _ = counting_program(spin=1000)
    runner = threading.Thread(target=long.run_many, args=(10**9,))
    runner.start()
    try:
        other, count = counting_program()
        together(lambda: other.run_many(100))
        assert count[0] == 100
        assert runner.is_alive()
    finally:
        long.stop()
        runner.join(SECONDS)


def test_empty_arrays_are_interpreted_under_the_same_lock() -> None:
    w, nothing = cr.zeros(2), cr.zeros(0)
    f = cr.compile(lambda: w.assign_(w + 1) * 1)
    g = cr.compile(lambda: w.assign_(w + 1) * 1 + nothing.sum())
    f(), g()

    def many(call: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: [call() for _ in range(500)]

    together(many(f), many(g), many(f), many(g))
    assert w.tolist() == [2002.0] * 2
