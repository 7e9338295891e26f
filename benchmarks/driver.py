"""Starts the workers, interleaves their bursts, and keeps the peak beside every pair.

For each group (workload, mode, threads) every form is paired with the first one that is present:
Chainrule when it is there. A pair is A B A B ... with the FMA peak measured before and after it;
when the two peaks differ by more than 5 % the machine's clock moved and the pair is repeated, a
bounded number of times. Ratios are taken inside a pair, never between pairs. A form that is far
slower than the first one is measured in one burst of one try. A worker that fails, or does not
answer in time, costs its own row alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import SETTLE, Machine
from benchmarks.peers import Peer
from benchmarks.workloads import Mode, Workload

ROOT = Path(__file__).resolve().parents[1]
STEADY = 0.05  # how far the peaks around a pair may lie apart
TOLERANCE = 1e-3  # of the largest answer
HOPELESS = 5.0  # times the first form's time: not worth more than one burst
OPEN_SECONDS, ANSWER_SECONDS = 300.0, 120.0  # a worker that takes longer is ended


@dataclass(frozen=True)
class Settings:
    """How long to measure: seconds of one burst, interleavings per pair, tries per pair."""

    seconds: float = 0.25
    interleavings: int = 3
    tries: int = 4


QUICK = Settings(seconds=0.06, interleavings=2, tries=2)
ONCE = Settings(interleavings=1, tries=1)


@dataclass
class Row:
    """What was found for one form. Times are seconds; lists hold one number per burst or pair."""

    peer: str
    absent: str = ""
    notes: list[str] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)  # seconds per step, each burst
    relative: list[float] = field(default_factory=list)  # to the reference, inside pairs
    peaks: list[float] = field(default_factory=list)  # GFLOP/s beside each pair
    of_peak: list[float] = field(default_factory=list)
    imported: float = 0.0
    first_cold: float = 0.0
    first_warm: float | None = None
    memory: int = 0
    answers: list[float] = field(default_factory=list)


@dataclass
class Group:
    """One table: the rows of a workload in one mode with a number of threads."""

    workload: str
    mode: Mode
    threads: int
    reference: str
    rows: list[Row]
    flops: int
    peak: float
    bandwidth: float


class WorkerError(Exception):
    """A worker ended without an answer, or was ended; the text holds the last line it wrote."""


class Worker:
    """One process with one peer; see ``worker.py`` for what it understands."""

    def __init__(
        self, number: int, workload: Workload, mode: Mode, cpus: tuple[int, ...], cache: Path
    ) -> None:
        threads, where = str(len(cpus)), ",".join(map(str, cpus))
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        paths = ("CHAINRULE_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "BENCH_CACHE")
        environment = os.environ | dict.fromkeys(names, threads) | dict.fromkeys(paths, str(cache))
        environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        )
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(number), workload.name, mode, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            text=True,
        )

    def ask(self, do: str, **arguments: int) -> dict[str, object]:
        to, answers = self._process.stdin, self._process.stdout
        seconds = OPEN_SECONDS if do == "open" else ANSWER_SECONDS
        late = threading.Timer(seconds, self._process.kill)
        late.daemon = True
        late.start()
        due = time.monotonic() + seconds
        try:
            print(json.dumps({"do": do, **arguments}), file=to, flush=True)
            line = answers.readline() if answers else ""
        except BrokenPipeError:
            line = ""
        finally:
            late.cancel()
        if not line:
            over = f"no answer in {seconds:.0f} s; " if time.monotonic() >= due else ""
            raise WorkerError(over + self._last_words())
        return dict(json.loads(line))

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def burst(self, steps: int) -> float:
        """Seconds per step, once the previous worker's threads have gone to sleep."""
        time.sleep(SETTLE)
        return float(str(self.ask("burst", steps=steps)["seconds"])) / steps

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream:
                stream.close()


Say = Callable[[str], None]


