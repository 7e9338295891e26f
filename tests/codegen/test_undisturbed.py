"""LLVM is called where no signal arrives, and what signals want is done afterwards."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import llvmlite.binding as llvm
import numpy as np
import pytest

import chainrule as cr
from chainrule.codegen.target import emit_objects, host_target, initialize, target_for
from chainrule.codegen.undisturbed import side_by_side, undisturbed
from chainrule.errors import CompileError
from chainrule.runtime.link import link
from runtime.storm import storm

_TEXT = "define i64 @answer() {\n ret i64 42\n}"


def threads_that_call_llvm(work: Callable[[], object]) -> set[int]:
    """The threads that called LLVM during ``work``."""
    callers: set[int] = set()

    def called() -> None:
        callers.add(_thread.get_ident())

    def returned() -> None:
        pass

    llvm.ffi.register_lock_callback(called, returned)
    try:
        work()
    finally:
        llvm.ffi.unregister_lock_callback(called, returned)
    return callers


def forget_targets() -> None:
    initialize.cache_clear()
    host_target.cache_clear()


def compile_and_drop() -> None:
    forget_targets()
    step = cr.compile(lambda x: (x * 3.0).exp().sum())
    step(np.ones(5, np.float32))
    del step
    gc.collect()
    link(emit_objects([_TEXT], target_for("haswell")), ["answer"]).close()


def link_nonsense() -> None:
    with pytest.raises(CompileError, match="cannot be loaded"):
        link(b"nonsense", ["answer"])
    with pytest.raises(CompileError, match="invalid"):
        emit_objects(["nonsense"], host_target())
    gc.collect()


@pytest.mark.parametrize("work", [compile_and_drop, link_nonsense])
def test_llvm_is_never_called_where_signals_arrive(
    work: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE_DIR", str(tmp_path / "cache"))
    gc.collect()
    callers = threads_that_call_llvm(work)
    assert callers
    assert threading.main_thread().ident not in callers


def test_no_thread_is_left() -> None:
    before = _thread._count()
    for _ in range(5):
        link(emit_objects([_TEXT], host_target()), ["answer"])
    deadline = time.monotonic() + 60
    while _thread._count() > before:  # the last one is on its way out
        assert time.monotonic() < deadline
        time.sleep(0.001)


def interrupted(work: Callable[[], object], number: int = signal.SIGINT) -> list[str]:
    """What happened, in order, when a signal comes in the middle of ``work``."""
    events: list[str] = []

    def handler(number: int, frame: FrameType | None) -> None:
        events.append("handled")
        raise KeyboardInterrupt

    @undisturbed
    def middle() -> None:
        events.append("begun")
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 60
        while "handled" not in events and time.monotonic() < deadline:
            time.sleep(0.001)
        work()
        events.append("ended")

    before = signal.signal(number, handler)
    try:
        middle()
    except KeyboardInterrupt:
        events.append("raised")
    finally:
        signal.signal(number, before)
    return events


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_a_signal_is_handled_at_once_and_raises_when_the_work_is_done(number: int) -> None:
    expected = ["begun", "handled", "ended", "raised"]
    assert interrupted(lambda: emit_objects([_TEXT], host_target()), number) == expected


def test_an_interrupt_goes_before_an_error() -> None:
    def fail() -> None:
        raise ValueError

    assert interrupted(fail) == ["begun", "handled", "raised"]


def test_errors_and_values_come_through() -> None:
    @undisturbed
    def inverse(x: float) -> float:
        return 1 / x

    assert inverse(4) == 0.25
    with pytest.raises(ZeroDivisionError):
        inverse(0)


def test_nested_work_stays_on_its_thread() -> None:
    @undisturbed
    def inner() -> int:
        return _thread.get_ident()

    @undisturbed
    def outer() -> tuple[int, int]:
        return _thread.get_ident(), inner()

    first, second = outer()
    assert first == second != _thread.get_ident()


def test_without_more_threads_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*args: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    linked = link(emit_objects([_TEXT], host_target()), ["answer"])
    linked.close()
    assert linked.closed


def test_side_by_side_gives_results_in_order_and_the_first_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert side_by_side(lambda x: x * x, range(50)) == [x * x for x in range(50)]
    assert side_by_side(lambda x: x, []) == []
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda x: 1 / x, [1, 0, 2])
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    both = threading.Barrier(3)  # which fewer threads would wait at for ever
    assert side_by_side(lambda x: both.wait(60) >= 0, range(3)) == [True, True, True]


def test_many_threads_compile_at_once() -> None:
    objects: list[tuple[bytes, ...]] = []

    def work() -> None:
        for _ in range(5):
            objects.append(emit_objects([_TEXT], host_target()))
            link(objects[-1], ["answer"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(objects) == 20
    assert len(set(objects)) == 1


def test_a_storm_of_interrupts(tmp_path: Path) -> None:
    """`make storm` sends ten thousand."""
    assert storm(100, seed=0, cache=tmp_path) >= 100
