"""Workers that MPI connects: sums along the tree, and what all of them must know.

Sums: each worker has partial sums of whole subtrees. On one machine all of them see these (see
`one_machine.py`). Otherwise each gets its share of the elements from all others (Alltoallv), sums
these in the order of the tree, and all get all shares (Allgatherv). With W workers and one subtree
each, a worker sends and receives 2 (W - 1) / W of the gradient, the least that is possible. MPI's
own sums are not used: their order depends on the number of workers.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, TrainingError
from ..ir.memory import aligned_empty
from ..train.parts import Subtree, subtrees, total
from ..train.workers import own_of
from .heartbeat import Heartbeat
from .launching import QUIET
from .one_machine import OneMachine, all_on_one_machine
from .watching import Watch

__all__ = ["MpiWorkers", "mpi"]

Floats = npt.NDArray[np.float32]

#: calls of `Test` before a worker that waits gives its processor away; then it naps for a share of
#: the time that it has waited, at most so long
SPINS, SHARE, NAP = 200, 1 / 8, 0.001
#: seconds between two calls while a program needs the processor
GLANCE = 0.0002
#: questions at once, while data is on its way
BURST = 32
#: seconds that workers wait for one another at the end, and after an error
FAREWELL, GRACE = 60.0, 5.0


class MpiWorkers:
    """The processes of a communicator; see `chainrule.train.workers.Workers`.

    Waiting gives the processor away, so more workers than processors do not hinder one another.
    ``messages``: what is summed is sent in messages on one machine, too.
    """

    def __init__(self, comm: Any, messages: bool = False) -> None:
        from mpi4py import MPI

        self._in_place = MPI.IN_PLACE
        self._comm, self._leaving = comm.Dup(), comm.Dup()
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self._hosts: list[str] = []
        self._buffers: dict[tuple[str, int], Floats] = {}
        #: bytes of gradients sent and received
        self.sent = self.received = 0
        self._heartbeat: Heartbeat | None = None
        self._left: Any = None
        self.watch: Watch | None = None
        self._near: OneMachine | None = None
        if self.size > 1:
            if not messages and all_on_one_machine(self._comm):
                self._near = OneMachine(self._comm, self._wait)
            self._heartbeat = Heartbeat(comm.Dup(), self._lost)
            self._hosts = self.gather(os.uname().nodename)

    # ---------------------------------------------------------------------------------- sums

    @property
    def near(self) -> bool:
        """Whether sums lie in memory that all workers see."""
        return self._near is not None

    def sum(
        self,
        sums: Mapping[Subtree, Floats],
        into: Floats,
        parts: int,
        busy: Callable[[], bool] | None = None,
    ) -> Floats:
        trees = [subtrees(*own_of(rank, self.size, parts)) for rank in range(self.size)]
        length = len(into)
        edges = [rank * length // self.size for rank in range(self.size + 1)]
        widths = np.diff(edges)
        mine = widths[self.rank]
        counts = [len(found) * int(mine) for found in trees]
        self.sent += 4 * (len(sums) * (length - int(mine)) + (self.size - 1) * int(mine))
        self.received += 4 * (sum(counts) - len(sums) * int(mine) + length - int(mine))
        if self._near is not None and (near := self._near.sum(sums, length, parts)) is not None:
            return near
        send = self._to_send([sums[key] for key in trees[self.rank]], edges)
        got = self._buffer("got", sum(counts))
        sent = [send, [len(sums) * int(w) for w in widths]]
        self._wait(self._comm.Ibarrier(), busy=busy)
        move(self._comm.Ialltoallv(sent, [got, counts]), busy)
        keys = [key for found in trees for key in found]
        rows = got.reshape(len(keys), int(mine))
        own = into[edges[self.rank] : edges[self.rank + 1]]
        total(dict(zip(keys, rows, strict=True)), parts, own)
        shares = [int(w) for w in widths]
        move(self._comm.Iallgatherv(self._in_place, [into, shares]), busy)
        return into

    def place(self, key: Subtree, length: int, parts: int) -> Floats | None:
        return None if self._near is None else self._near.place(key, length, parts)

    def _to_send(self, sums: list[Floats], edges: list[int]) -> Floats:
        """For each worker its share of each sum. One sum lies in this order."""
        if len(sums) == 1:
            return sums[0]
        send = self._buffer("send", len(sums) * edges[-1])
        for left, right in itertools.pairwise(edges):
            shares = send[left * len(sums) : right * len(sums)].reshape(len(sums), right - left)
            for share, whole in zip(shares, sums, strict=True):
                share[:] = whole[left:right]
        return send

    def _buffer(self, name: str, length: int) -> Floats:
        """Memory that the next sum uses again."""
        key = name, length
        if key not in self._buffers:
            self._buffers[key] = aligned_empty((length,), np.float32)
        return self._buffers[key]

    # ----------------------------------------------------------------------------- messages

    def broadcast(self, value: Any) -> Any:
        text = json.dumps(value).encode() if self.rank == 0 else b""
        return json.loads(self.broadcast_bytes(text))

    def broadcast_bytes(self, content: bytes) -> bytes:
        length = np.array([len(content)], np.int64)
        self._wait(self._comm.Ibcast(length, root=0))
        buffer = np.empty(int(length[0]), np.uint8)
        if self.rank == 0:
            buffer[:] = np.frombuffer(content, np.uint8)
        self._wait(self._comm.Ibarrier())
        # MPI counts in 32 bits
        for start in range(0, len(buffer), 1 << 30):
            move(self._comm.Ibcast(buffer[start : start + (1 << 30)], root=0))
        return buffer.tobytes()

    def gather(self, value: Any) -> list[Any]:
        text = np.frombuffer(json.dumps(value).encode(), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(np.array([len(text)], np.int64), lengths))
        whole = np.empty(int(lengths.sum()), np.uint8)
        move(self._comm.Iallgatherv(text, [whole, lengths.tolist()]))
        pieces = np.split(whole, np.cumsum(lengths)[:-1])
        return [json.loads(piece.tobytes()) for piece in pieces]

    def exchange(self, pieces: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        lengths = np.array([len(piece) for piece in pieces], np.int64)
        theirs = np.empty_like(lengths)
        self._wait(self._comm.Ialltoall(lengths, theirs))
        got = np.empty(int(theirs.sum()), np.uint8)
        sent = [np.concatenate(pieces), lengths.tolist()]
        move(self._comm.Ialltoallv(sent, [got, theirs.tolist()]))
        return np.split(got, np.cumsum(theirs)[:-1])

    def _wait(
        self,
        request: Any,
        seconds: float | None = None,
        busy: Callable[[], bool] | None = None,
    ) -> None:
        """Until ``request`` is done, by all; TrainingError after so many ``seconds``.

        MPI moves messages on when it is asked: seldom, while the processor is ``busy``.
        """
        spins, begun = 0, time.monotonic()
        while not request.Test():
            if busy is not None and busy():
                time.sleep(GLANCE)
                continue
            spins += 1
            waited = time.monotonic() - begun
            if spins > SPINS:
                time.sleep(min(SHARE * waited, NAP))
            else:
                os.sched_yield()
            if seconds is not None and waited > seconds:
                raise TrainingError(f"workers did not answer within {seconds:.0f} seconds")

    # ------------------------------------------------------------------------------ the end

    def _lost(self, rank: int, seconds: float) -> NoReturn:
        """A worker gives no sign of life: called in the heartbeat's thread."""
        host = f" on {self._hosts[rank]}" if rank < len(self._hosts) else ""
        self.abort(
            f"worker {rank} of {self.size}{host} has given no sign of life for {seconds:.0f} "
            "seconds: it was stopped, or its machine or the network is down\n"
            "  help:  the last checkpoint is whole: chainrule resume goes on from there",
            3,
        )

    def abort(self, reason: str, code: int) -> NoReturn:
        """Ends all workers, and says why."""
        if reason:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"error: {reason}\n")
                sys.stderr.flush()
        self._dismiss_watch()
        self._comm.Abort(code)
        os._exit(code)  # where Abort comes back

    def leave(self, seconds: float) -> bool:
        """Whether all workers come to their end, too, within so many seconds; they then let go of
        one another. Afterwards nothing may be asked of them.
        """
        if self._left is None:
            self._left = self._leaving.Ibarrier()
        try:
            self._wait(self._left, seconds)
        except TrainingError:
            return False
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None
        if self._near is not None:
            self._near.close()
            self._near = None
        self._dismiss_watch()
        return True

    def _dismiss_watch(self) -> None:
        if self.watch is not None:
            self.watch.dismiss()
            self.watch = None

    def close(self) -> None:
        """Leaves, or ends all workers if some go on."""
        if self.size > 1 and not self.leave(FAREWELL):
            self.abort(
                f"worker {self.rank} is done, but others are not\n"
                "  help:  let all workers call the same functions, in the same order",
                3,
            )


