"""Who falls silent is noticed by the next of the ring, and nobody else is suspected."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chainrule.distributed import heartbeat, launching, processes
from chainrule.distributed.heartbeat import Heartbeat
from chainrule.errors import ConfigError


class Ring:
    """A communicator of three, in which this one is 0; ``arriving`` signs come from worker 2."""

    def __init__(self, arriving: int) -> None:
        self.arriving, self.sent = arriving, 0

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 3

    def Isend(self, beat: Any, to: int, tag: int) -> Ring:
        assert to == 1
        self.sent += 1
        return self

    def Test(self) -> bool:
        return True

    def Iprobe(self, source: int, tag: int) -> bool:
        assert source == 2
        self.arriving -= 1
        return self.arriving >= 0

    def Recv(self, heard: Any, source: int, tag: int) -> None:
        assert source == 2


def test_a_silent_worker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.001)
    monkeypatch.setattr(heartbeat, "PATIENCE", 1.0)
    lost: list[int] = []
    noticed = threading.Event()

    def notice(rank: int, seconds: float) -> None:
        lost.append(rank)
        noticed.set()

    ring = Ring(arriving=5)
    beat = Heartbeat(ring, notice)
    assert noticed.wait(60)
    beat.stop()
    assert set(lost) == {2}
    assert ring.sent > 1


def test_processes_know_that_they_were_started_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert processes.environment() == (0, 1)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert processes.environment() == (2, 4)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from chainrule.distributed.mpi_workers import mpi

    mpi.cache_clear()
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ConfigError, match=r"chainrule\[mpi\]"):
        mpi()
    monkeypatch.setattr(launching.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match=r"chainrule\[mpi\]"):
        launching.find_mpiexec()
