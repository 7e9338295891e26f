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
from chainrule.runs.carriers import in_order
from chainrule.runs.jobs import Job, Outcome, Workplace

ROOT = Path(__file__).parents[2]
SETTINGS = ("model.layers=[4]", "train.batch_size=64", "observe.level=off")
SPACE = {"train.lr": {"low": 1e-3, "high": 0.3, "log": True}, "only": True}


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two trainings at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.setenv("RAY_AUTH_MODE", "disabled")
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

    def carry(self, workplace: Workplace, jobs: Iterable[Job]) -> Generator[Outcome]:
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


def trainings() -> list[int]:
    """The processes of trainings that are under way."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if words.startswith(b"ray::perform"):
            found.append(int(folder.name))
    return found


def test_a_training_whose_process_is_killed_is_done_again(
    cluster: RayCluster, table: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            time.sleep(0.01)
            for process in trainings()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    thread = threading.Thread(target=kill)
    thread.start()
    there = validated(table, tmp_path / "b", cluster, seeds=[5])
    thread.join()
    assert killed
    assert there.summary == validated(table, tmp_path / "a", None, seeds=[5]).summary


def test_errors_are_those_without_a_cluster(cluster: RayCluster, tmp_path: Path) -> None:
    document = {**cr.modalities.tables.kind.TABLES.settings().to_document(), "name": "x"}
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
