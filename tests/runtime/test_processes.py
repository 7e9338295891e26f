"""Programs survive fork, spawn, Ctrl-C and the end of the interpreter."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from chainrule.runtime.processors import set_num_threads
from forks import DEADLINE, in_child
from runtime.programs import axpy_program, counter, counting_program


def run_script(text: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        env=environment,
        timeout=DEADLINE,
        check=False,
    )


def test_a_forked_child_makes_its_own_threads() -> None:
    program = counter()
    program.run(3, 10)

    def work() -> None:
        program.run(3, 10)
        program.run(7, 10)
        fresh = counter()  # compiles or links in the child
        fresh.run(2, 5)
        assert program.counts(3) == [90] * 3
        assert fresh.counts(2) == [15, 15]

    for _ in range(5):
        assert in_child(work) == 0
    program.run(3, 10)
    assert program.counts(3) == [60] * 3


def test_fork_waits_for_the_running_step() -> None:
    """The child finds whole steps and free locks, whatever other threads were doing."""
    set_num_threads(3)
    program, count = counting_program(phases=2, spin=2000)
    runner = threading.Thread(target=program.run_many, args=(10**9,))
    runner.start()
    try:
        for _ in range(5):
            time.sleep(0.02)

            def work() -> None:
                assert count[0] > 0
                own, own_count = counting_program(phases=2)
                own.run_many(5)
                assert own_count[0] == 5

            assert in_child(work) == 0
    finally:
        program.stop()
        runner.join(DEADLINE)
    assert not runner.is_alive()
    assert count[0] == program.steps_done


_POOL = """
import multiprocessing
from runtime.programs import counted, counter
counter().run(3, 1)
with multiprocessing.get_context({method!r}).Pool(2) as workers:
    print(workers.map(counted, [3, 50, 700]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, python_path: dict[str, str]) -> None:
    done = run_script(_POOL.format(method=method), python_path)
    assert (done.stdout, done.stderr) == ("[3, 50, 700]\n", "")


_LOOP = """
import sys, time
from chainrule.runtime.processors import set_num_threads
from runtime.programs import counting_program
set_num_threads(int(sys.argv[1]))
program, count = counting_program(phases=2, spin=20_000)
program.run_many(100)
program.forget_steps()
try:
    print("ready", flush=True)
    program.run_many(10**9)
except KeyboardInterrupt:
    print(int(count[0]) == 100 + program.steps_done, flush=True)
    program.run_many(5)
    print(program.steps_done, flush=True)
"""


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_ctrl_c_ends_a_loop_after_whole_steps(threads: int, python_path: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _LOOP, str(threads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=python_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    whole, again = out.split()
    assert (whole, again, err, process.returncode) == ("True", "5", "", 0)


_STORM = """
import os, signal, threading, time
from chainrule.runtime.processors import set_num_threads
from runtime.programs import counting_program
set_num_threads(3)
program, count = counting_program(phases=2, spin=3000)
seen, inside = 0, False
def strike(number, frame):  # each attempt once: the next signal may come at any line of this one
    global inside
    if inside:
        inside = False
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, strike)
def storm():
    for sent in range(2000):  # a busy machine sees few of them as interrupts of their own
        time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        if sent >= 60 and seen > 10:
            break
thread = threading.Thread(target=storm)
thread.start()
while thread.is_alive():
    program.forget_steps()
    before = int(count[0])
    try:
        try:
            inside = True
            program.run_many(10**9)
        finally:
            inside = False
            assert int(count[0]) == before + program.steps_done
    except KeyboardInterrupt:
        seen += 1
print(seen > 10)
"""

_EXITS = {
    "at once after work": "counting.run_many(50)",
    "while idle workers wait in Python": "counting.run_many(50); time.sleep(0.3)",
    "with a daemon thread inside a loop": """
threading.Thread(target=counting.run_many, args=(10**9,), daemon=True).start()
time.sleep(0.3)""",
    "with a daemon thread that calls again and again": """
def forever():
    while True:
        counting()
for _ in range(3):
    threading.Thread(target=forever, daemon=True).start()
time.sleep(0.3)""",
    "from an exit function": """
import atexit
atexit.register(counting.run_many, 20)""",
    "from an exit function registered earlier": "",
    "by an exception": "counting.run_many(50); sys.exit(0)",
}

_EXIT = """
import atexit, sys, threading, time
atexit.register(lambda: print("steps", counting.run_many(3), counting.steps_done))
from chainrule.runtime.processors import set_num_threads
from runtime.programs import counting_program
set_num_threads(3)
counting, count = counting_program(phases=2, spin=20_000)
counting.run_many(300)
"""


@pytest.mark.parametrize("case", _EXITS)
def test_the_interpreter_ends_cleanly(case: str, python_path: dict[str, str]) -> None:
    done = run_script(_EXIT + _EXITS[case], python_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "steps () 3\n"


def test_a_storm_of_interrupts(python_path: dict[str, str]) -> None:
    done = run_script(_STORM, python_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_fork_while_others_compile() -> None:
    """The child never finds the compiler's lock taken."""
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            axpy_program()

    linker = threading.Thread(target=busy)
    linker.start()
    try:
        for _ in range(10):
            assert in_child(lambda: axpy_program() is not None) == 0
    finally:
        stop.set()
        linker.join(DEADLINE)
