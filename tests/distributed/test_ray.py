"""Trainings on a Ray cluster of this machine: one for all of these tests, which takes a while."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.distributed import RayCluster, ray_cluster
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.tables.kind import TABLES
from chainrule.runs.carriers import Note, in_order, unheard
from chainrule.runs.jobs import Job, Outcome, Workplace
from chainrule.runs.listeners import Listener

ROOT = Path(__file__).parents[2]
SETTINGS = ("model.layers=[4]", "train.batch_size=64", "observe.level=off")
SPACE = {"train.lr": {"low": 1e-3, "high": 0.3, "log": True}, "only": True}
#: seconds of patience with whatever a busy machine takes long for
PATIENCE = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two trainings at a time; a node that does not answer any more is soon given up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_health_check_period_ms", "500")
        patch.setenv("RAY_health_check_initial_delay_ms", "500")
        own = RayCluster(jobs=2)
        yield own
        own._ray.shutdown()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(160, 2))
    rows = [f"{a:.4f},{b:.4f},{int(a + b > 0)}" for a, b in inputs]
    path = tmp_path_factory.mktemp("ray") / "signs.csv"
    path.write_text("\n".join(["a,b,y", *rows]) + "\n")
    return path


def validated(table: Any, runs: Path, carrier: Any, **more: Any) -> Any:
    return cr.cross_validate(
        table, "y", folds=2, epochs=3, settings=SETTINGS, runs_dir=runs, verbose=False,
        carrier=carrier, **more,
    )  # fmt: skip


def test_folds_are_those_without_a_cluster(
    cluster: RayCluster, table: Path, tmp_path: Path
) -> None:
    here, there = (validated(table, tmp_path / n, c) for n, c in (("a", None), ("b", cluster)))
    assert here.names == there.names
    assert here.summary == there.summary
    for ours, theirs in zip(here.predictors, there.predictors, strict=True):
        assert theirs.run.parent == there.run
        assert {p.name for p in ours.run.iterdir()} == {p.name for p in theirs.run.iterdir()}
        for file in ("model.safetensors", "pipeline.json", "evaluation.json"):
            assert (ours.run / file).read_bytes() == (theirs.run / file).read_bytes()
    assert cr.load_run(there.run).predict({"a": [3.0], "b": [3.0]}).tolist()
    assert not list(there.run.glob(".*"))


class Two:
    """Two jobs at a time, as far as order goes, in this process."""

    places = 2

    def carry(
        self, workplace: Workplace, jobs: Iterable[Job], note: Note = unheard
    ) -> Generator[Outcome]:
        return in_order(jobs, 2, workplace.perform, lambda outcome: outcome)


def test_trials_are_those_without_a_cluster(
    cluster: RayCluster, table: Path, tmp_path: Path
) -> None:
    found = [
        cr.tune(table, "y", space=SPACE, settings=SETTINGS, epochs=3, trials=4, verbose=False,
                runs_dir=tmp_path / name, carrier=carrier)
        for name, carrier in (("a", Two()), ("b", cluster))
    ]  # fmt: skip
    here, there = ([(t.chosen, t.state, tuple(t.values)) for t in f.trials] for f in found)
    assert here == there


def test_data_in_memory(cluster: RayCluster, table: Path, tmp_path: Path) -> None:
    columns = dict(zip("aby", np.loadtxt(table, delimiter=",", skiprows=1).T, strict=True))
    columns["y"] = columns["y"].astype(int)
    here = validated(columns, tmp_path / "a", None, name="mine")
    there = validated(columns, tmp_path / "b", cluster, name="mine")
    assert here.summary == there.summary


def processes() -> dict[int, tuple[int, bytes]]:
    """The parent and the command of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        found[int(folder.name)] = int(stat.rpartition(")")[2].split()[1]), command
    return found


def trainings() -> list[int]:
    """The processes of trainings that are under way."""
    return [p for p, (_, words) in processes().items() if words.startswith(b"ray::perform")]


def raylet_of(started: int) -> int | None:
    """The process of a node that ``ray start`` is, or has, started."""
    every = processes()
    for process, (parent, words) in every.items():
        if parent == started and words.split(b"\0")[0].endswith(b"/raylet"):
            return process
    return None


def test_a_training_whose_process_is_killed_is_done_again(
    cluster: RayCluster, table: Path, tmp_path: Path
) -> None:
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not killed and not over.wait(0.01):
            for process in trainings()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        there = validated(table, tmp_path / "b", cluster, seeds=3)
    finally:
        over.set()
        thread.join()
    assert killed
    assert there.summary == validated(table, tmp_path / "a", None, seeds=3).summary


