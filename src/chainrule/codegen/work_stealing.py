"""Work stealing: pieces of chains are claimed by whoever is free.

Each thread has a range of its own, whose blocks of pieces it claims one after the other by adding 1
to a word of its own; then it claims what the others have left. So a thread finds its pieces where
it left them, and one that is slowed down by a neighbour keeps nobody waiting for long. Who does a
piece changes no bit.

The words begin at zero. In a phase with chains each thread sets those of the next such phase, which
nobody touches before the barrier; hence two sets in turn, also from step to step. At the end of
`run` all are zero again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..schedule.nest import Chain
from .builder import Builder
from .spmd import CLAIMED_CHAINS, CLAIMS, CLAIMS_OF_THREAD
from .values import Value, i64

#: blocks that a thread's range falls into at least, if it has so many pieces
SHARES = 4
_SET = CLAIMS_OF_THREAD // 2


class WorkStealing:
    """Emits the claiming of pieces in a program with ``phases`` phases that have chains, at most
    ``chains`` in one.
    """

    def __init__(
        self, b: Builder, ctl: Value, tid: Value, threads: Value, phases: int, chains: int
    ):
        self.b, self.ctl, self.tid, self.threads = b, ctl, tid, threads
        self.phases, self.words = phases, min(chains, CLAIMED_CHAINS)
        self.now = i64(0)

    def begin(self, step: Value, number: int) -> None:
        """The words of phase ``number`` of a step are used from here on, those of the next set."""
        b = self.b
        passed = b.add(b.mul(step, i64(self.phases)), i64(number))
        self.now = b.mul(b.bits("and", passed, i64(1)), i64(_SET))
        self._clear(b.sub(i64(_SET), self.now))

    def end(self) -> None:
        """Set this thread's words to zero."""
        for words in (0, _SET):
            self._clear(i64(words))

    def _clear(self, words: Value) -> None:
        own = self._line(self.tid)
        for word in range(self.words):
            address = self.b.gep(self.b.gep(own, words, "i8"), word, "i64")
            self.b.emit(f"store atomic i64 0, {address} monotonic, align 8")

    def _line(self, tid: Value) -> Value:
        lines = self.b.gep(self.ctl, CLAIMS, "i8")
        return self.b.gep(lines, self.b.mul(tid, i64(CLAIMS_OF_THREAD)), "i8")

    @contextmanager
    def pieces(self, chain: Chain, index: int) -> Iterator[tuple[Value, Value]]:
        """For each block that this thread claims of chain ``index`` of the phase: from, until.

        No block is longer than any thread's own range.
        """
        b = self.b
        pieces = i64(chain.pieces)
        each = b.div(pieces, b.mul(self.threads, i64(SHARES)))
        block = b.overloaded("smax", b.overloaded("smin", each, i64(chain.block)), i64(1))
        with b.loop(i64(0), self.threads) as turn:
            owner = b.op("i64", f"urem {b.add(self.tid, turn)}, {self.threads.name}")
            first, last = self._range(pieces, owner)
            words = b.gep(self._line(owner), self.now, "i8")
            word = b.gep(words, index, "i64")
            again, taken, done = (b.fresh(name) for name in ("again", "taken", "done"))
            b.branch(again)
            b.label(again)
            claimed = b.op("i64", f"atomicrmw add {word}, i64 1 monotonic")
            start = b.add(first, b.mul(claimed, block))
            b.branch_if(b.compare("slt", start, last), taken, done)
            b.label(taken)
            yield start, b.overloaded("smin", b.add(start, block), last)
            b.branch(again)
            b.label(done)

    def _range(self, pieces: Value, tid: Value) -> tuple[Value, Value]:
        """The pieces that belong to a thread."""
        b = self.b
        following = b.add(tid, i64(1))
        first, last = (b.div(b.mul(pieces, t), self.threads) for t in (tid, following))
        return first, last
