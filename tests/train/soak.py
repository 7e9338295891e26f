"""Kills trainings with SIGKILL at random moments, many times: ``python -m train.soak 200``.

Each training is killed, resumed and killed again until it comes to its end, which must have the
bits of a training that was never disturbed. The test suite does this a few times only.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from train.resumable import digest, fit, new_trainer
from train.test_resume import start

#: seconds from the start of the program to its death, at most; a training lasts a little longer
LONGEST = 0.6


def soak(kills: int, seed: int) -> tuple[int, int]:
    """(kills, trainings); raises SystemExit at the first that ends with other bits."""
    moments = random.Random(seed)
    plain = new_trainer()
    fit(plain, None)
    expected, done, trainings = digest(plain), 0, 0
    while done < kills:
        trainings += 1
        every = moments.choice(["epoch", "1", "3", "10", "0.01s"])
        with tempfile.TemporaryDirectory() as folder:
            killed, output = _trained(Path(folder), every, moments)
        if output != expected:
            raise SystemExit(f"seed {seed}, training {trainings}, every {every}: other bits")
        done += killed
        print(f"{done}/{kills} kills, {trainings} trainings, all equal", flush=True)
    return done, trainings


def _trained(folder: Path, every: str, moments: random.Random) -> tuple[int, str]:
    """One training to its end: how often it was killed, and its digest."""
    killed = 0
    while True:
        process = start(folder, every, 0.05)
        time.sleep(moments.uniform(0.0, LONGEST))
        process.kill()
        code = process.wait()
        assert process.stdout is not None
        output = process.stdout.read().strip()
        process.stdout.close()
        if code == 0:
            return killed, output
        killed += 1
        if output:  # it had come to its end, and was killed on the way out
            return killed, output


if __name__ == "__main__":
    began = time.monotonic()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    kills, trainings = soak(int(sys.argv[1]) if len(sys.argv) > 1 else 200, seed)
    print(f"{kills} kills in {trainings} trainings, {time.monotonic() - began:.0f} s: same bits")
