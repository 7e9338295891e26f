"""Ctrl-C while programs compile, many times: ``python -m runtime.storm 10000``.

Each process loads the compiler, compiles small programs anew, links some from the cache and drops
them, while signals come at random moments, up to two for each program. None may end the process,
and every program that comes through gives the right numbers. The test suite does this a few times
only.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

ROOT = Path(__file__).parent.parent.parent
#: interrupts of one process
EACH = 250
#: seconds between two signals, at most: a program takes a few times as long
LONGEST = 0.02

_CHILD = """
import signal, sys
import numpy as np
import chainrule as cr

interrupts, struck, left = int(sys.argv[1]), 0, 0

def strike(number, frame):
    global struck, left
    if left:
        struck, left = struck + 1, left - 1
        raise KeyboardInterrupt

def attempt(number):
    global left
    step = cr.compile(lambda x: (x * float(number)).tanh().sum())
    left = 2
    value = step(ones)
    left = 0
    assert abs(value.item() - 8 * np.tanh(number)) < 1e-4, (number, value.item())

sys.unraisablehook = lambda told: None  # an interrupt of a finalizer is told, and lost
ones, number = np.ones(8, np.float32), 0
signal.signal(signal.SIGINT, strike)
print("ready", flush=True)
while struck < interrupts:
    number += 1
    for _ in range(2):  # the second time, machine code may come from the cache
        try:
            try:
                try:
                    attempt(number)
                finally:
                    left = 0
            except KeyboardInterrupt:
                left = 0
        except KeyboardInterrupt:
            pass
signal.signal(signal.SIGINT, signal.SIG_IGN)
attempt(1)
print(struck, flush=True)
sys.stdin.read()  # at its end, Python lets signals end the process
"""


def storm(interrupts: int, seed: int, cache: Path) -> int:
    """How many interrupts struck one process; raises RuntimeError if it did not end well."""
    moments = Random(seed)
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(interrupts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_CACHE_DIR": str(cache)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    while not select.select([process.stdout], [], [], moments.uniform(0.0, LONGEST))[0]:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode or err:
        raise RuntimeError(f"seed {seed}: ended with {process.returncode}\n{err}")
    return int(out)


def main(interrupts: int, seed: int) -> None:
    done, processes = 0, 0
    with tempfile.TemporaryDirectory() as cache:
        while done < interrupts:
            done += storm(min(EACH, interrupts - done), seed + processes, Path(cache))
            processes += 1
            print(f"{done}/{interrupts} interrupts, {processes} processes", flush=True)


if __name__ == "__main__":
    main(*(int(text) for text in (sys.argv + ["10000", "0"][len(sys.argv) - 1 :])[1:3]))
