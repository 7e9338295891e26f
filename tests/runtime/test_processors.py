"""How many threads there are: what was asked for, the environment, the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.runtime import processors
from chainrule.runtime.processors import available, get_num_threads, set_num_threads


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAINRULE_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    set_num_threads(None)


def test_the_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_num_threads() == available()
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert get_num_threads() == available()  # read once
    set_num_threads(None)
    assert get_num_threads() == 5
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    set_num_threads(None)
    assert get_num_threads() == 3
    set_num_threads(7)
    assert get_num_threads() == 7


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "dynamic"])
def test_a_strange_openmp_value_is_ignored(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert get_num_threads() == available()


@pytest.mark.parametrize("count", [0, -1, 257])
def test_a_count_out_of_range_is_an_error(count: int) -> None:
    with pytest.raises(ConfigError, match=f"number of threads: {count}"):
        set_num_threads(count)


def test_affinity_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_cgroup_quota", lambda mount, membership: None)
    monkeypatch.setattr(processors, "_affinity", lambda: {0, 1, 4, 5})
    monkeypatch.setattr(processors, "_core_of", lambda cpu: str(cpu))
    assert available() == 4
    monkeypatch.setattr(processors, "_core_of", lambda cpu: str(cpu % 4))  # 4 and 5 are siblings
    assert available() == 2
    monkeypatch.setattr(processors, "_cgroup_quota", lambda mount, membership: 1.5)
    assert available() == 1
    monkeypatch.setattr(processors, "_cgroup_quota", lambda mount, membership: 0.2)
    assert available() == 1


def test_threads_stand_on_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_core_of", lambda cpu: str(cpu % 4))  # 1 and 5 are siblings
    monkeypatch.setattr(processors, "_affinity", lambda: {0, 1, 2, 4, 5, 6})
    table = processors.arrangement(5)
    assert table.shape == (5, 7)
    assert table[:, 1].tolist() == [1, 2, 0, 1, 2]
    assert table[:3, 5].tolist() == [5, 0, 2]
    assert set(table[:, 3]) == {-1}
    monkeypatch.setattr(processors, "_affinity", lambda: {2})
    assert processors.arrangement(4)[3, 2] == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems place threads themselves")
def test_standing_apart_leaves_the_choice_of_processors_alone() -> None:
    before = os.sched_getaffinity(0)
    here = processors.current_processor()
    assert here in before
    processors.stand_apart(1, here)
    assert os.sched_getaffinity(0) == before
    processors.stand_apart(1, -1)  # where the leader runs is not known
    assert os.sched_getaffinity(0) == before


def test_quota_of_version_two_is_the_smallest_on_the_way(tmp_path: Path) -> None:
    inner = tmp_path / "mount" / "user" / "job"
    inner.mkdir(parents=True)
    membership = tmp_path / "membership"
    membership.write_text("0::/user/job\n")
    quota = lambda: processors._cgroup_quota(tmp_path / "mount", membership)  # noqa: E731
    assert quota() is None
    (inner / "cpu.max").write_text("max 100000\n")
    assert quota() is None
    (inner.parent / "cpu.max").write_text("350000 100000\n")
    assert quota() == 3.5
    (tmp_path / "mount" / "cpu.max").write_text("200000 100000\n")
    assert quota() == 2.0
    membership.write_text("0::/../elsewhere/job\n")
    assert quota() == 2.0


def test_quota_of_version_one(tmp_path: Path) -> None:
    folder = tmp_path / "mount" / "cpu" / "docker"
    folder.mkdir(parents=True)
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/docker\n3:cpu,cpuacct:/docker\n0::/\n")
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert processors._cgroup_quota(tmp_path / "mount", membership) is None
    (folder / "cpu.cfs_quota_us").write_text("150000\n")
    assert processors._cgroup_quota(tmp_path / "mount", membership) == 1.5
    assert processors._cgroup_quota(tmp_path / "mount", tmp_path / "absent") is None


def test_counts_are_whole_numbers_and_no_switches() -> None:
    set_num_threads(np.int64(3))  # type: ignore[arg-type]
    assert get_num_threads() == 3
    for wrong in (True, 2.0, "2"):
        with pytest.raises(ConfigError, match="invalid number of threads"):
            set_num_threads(wrong)  # type: ignore[arg-type]