def move(request: Any, busy: Callable[[], bool] | None = None) -> None:
    """Until the data of ``request`` has arrived, which all are there to send: MPI moves some
    kilobytes on each time that it is asked, so nobody naps meanwhile."""
    while not any(request.Test() for _ in range(BURST)):
        if busy is not None and busy():
            time.sleep(GLANCE)
        else:
            os.sched_yield()


@functools.cache
def mpi() -> MpiWorkers:
    """All processes that ``mpiexec -n N`` started; pass it to each: ``fit(..., workers=mpi())``.

    ConfigError if there is no MPI, with what to install.
    """
    # Its own message would say only that a process aborted, after ours said why.
    launched = os.environ.setdefault(QUIET, "yes") != "yes"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"there is no MPI: {error}",
            help="pip install 'chainrule[mpi]', which brings mpi4py and MPICH; or "
            "pip install mpi4py beside a system's own MPI",
        ) from None
    if MPI.Query_thread() != MPI.THREAD_MULTIPLE:
        raise ConfigError(
            "this MPI does not let several threads call it",
            help="use one that does: the mpich wheel, MPICH, Open MPI or Intel MPI of today",
        )
    world = MPI.COMM_WORLD
    # Before all meet for the first time: one that is killed after that leaves words behind.
    speaks = world.Get_size() > 1 and world.Get_rank() == 0 and not launched
    watch = Watch() if speaks else None
    workers = MpiWorkers(world)
    workers.watch = watch
    _leave_together(workers)
    return workers


def _leave_together(workers: MpiWorkers) -> None:
    """At the end of the process, wait for the others; after an error, end them."""
    usual = sys.excepthook

    def failed(kind: Any, error: Any, where: Any) -> None:
        # Worker 0 says it, if it happened to all.
        if workers.size == 1 or workers.rank == 0 or not workers.leave(GRACE):
            usual(kind, error, where)
        if workers.size > 1 and not workers.leave(GRACE):
            workers.abort("", 130 if issubclass(kind, KeyboardInterrupt) else 3)

    sys.excepthook = failed
    atexit.register(workers.close)