class GroupRun:
    """Measures one group; ``run`` gives its table."""

    def __init__(
        self,
        workload: Workload,
        mode: Mode,
        threads: int,
        machine: Machine,
        settings: Settings,
        say: Say,
    ) -> None:
        self.workload, self.mode, self.threads = workload, mode, threads
        self.machine, self.settings, self.say = machine, settings, say
        self.cpus = machine.cpus[:threads]

    def run(self, peers: list[tuple[int, Peer]]) -> Group:
        with tempfile.TemporaryDirectory() as folder, self._workers() as workers:
            rows = [self._start(n, p, workers, Path(folder) / str(n)) for n, p in peers]
            present = [row for row in rows if row.peer in workers]
            for row in present:
                with self._losing([row], workers):
                    self._prepare(row, workers[row.peer])
            present = [row for row in rows if row.peer in workers]
            self._compare_answers(present)
            reference = present[0].peer if present else ""
            for row in present[1:] or present:
                if reference in workers:
                    with self._losing([present[0], row], workers):
                        self._pair(present[0], row, workers)
            present = [row for row in present if row.peer in workers]
            for row in present:
                with self._losing([row], workers):
                    row.memory = int(str(workers[row.peer].ask("memory")["bytes"]))
        peak = statistics.median([p for r in present for p in r.peaks] or [0.0])
        bandwidth = self.machine.bandwidth(self.threads)
        self.machine.release()
        flops = self.workload.flops
        return Group(
            self.workload.name, self.mode, self.threads, reference, rows, flops, peak, bandwidth
        )

    @contextmanager
    def _workers(self) -> Iterator[dict[str, Worker]]:
        workers: dict[str, Worker] = {}
        try:
            yield workers
        finally:
            for worker in workers.values():
                worker.close()

    @contextmanager
    def _losing(self, rows: list[Row], workers: dict[str, Worker]) -> Iterator[None]:
        """A worker that ends in here leaves the group; its row says why."""
        try:
            yield
        except WorkerError as failure:
            for row in rows:
                if row.peer in workers and workers[row.peer].ended:
                    workers.pop(row.peer).close()
                    row.absent, row.steps = f"failed: {failure}", []

    def _start(self, number: int, peer: Peer, workers: dict[str, Worker], cache: Path) -> Row:
        """Cold start, and for forms with a disk cache a second process that starts warm."""
        row = Row(peer.name, absent=peer.absent(self.workload.name, self.mode))
        if row.absent:
            return row
        self.say(f"starting {peer.name}")
        cache.mkdir(parents=True, mode=0o700)
        workers[peer.name] = Worker(number, self.workload, self.mode, self.cpus, cache)
        with self._losing([row], workers):
            reply = workers[peer.name].ask("open")
            if "absent" in reply:
                workers.pop(peer.name).close()
                row.absent = str(reply["absent"])
                return row
            row.imported, row.first_cold = float(str(reply["import"])), float(str(reply["first"]))
            if peer.cached:
                row.first_warm = self._warm_start(number, cache)
        return row

    def _warm_start(self, number: int, cache: Path) -> float:
        """Seconds that the first step takes in a second process, which finds compiled code."""
        again = Worker(number, self.workload, self.mode, self.cpus, cache)
        try:
            return float(str(again.ask("open")["first"]))
        finally:
            again.close()

    def _prepare(self, row: Row, worker: Worker) -> None:
        """Answers to compare, and a first burst that fills caches."""
        answers = worker.ask("answers", steps=self.workload.compared)["answers"]
        row.answers = [float(v) for v in answers] if isinstance(answers, list) else []
        worker.burst(self._unit)

    @property
    def _unit(self) -> int:
        """Bursts are whole multiples of this many steps."""
        return self.workload.loop_steps if self.mode == "loop" else self.workload.call_steps

    def _steps(self, estimate: float) -> int:
        """How many steps of ``estimate`` seconds make a burst."""
        units = round(self.settings.seconds / (estimate * self._unit))
        return max(1, min(units, 4096 // self._unit or 1)) * self._unit

    def _compare_answers(self, rows: list[Row]) -> None:
        """A form that computes something else must not win: its answers are compared."""
        told = [row for row in rows if row.answers]
        kind = "logits" if self.mode == "infer" else "losses"
        for row in rows:
            if not row.answers:
                row.notes.append("losses not compared: this form tells none per step")
        for row in told[1:]:
            pairs = zip(told[0].answers, row.answers, strict=True)
            worst = max(abs(a - b) for a, b in pairs) / max(map(abs, told[0].answers))
            if not worst <= TOLERANCE:
                steps = self.workload.compared
                row.notes.append(
                    f"{kind} differ from {told[0].peer} by {worst:.1e} in {steps} steps"
                )

    def _pair(self, a: Row, b: Row, workers: dict[str, Worker]) -> None:
        """A B A B between two measurements of the peak, repeated until the clock stood still."""
        self.say(f"{a.peer} against {b.peer}")
        both = [(row, workers[row.peer]) for row in ([a] if a is b else [a, b])]
        expected = [min(worker.burst(self._unit) for _ in range(2)) for _, worker in both]
        counts, settings = [self._steps(seconds) for seconds in expected], self.settings
        if expected[-1] > HOPELESS * expected[0]:
            settings = ONCE
        for _ in range(settings.tries):
            before = self.machine.peak(self.threads)
            times: list[list[float]] = [[] for _ in both]
            for _ in range(settings.interleavings):
                for found, (_, worker), steps in zip(times, both, counts, strict=True):
                    found.append(worker.burst(steps))
            after = self.machine.peak(self.threads)
            steady = abs(before - after) <= STEADY * max(before, after)
            if steady:
                break
        if not steady:
            span = f"{before:.0f} to {after:.0f} GFLOP/s"
            b.notes.append(f"peak moved from {span} in each of {settings.tries} tries")
        peak = (before + after) / 2
        for (row, _), found in zip(both, times, strict=True):
            row.steps += found
            row.peaks.append(peak)
            rate = self.workload.flops / statistics.median(found) / 1e9
            row.of_peak.append(rate / peak)
        if a is not b:
            b.relative += [y / x for x, y in zip(*times, strict=True)]
