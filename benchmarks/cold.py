"""``python -m benchmarks cold``: does the time to compile grow with the number of steps?

The same recurrent network over few steps and over many is opened in turns, each time in a new
process with an empty cache. The first training step less a later one is what tracing, compiling
and linking take.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.driver import Worker, WorkerError
from benchmarks.peers import Peer
from benchmarks.workloads import COLD, Workload

#: forms whose programs have loops: what is written out step by step grows with it
FORMS = ("chainrule", "jax tree")
TURNS, QUICK_TURNS = 5, 2


@dataclass
class Compilation:
    """Seconds that one form took to compile one network, each turn: over few steps, over many."""

    network: str
    peer: str
    threads: int
    few: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    absent: str = ""

    @property
    def growth(self) -> float | None:
        """The shortest time over many steps by the shortest over few."""
        return min(self.many) / min(self.few) if self.few and self.many else None

    @property
    def median_growth(self) -> float | None:
        """Of the turns, in which both follow one another."""
        pairs = zip(self.few, self.many, strict=False)
        return statistics.median(b / a for a, b in pairs) if self.many else None


def compiling(number: int, workload: Workload, cpus: tuple[int, ...]) -> float:
    """Seconds; raises WorkerError where the form fails or is absent."""
    with tempfile.TemporaryDirectory() as cache:
        worker = Worker(number, workload, "call", cpus, Path(cache))
        try:
            reply = worker.ask("open")
            if "absent" in reply:
                raise WorkerError(str(reply["absent"]))
            return float(str(reply["first"])) - worker.burst(1)
        finally:
            worker.close()


def measure(
    peers: list[tuple[int, Peer]], cpus: tuple[int, ...], turns: int, say: Callable[[str], None]
) -> list[Compilation]:
    """Every network by every form that was asked for and has loops."""
    found = []
    for network, (few, many) in COLD.items():
        for number, peer in peers:
            if peer.name not in FORMS:
                continue
            result = Compilation(network, peer.name, len(cpus), absent=peer.absent("", "call"))
            found.append(result)
            say(f"compiling {network} by {peer.name}")
            try:
                for _ in range(0 if result.absent else turns):
                    result.few.append(compiling(number, few, cpus))
                    result.many.append(compiling(number, many, cpus))
            except WorkerError as failure:
                result.absent = f"failed: {failure}"
    return found