class Notes(Listener):
    """What is said; goes on only when the cluster has noticed what was ``lost``."""

    def __init__(self, cluster: RayCluster, lost: list[int]) -> None:
        self.cluster, self.lost = cluster, lost
        self.texts: list[str] = []

    def done(self, predictor: Any, facts: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.lost and alive(self.cluster) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)

    def note(self, text: str) -> None:
        self.texts.append(text)


def alive(cluster: RayCluster) -> int:
    """How many nodes the cluster counts."""
    return sum(node["Alive"] for node in cluster._ray.nodes())


#: what Python reads at its start: nothing gets beyond loading the compiler, and a file says so
ENDLESS = """
import os, sys, threading

class Endless:
    def find_spec(self, name, *where):
        if name == "llvmlite":
            open(f"{os.path.dirname(__file__)}/{os.getpid()}.hangs", "w").close()
            threading.Event().wait()

sys.meta_path.insert(0, Endless())
"""


@pytest.fixture
def second_node(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    """A node that has joined the cluster, in processes of its own; its trainings never end."""
    address = cluster._ray.get_runtime_context().gcs_address
    (tmp_path / "sitecustomize.py").write_text(ENDLESS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT / 'src'}")
    node = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", "--block", "--address", address,
         "--num-cpus", "2", "--include-log-monitor", "false"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while alive(cluster) < 2 and time.monotonic() < deadline:
            assert node.poll() is None
            time.sleep(0.05)
        yield node
    finally:
        node.terminate()
        node.wait()


def test_trainings_of_a_node_that_is_killed_are_done_again(
    cluster: RayCluster, second_node: subprocess.Popen[bytes], table: Path, tmp_path: Path
) -> None:
    """One of two nodes is gone, with what it was doing."""
    assert alive(cluster) == 2
    raylet, over = raylet_of(second_node.pid), threading.Event()
    assert raylet is not None
    lost: list[int] = []

    def kill() -> None:
        while not lost and not over.wait(0.01):
            lost.extend(int(file.stem) for file in tmp_path.glob("*.hangs"))
        if lost:
            os.kill(raylet, signal.SIGKILL)

    notes = Notes(cluster, lost)
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        there = validated(table, tmp_path / "b", cluster, seeds=2, listener=notes)
    finally:
        over.set()
        thread.join()
    assert lost
    here = validated(table, tmp_path / "a", None, seeds=2)
    assert there.names == here.names
    for ours, theirs in zip(here.predictors, there.predictors, strict=True):
        for file in ("model.safetensors", "pipeline.json", "evaluation.json"):
            assert (ours.run / file).read_bytes() == (theirs.run / file).read_bytes()
    assert here.summary == there.summary
    [text] = notes.texts
    assert "a node of the Ray cluster is gone" in text
    assert alive(cluster) == 1


def test_errors_are_those_without_a_cluster(cluster: RayCluster, tmp_path: Path) -> None:
    document = {**TABLES.settings().to_document(), "name": "x"}
    document["data"] = {**document["data"], "path": "/nowhere/table.csv", "target": "y"}
    (outcome,) = cluster.carry(Workplace(), [Job("x", "tables", document)])
    assert isinstance(outcome.raised(), DataError)
    (outcome,) = cluster.carry(Workplace(), [Job("x", "tables", document, version="0.0.1")])
    assert "0.0.1" in outcome.raised().what


def test_trainings_elsewhere_need_a_folder_here(cluster: RayCluster, table: Path) -> None:
    with pytest.raises(ConfigError, match="need a folder"):
        cr.cross_validate(table, "y", runs_dir=None, carrier=cluster, verbose=False)


@pytest.mark.parametrize("address", ["nowhere", "10.0.0.1:", ":6379", "ray://h:1", "h:99999"])
def test_what_is_no_address(cluster: RayCluster, address: str) -> None:
    with pytest.raises(ConfigError, match="is not the address"):
        RayCluster(address)


def test_an_address_that_refuses(cluster: RayCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(StateError, match="no Ray cluster answers"):
        RayCluster(f"127.0.0.1:{port}")


def test_another_cluster_while_there_is_one(cluster: RayCluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StateError, match="connected to another Ray cluster"):
            RayCluster(f"127.0.0.1:{port}")


def test_an_address_that_is_silent() -> None:
    """Something listens there, and says nothing. In a process of its own, which Ray would end."""
    program = (
        "import sys\nfrom chainrule.distributed import ray_cluster as r\nr.CONNECTED = 0.2\n"
        "from chainrule.errors import StateError\n"
        "try:\n    r.RayCluster(sys.argv[1])\n"
        "except StateError as error:\n    print(error.what)\n"
        "import os\nsys.stdout.flush()\nos._exit(0)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, f"127.0.0.1:{server.getsockname()[1]}"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    assert "does not answer" in done.stdout


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match="needs the Ray package") as caught:
        ray_cluster.ray()
    assert 'pip install "chainrule[ray]"' in caught.value.help
