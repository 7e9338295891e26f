"""``python -m benchmarks optim``: one update of 10 million parameters by every optimizer.

Gradients are there already; what is timed is the step of the optimizer alone. Each is measured
against the memory it must move, by a stream with the same reads and writes (`streams`), and against
the fastest form of PyTorch's. Ours, the stream and PyTorch take turns in one process.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from benchmarks.machine import SETTLE, Machine
from benchmarks.streams import Pass, Stream

Shape = tuple[int, ...]

#: weights and biases as a network has them: 10.0 million parameters
SHAPES: tuple[Shape, ...] = (
    (2048, 2048),
    (2048,),
    (4096, 1024),
    (4096,),
    (1000, 1024),
    (1000,),
    (512, 1152),
    (512,),
)
#: Muon multiplies matrices, 32 n³ operations for n² numbers, so it gets a million in smaller ones
MATRICES: tuple[Shape, ...] = ((512, 512),) * 4


@dataclass(frozen=True)
class Subject:
    """An optimizer and the memory one update must move.

    ``passes`` name arrays with a letter: p parameter, g gradient, others are the state's. A pass
    ends where the formula needs a sum over the whole parameter. None: products decide, not memory.
    """

    name: str
    passes: tuple[Pass, ...] | None
    settings: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = SHAPES

    @property
    def count(self) -> int:
        """Parameters in all."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def moved(self) -> int:
        """Arrays read plus arrays written in all passes."""
        return sum(p.moved for p in self.passes or ())


SUBJECTS: tuple[Subject, ...] = (
    Subject("SGD", (Pass("pgb", "pb"),), {"momentum": 0.9}),
    Subject("Adagrad", (Pass("pgs", "ps"),)),
    Subject("Adadelta", (Pass("pgvu", "pvu"),)),
    Subject("RMSprop", (Pass("pgv", "pv"),)),
    Subject("Adam", (Pass("pgmv", "pmv"),)),
    Subject("AMSGrad", (Pass("pgmvw", "pmvw"),)),
    Subject("AdamW", (Pass("pgmv", "pmv"),)),
    Subject("Adamax", (Pass("pgmu", "pmu"),)),
    Subject("NAdam", (Pass("pgmv", "pmv"),)),
    Subject("RAdam", (Pass("pgmv", "pmv"),)),
    Subject("Lion", (Pass("pgm", "pm"),)),
    # The norms of p and u come before the step, which needs u again: from m, v and p.
    Subject("LAMB", (Pass("pgmv", "mv"), Pass("pmv", "p"))),
    # Means of g² and the size of p, then the size of u = g / √V, then the step.
    Subject("Adafactor", (Pass("pg"), Pass("g"), Pass("pg", "p"))),
    Subject("Rprop", (Pass("pgos", "pos"),)),
    Subject("Muon", None, shapes=MATRICES),
)


@dataclass(frozen=True)
class Effort:
    """Seconds of one burst, and how often all take their turn."""

    seconds: float = 0.06
    rounds: int = 7


QUICK = Effort(seconds=0.02, rounds=3)


@dataclass
class Update:
    """What was found for one optimizer; seconds of one update, one number per turn."""

    name: str
    threads: int
    parameters: int
    moved: int
    ours: list[float]
    stream: list[float]
    peer: list[float]
    form: str

    @property
    def bandwidth(self) -> float:
        """GB/s that ours reaches, by the bytes that must be moved."""
        return 4 * self.parameters * self.moved / statistics.median(self.ours) / 1e9

    @property
    def of_bandwidth(self) -> float | None:
        """The stream's time by ours, from turns that lie side by side."""
        return _ratio(self.stream, self.ours)

    @property
    def at_best(self) -> float | None:
        """The stream's shortest time by our shortest, which others on the machine disturb least."""
        return min(self.stream) / min(self.ours) if self.stream else None

    @property
    def speed(self) -> float | None:
        """PyTorch's time by ours."""
        return _ratio(self.peer, self.ours)


