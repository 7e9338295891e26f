"""The pool runs one native program on any number of threads, and gives the processor back."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.codegen.spmd import YIELD
from chainrule.codegen.target import emit_assembly, target_for
from chainrule.runtime import processors
from chainrule.runtime import threads as threads_module
from chainrule.runtime.link import link
from chainrule.runtime.parking import FUNCTIONS, parking_text
from chainrule.runtime.processors import MAX_THREADS, available
from chainrule.runtime.threads import Pool, _parking_objects, pool
from runtime.programs import counter


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_every_thread_does_every_phase(threads: int) -> None:
    program = counter(phases=3)
    assert program.run(threads, 200) == threads
    assert program.run(threads, 1) == threads
    assert program.counts(8) == [603] * threads + [0] * (8 - threads)
    assert program.broken == 0
    assert program.steps[0] == 201
    assert program.control.done.value == 1


def test_changing_the_number_of_threads() -> None:
    expected = [0] * 7
    programs = [counter(phases=2) for _ in range(2)]
    for threads in (3, 1, 7, 2, 2, 5, 7, 1, 3) * 10:
        for program in programs:
            program.run(threads, 2)
        expected = [n + 4 * (t < threads) for t, n in enumerate(expected)]
    for program in programs:
        assert program.counts(7) == expected


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.01, 0.25])
def test_work_after_a_pause(pause: float) -> None:
    """Workers are found spinning, sleeping, or waiting in Python."""
    program = counter()
    for n in range(1, 4):
        time.sleep(pause)
        program.run(3, 1)
        assert program.counts(3) == [3 * n] * 3


def test_idle_workers_return_to_python() -> None:
    counter().run(3, 1)
    workers = pool()._workers[:2]
    deadline = time.monotonic() + 100
    while any(w.away.value for w in workers):  # as on a machine that lets this thread wait
        assert time.monotonic() < deadline
        counter().run(3, 1)
    while not all(w.away.value for w in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    elapsed, busy = time.monotonic(), time.process_time()
    time.sleep(0.2)
    assert (time.process_time() - busy) / (time.monotonic() - elapsed) < 0.5  # of one processor


def test_more_threads_than_processors_yield() -> None:
    """Who waits for a thread without a processor gives its own away: by spinning on, it would keep
    it to the end of its time slice."""
    yields: list[int] = []
    yielding = ctypes.CFUNCTYPE(None)(
        lambda: (yields.append(threading.get_ident()), os.sched_yield())
    )
    program = counter(phases=3)
    place = ctypes.c_size_t.from_address(program.control.address + YIELD)
    threads = min(2 * available() + 3, MAX_THREADS)
    program.run(threads, 10)
    place.value = ctypes.cast(yielding, ctypes.c_void_p).value or 0
    program.run(threads, 20)
    assert len(yields) >= 60  # at each barrier somebody waits for one who had to be woken
    assert len(set(yields)) > 1
    assert pool()._spins.value < threads_module._SPINS
    assert program.counts(threads) == [90] * threads


def test_a_stop_ends_all_threads_at_the_same_step() -> None:
    program = counter(phases=2, spin=2000)

    def stop() -> None:
        while not program.control.done.value:
            time.sleep(0.001)
        program.control.stop.value = 1

    stopper = threading.Thread(target=stop)
    stopper.start()
    program.run(3, 10**9)
    stopper.join()
    done = program.control.done.value
    assert 0 < done < 10**9
    assert program.counts(3) == [2 * done] * 3
    assert program.steps[0] == done


def test_python_runs_on_while_native_code_does() -> None:
    """The interpreter's lock is free during a run."""
    program = counter(phases=1, spin=20_000)
    runner = threading.Thread(target=program.run, args=(1, 10**9))
    runner.start()
    while not program.control.done.value:
        time.sleep(0.001)
    assert runner.is_alive()
    program.control.stop.value = 1  # which else nobody could say
    runner.join()
    assert 0 < program.control.done.value < 10**9


def test_callers_from_several_threads_take_turns() -> None:
    program = counter(phases=2)
    callers = [
        threading.Thread(target=lambda: [program.run(3, 5) for _ in range(40)]) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert program.counts(3) == [4 * 40 * 5 * 2] * 3
    assert program.steps[0] == 4 * 40 * 5


def test_a_closed_pool_runs_on_the_caller() -> None:
    own = Pool()
    program = counter()
    places = (program.control.address, program.table.address, program.arena.address)
    entry = program.linked.addresses["run"]
    assert own.run(entry, *places, 3, 2) == 3
    workers = list(own._workers)
    own.close()
    assert not any(w.thread.is_alive() for w in workers)
    assert own.run(entry, *places, 3, 2) == 1
    assert program.counts(3) == [12, 6, 6]


def test_a_system_without_more_threads_gives_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = threads_module._Worker
    count = 0

    def limited(*args: object) -> object:
        nonlocal count
        count += 1
        if count > 2:
            raise RuntimeError("can't start new thread")
        return made(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(threads_module, "_Worker", limited)
    own = Pool()
    program = counter()
    places = (program.control.address, program.table.address, program.arena.address)
    assert own.run(program.linked.addresses["run"], *places, 7, 2) == 3
    assert program.counts(7) == [6, 6, 6, 0, 0, 0, 0]
    own.close()


def test_an_interrupt_before_the_start_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = Pool()
    program = counter()
    places = (program.control.address, program.table.address, program.arena.address)
    entry = program.linked.addresses["run"]

    def interrupted(threads: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(own, "_wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            own.run(entry, *places, 3, 2)
    assert program.counts(3) == [0, 0, 0]
    assert own.run(entry, *places, 3, 2) == 3
    assert program.counts(3) == [6, 6, 6]
    own.close()


@pytest.mark.parametrize(
    ("cpu", "triple", "instruction"),
    [
        ("haswell", None, "pause"),
        ("neoverse-n1", "aarch64-unknown-linux-gnu", "yield"),
        ("apple-m1", "arm64-apple-darwin", "yield"),
    ],
)
def test_parking_compiles_for_other_processors(
    cpu: str, triple: str | None, instruction: str
) -> None:
    target = target_for(cpu, triple)
    assert instruction in emit_assembly(parking_text(target), target)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems place threads themselves")
def test_a_worker_on_the_leaders_processor_moves_to_its_own() -> None:
    """As a barrier calls it: on a thread with the box of the pool, with the leader's processor."""
    pool = Pool()
    pool._grow(2)
    table = processors.arrangement(2)
    linked = link(_parking_objects(), FUNCTIONS)
    apart = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32)(
        linked.addresses["apart"]
    )

    def stands(leader_is_here: bool) -> list[bool]:
        """Whether each of some calls left the thread where it was asked to be."""
        usable, found = os.sched_getaffinity(0), []
        for here in sorted(usable) * 3:
            os.sched_setaffinity(0, {here})
            os.sched_setaffinity(0, usable)
            apart(pool._box, 1, here if leader_is_here else here + 1)
            place = table[1, here] if leader_is_here else here
            found.append(processors.current_processor() == place)
            assert os.sched_getaffinity(0) == usable
        return found

    with ThreadPoolExecutor(1) as executor:  # the system may move a thread too, but seldom
        for leader_is_here in (True, False):
            found = executor.submit(stands, leader_is_here).result()
            assert sum(found) > len(found) // 2
    pool.close()
