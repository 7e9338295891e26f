"""What parts of a batch cost, and what two workers gain over two threads.

    python -m benchmarks.distributed [mlp cnn gpt] [--parts 2] [--rounds 8] [--gigabits 10]

For each workload: the seconds of a step by parts relative to a step of the whole batch (processor
time of one thread, interleaved); then the steps a second of one worker with two threads and of two
workers with one thread each, both with so many parts, the latter also without any exchange beside
the program; the bytes that a worker sends in a step
against the least possible; and a model on paper of up to 64 workers on a network.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.peers.chainrule_peer import LOSSES, build
from benchmarks.workloads import named
from chainrule import optim
from chainrule.distributed import mpi
from chainrule.distributed.launching import find_mpiexec
from chainrule.train import BatchSource, Trainer
from chainrule.train import parts as batch_parts
from chainrule.train.order import Order
from chainrule.train.parts import MOST_PARTS

BATCHES = {"mlp": 512, "cnn": 64, "gpt": 12}
#: steps of one measurement, seconds that a message takes on a network, bytes a second in memory
STEPS, LATENCY, MEMORY = 8, 30e-6, 1e10


class Measured:
    """A training whose steps are run directly."""

    def __init__(self, name: str, parts: int, workers: Any = None) -> None:
        workload = dataclasses.replace(named(name), batch=BATCHES[name])
        *inputs, target = workload.data()
        cr.manual_seed(0)
        model = build(workload)
        loss = LOSSES[workload.loss][1]()
        self.trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=1e-5), parts=parts)
        data = (inputs[0] if len(inputs) == 1 else tuple(inputs), target)
        self.source: BatchSource = self.trainer.read(data)[0]
        order = Order.of(self.source.rows, workload.batch, 0, shuffle=True)
        self.trainer.accumulation.begin(order, 0)
        if workers is not None:
            self.trainer.stepper.workers = workers  # type: ignore[attr-defined]
        self.rows = np.resize(order.batches(0)[0], (STEPS, workload.batch))
        self.numbers = sum(int(np.prod(p.shape)) for p in model.parameters())
        self.run()

    def run(self) -> None:
        self.trainer.stepper.run(self.source, self.rows)


def cost(name: str, rounds: int) -> None:
    """Prints what a step by parts takes, relative to one of the whole batch."""
    trials = {n: Measured(name, n) for n in (1, 2, 4, 8, 16) if n <= BATCHES[name]}
    spent: dict[int, list[float]] = {n: [] for n in trials}
    for _ in range(rounds):
        for n, trial in trials.items():
            begun = time.process_time()
            trial.run()
            spent[n].append((time.process_time() - begun) / STEPS)
    base = float(np.median(spent[1]))
    shown = "  ".join(f"{n}: {np.median(spent[n]) / base:.3f}" for n in trials if n > 1)
    print(f"{name}: a step {base * 1e3:.2f} ms of one thread; relative by parts  {shown}")


def work(name: str, parts: int, rounds: int) -> None:
    """What each worker does: prints its numbers as JSON, if it is worker 0. Steps whose exchange
    follows the program (``after``) are interleaved."""
    workers = mpi()
    sharing = workers if workers.size > 1 else None
    trials = {"seconds": Measured(name, parts, sharing)}
    if sharing is not None:
        group, batch_parts.GROUP = batch_parts.GROUP, 1 << 40
        trials["after"] = Measured(name, parts, sharing)
        batch_parts.GROUP = group
    sent = workers.sent
    times: dict[str, list[float]] = {way: [] for way in trials}
    for _ in range(rounds):
        for way, trial in trials.items():
            workers.gather(0)
            begun = time.perf_counter()
            trial.run()
            times[way].append((time.perf_counter() - begun) / STEPS)
    if workers.rank == 0:
        numbers: dict[str, float] = {way: float(np.median(taken)) for way, taken in times.items()}
        numbers["sent"] = (workers.sent - sent) / (rounds * STEPS * len(trials))
        numbers["numbers"] = trials["seconds"].numbers
        if sharing is not None:
            pairs = zip(times["seconds"], times["after"], strict=True)
            numbers["ratio"] = float(np.median([beside / after for beside, after in pairs]))
        print(json.dumps(numbers))


def started(name: str, parts: int, rounds: int, workers: int, threads: int) -> dict[str, float]:
    """The numbers of so many workers."""
    words = [find_mpiexec(), "-n", str(workers), sys.executable, "-m", "benchmarks.distributed",
             name, "--work", "--parts", str(parts), "--rounds", str(rounds)]  # fmt: skip
    environment = os.environ | {"CHAINRULE_NUM_THREADS": str(threads)}
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    numbers: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return numbers


class Clock:
    """In place of a second worker: notes when each group of gradients is complete, and its size."""

    rank, size, near = 0, 2, False

    def __init__(self) -> None:
        self.moments: list[tuple[float, int]] = []

    def sum(self, sums: Any, into: Any, parts: int, busy: Any = None) -> Any:
        self.moments.append((time.perf_counter(), len(into)))
        (own,) = sums.values()
        return own


def groups_of(name: str, rounds: int) -> list[tuple[float, int]]:
    """For each group of gradients the share of a step after which it is complete, and its size."""
    clock = Clock()
    trial = Measured(name, 2, clock)
    shares = []
    for _ in range(rounds * STEPS):
        clock.moments.clear()
        begun = time.perf_counter()
        trial.trainer.stepper.run(trial.source, trial.rows[:1])
        update = time.perf_counter() - clock.moments[-1][0]
        moments = np.array([at - begun for at, _ in clock.moments])
        shares.append(2 * moments / (2 * moments[-1] + update))  # one worker has both parts
    sizes = [size for _, size in clock.moments]
    return list(zip(np.median(shares, axis=0).tolist(), sizes, strict=True))


def paper(groups: list[tuple[float, int]], alone: float, workers: int, gigabits: float) -> float:
    """Seconds of a step that takes ``alone`` on one machine, where groups are exchanged one after
    the other, each once it is complete."""
    done = 0.0
    for share, numbers in groups:
        sent = 2 * (workers - 1) / workers * 4 * numbers / (gigabits * 1e9 / 8)
        memory = 3 * 4 * numbers / MEMORY
        begun = max(done, share * alone / workers)
        done = begun + sent + 2 * (workers - 1) * LATENCY + memory
    return done + (1 - groups[-1][0]) * alone / workers


def compare(name: str, parts: int, rounds: int, gigabits: float) -> None:
    """Prints the efficiency of two workers, and the model on paper."""
    alone = started(name, parts, rounds, 1, 2)
    both = started(name, parts, rounds, 2, 1)
    efficiency = alone["seconds"] / both["seconds"]
    least = 4 * both["numbers"]
    print(
        f"{name}: {parts} parts, 2 workers of 1 thread {both['seconds'] * 1e3:.2f} ms a step, 1 "
        f"worker of 2 threads {alone['seconds'] * 1e3:.2f} ms: efficiency {efficiency:.3f}"
    )
    print(f"{name}: {1 / both['ratio']:.3f} times as fast as with the exchange after the program")
    print(
        f"{name}: a worker sends {both['sent']:.0f} bytes a step, at least {least:.0f}: "
        f"{both['sent'] / least:.4f}"
    )
    groups = groups_of(name, rounds)
    shown = "  ".join(f"{share:.0%}: {numbers}" for share, numbers in groups)
    print(f"{name}: numbers that are complete after a share of the step: {shown}")
    for workers in (2, 4, 8, MOST_PARTS):
        after = paper(
            [(groups[-1][0], sum(n for _, n in groups))], alone["seconds"], workers, gigabits
        )
        seconds = paper(groups, alone["seconds"], workers, gigabits)
        speed = alone["seconds"] / seconds
        print(
            f"{name}: on paper, {workers} workers on {gigabits:g} Gbit/s: {seconds * 1e3:.2f} ms "
            f"a step, {speed:.1f} times one, {after * 1e3:.2f} with the exchange after the "
            f"program; {64 // workers} such trainings on 64"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", default=list(BATCHES))
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--gigabits", type=float, default=10.0)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    for name in chosen.workloads:
        if chosen.work:
            work(name, chosen.parts, chosen.rounds)
            continue
        cost(name, chosen.rounds)
        compare(name, chosen.parts, chosen.rounds, chosen.gigabits)


if __name__ == "__main__":
    main()