def _ratio(a: list[float], b: list[float]) -> float | None:
    return statistics.median(x / y for x, y in zip(a, b, strict=True)) if a else None


Burst = Callable[[int], float]  # seconds per update in a burst of so many


@cache
def arrays_of(shapes: tuple[Shape, ...], scale: float, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(scale * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]


def timed(step: Callable[[], Any]) -> Burst:
    def burst(rounds: int) -> float:
        start = time.perf_counter()
        for _ in range(rounds):
            step()
        return (time.perf_counter() - start) / rounds

    return burst


def ours(subject: Subject, threads: int) -> Burst:
    """Our optimizer as a compiled step whose gradients are states."""
    import chainrule as cr
    from chainrule import optim

    cr.set_num_threads(threads)
    params = [cr.tensor(a, requires_grad=True) for a in arrays_of(subject.shapes, 0.05, 1)]
    for p, gradient in zip(params, arrays_of(subject.shapes, 0.01, 2), strict=True):
        p.grad = cr.tensor(gradient)
    optimizer = optim.make(subject.name, params, **subject.settings)

    @cr.compile
    def step() -> None:
        optimizer.step()

    return timed(step)


def peers(subject: Subject, threads: int) -> dict[str, Burst]:
    """PyTorch's forms of the optimizer; none if it has no such optimizer or is not installed."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # large pages for PyTorch, as NumPy asks for
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    settings = dict(subject.settings)
    name = "Adam" if subject.name == "AMSGrad" else subject.name
    if subject.name == "AMSGrad":
        settings["amsgrad"] = True
    kind = getattr(torch.optim, name, None)
    if kind is None:
        return {}
    found = {}
    for form, chosen in {"fused": {"fused": True}, "foreach": {"foreach": True}, "": {}}.items():
        pairs = zip(
            arrays_of(subject.shapes, 0.05, 1), arrays_of(subject.shapes, 0.01, 2), strict=True
        )
        params = []
        for array, gradient in pairs:
            params.append(torch.empty(array.shape).copy_(torch.from_numpy(array)))
            params[-1].requires_grad_().grad = torch.empty(array.shape).copy_(
                torch.from_numpy(gradient)
            )
        try:
            optimizer = kind(params, **settings, **chosen)
            optimizer.step()
        except (TypeError, RuntimeError, ValueError):
            continue  # this optimizer has no such form
        found[form or "plain"] = timed(optimizer.step)
    return found


def fastest(forms: dict[str, Burst]) -> tuple[str, Burst | None]:
    """The form with the shortest of three updates."""
    if not forms:
        return "", None
    best = min(forms, key=lambda form: min(forms[form](1) for _ in range(3)))
    return best, forms[best]


def measure(subject: Subject, threads: int, machine: Machine, effort: Effort) -> Update:
    """Ours, the stream and PyTorch's best form in turns, with pauses for threads to go to sleep."""
    form, peer = fastest(peers(subject, threads))
    turns: dict[str, Burst] = {"ours": ours(subject, threads)}
    if subject.passes is not None:
        turns["stream"] = Stream(subject.passes, subject.count, threads, machine).seconds
    if peer is not None:
        turns["peer"] = peer
    rounds, found = {}, {}
    for name, burst in turns.items():
        time.sleep(SETTLE)
        burst(2)  # compiles, fills caches
        rounds[name] = max(1, round(effort.seconds / burst(1)))
        found[name] = list[float]()
    for _ in range(effort.rounds):
        for name, burst in turns.items():
            time.sleep(SETTLE)
            burst(2)  # the others' arrays have taken the place of these in the caches
            found[name].append(burst(rounds[name]))
    times = [found.get(name, []) for name in ("ours", "stream", "peer")]
    return Update(subject.name, threads, subject.count, subject.moved, *times, form)
