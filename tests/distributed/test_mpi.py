"""Workers that MPI connects: the same bits for any number of them, and words for what goes wrong.

Processes are those of the wheels, `mpi4py` and `mpich`. As each takes a second to start, one of
them does many things (`shared.py`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chainrule.distributed import mpi_workers
from chainrule.distributed.launching import find_mpiexec
from launched import DEADLINE, command, environment, run

TRAIN = ("train", "--target", "y", "--patience", 10**6, "--batch-size", 32)


def results(workers: int, folder: Path) -> dict[str, Any]:
    """What that many workers say, by its name; 0: a process that nobody started together."""
    start = [find_mpiexec(), "-n", str(workers)] if workers else []
    script = str(Path(__file__).with_name("shared.py"))
    done = subprocess.run(
        [*start, sys.executable, script, str(folder)],
        capture_output=True, text=True, timeout=DEADLINE, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return results(0, tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("workers", [2, 4])
def test_the_bits_do_not_depend_on_the_number_of_workers(
    workers: int, alone: dict[str, Any], tmp_path: Path
) -> None:
    said = results(workers, tmp_path)
    assert {name: said[name] for name in alone} == alone
    assert alone["resumed"][:2] == [1, 3]
    assert said["sums"] is True
    assert f"{workers} workers, but all 1 rows make a batch of 1 part" in said["few rows"]
    assert "worker 1 and worker 0 differ in epochs: 3 and 2" in said["epochs"]
    assert said["data"] is True
    assert said["own rows"] == said["groups"] == said["accumulate 1"]
    assert said["validated"][0] == 2 * 17  # as many blocks as one process evaluates
    assert said["validated by length"][0] == 2 * 10
    assert said["observed"][:2] == [said["accumulate 1"][0], 3]
    assert said["number of groups"] > 2
    assert said["sent"] == 1.0  # the least that is possible
    assert "divided among workers need validation data" in said["measured"]
    assert "worker 1 and worker 0 differ in what a row of the training data is" in said["alike"]
    assert said["held"] is True


def test_nobody_naps_while_data_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of megabytes need to be asked for hundreds of times: naps made them take tenths of
    a second."""
    asked = 0

    class Request:
        def Test(self) -> bool:
            nonlocal asked
            asked += 1
            return asked == 1000

    monkeypatch.setattr(mpi_workers, "time", None)
    mpi_workers.move(Request())
    assert asked == 1000


# ------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "points.csv"
    rows = [f"{i % 7},{(i * 5) % 11},{(i % 7 + i * 5 % 11) % 2}" for i in range(160)]
    path.write_text("\n".join(["a,b,y", *rows]) + "\n")
    return path


def weights(folder: Path) -> bytes:
    (file,) = folder.glob("*/model.safetensors")
    return file.read_bytes()


def started(table: Path, runs: Path, workers: int = 2) -> subprocess.Popen[str]:
    """A training without end, once it is under way."""
    words = ["launch", "-n", workers, "--", *TRAIN, table, "--epochs", 10**6, "--runs-dir", runs]
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip
    deadline = time.monotonic() + DEADLINE
    while not any(p.stat().st_size for p in runs.glob("*/metrics.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def worker_of(process: subprocess.Popen[str], rank: int) -> int:
    """The process of a worker."""
    for folder in Path("/proc").iterdir():
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if f"PMI_RANK={rank}".encode() in variables and b"train" in words:
            parent = int(folder.name)
            while parent > 1 and parent != process.pid:
                status = (Path("/proc") / str(parent) / "status").read_text()
                parent = int(status.split("PPid:")[1].split()[0])
            if parent == process.pid:
                return int(folder.name)
    raise AssertionError(f"no worker {rank}")


def test_a_command_is_shared_interrupted_and_resumed_by_others(table: Path, tmp_path: Path) -> None:
    """By 2 workers until SIGTERM, then by 3, then by one: the bits of one that never stopped."""
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    process = started(table, shared)
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=DEADLINE)
    assert process.returncode == 143, talk
    assert talk.count("terminated by a signal") == 1
    (folder,) = shared.iterdir()
    epochs = len((folder / "metrics.jsonl").read_text().splitlines())

    done = run(command("launch", "-n", 3, "--", "resume", folder, "--epochs", epochs + 2))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(folder)]

    words = [*TRAIN, table, "--epochs", epochs + 2, "train.parts=auto", "--runs-dir", alone, "-q"]
    assert run(command(*words)).returncode == 0
    assert weights(shared) == weights(alone)


def test_a_killed_worker_ends_all_in_words(table: Path, tmp_path: Path) -> None:
    process = started(table, tmp_path)
    os.kill(worker_of(process, 1), signal.SIGKILL)
    _, talk = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    assert "a worker was killed" in talk
    assert "resume last" in talk
    (folder,) = tmp_path.iterdir()
    epochs = len((folder / "metrics.jsonl").read_text().splitlines())
    done = run(command("resume", folder, "--epochs", epochs + 1, "-q"))
    assert done.returncode == 0, done.stderr


def test_a_killed_worker_ends_all_in_words_under_mpiexec_itself() -> None:
    """Also one that is killed as soon as all have met, and where the shell that speaks is slow."""
    slow = "watch = m.Watch; m.Watch = lambda: (time.sleep(0.5), watch())[1]; "
    words = (
        f"import os, sys, time, chainrule.distributed.mpi_workers as m; {slow}rank = m.mpi().rank; "
    )
    killed = words + "os.kill(os.getpid(), 9) if rank == int(sys.argv[1]) else time.sleep(99)"
    for rank in (0, 1):
        done = run([find_mpiexec(), "-n", "2", sys.executable, "-c", killed, str(rank)])
        assert done.returncode == 9
        assert done.stderr.count("MPI ended all workers") == 1
    done = run([find_mpiexec(), "-n", "2", sys.executable, "-c", words])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stopped_worker_ends_all_in_words() -> None:
    """Whoever waits for it; a stopped process is ended, too. The exit code is the one that MPI is
    asked for, or the signal by which it ended the others, whichever it hears of first."""
    words = (
        "import os, signal; from chainrule.distributed import mpi; workers = mpi(); "
        "print(os.getpid(), flush=True); "
        "os.kill(os.getpid(), signal.SIGSTOP) if workers.rank == 1 else workers.gather(0)"
    )
    done = run([find_mpiexec(), "-n", "3", sys.executable, "-c", words])
    assert done.returncode in (3, 9)
    assert "worker 1 of 3" in done.stderr
    assert "has given no sign of life" in done.stderr
    assert "chainrule resume" in done.stderr
    deadline = time.monotonic() + DEADLINE
    while any(Path("/proc", pid).exists() for pid in done.stdout.split()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


#: a training whose worker 1 does something in the middle of an exchange, beside the program
BESIDE = """
import os, signal, sys
import numpy as np
from chainrule import nn, optim
from chainrule.distributed import mpi
from chainrule.train import Trainer, parts
parts.GROUP = parts.SHARE = 1
workers, sums = mpi(), []
exchange = workers.sum

def watched(*args):
    sums.append(args)
    if workers.rank == 1 and len(sums) == 20:
        exec(sys.argv[1])
    return exchange(*args)

workers.sum = watched
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1), parts=4)
x, y = np.ones((64, 4), np.float32), np.arange(64) % 3
trainer.fit((x, y), epochs=10**6, batch_size=16, workers=workers, verbose=False)
"""


@pytest.mark.parametrize(
    ("what", "codes", "said"),
    [
        ("raise MemoryError('no room for it')", (3,), "MemoryError: no room for it"),
        ("os.kill(os.getpid(), signal.SIGKILL)", (9,), "MPI ended all workers"),
        ("os.kill(os.getpid(), signal.SIGTERM)", (2, 3, 130), "KeyboardInterrupt"),
    ],
)
def test_what_happens_beside_the_program_ends_all(
    what: str, codes: tuple[int, ...], said: str
) -> None:
    """In a thread, while the program of the step runs: as it would without one."""
    done = run([find_mpiexec(), "-n", "2", sys.executable, "-c", BESIDE, what])
    assert done.returncode in codes, done.stderr
    assert said in done.stderr


def test_an_error_of_one_worker_ends_all(table: Path, tmp_path: Path) -> None:
    """And what is wrong for all is said once."""
    start = [find_mpiexec(), "-n", "1"]
    mine = command("train", table, "--target", "y", "--runs-dir", tmp_path)
    done = run([*start, *mine, ":", "-n", "1", *command("train", tmp_path / "gone.csv")])
    assert done.returncode == 2
    assert "file not found" in done.stderr

    done = run([*start, *mine, ":", "-n", "1", *mine, "train.lr=0.5"])
    assert done.returncode == 2
    assert done.stderr.count("worker 1 and worker 0 differ in train.lr: 0.5 and") == 1
    assert not list(tmp_path.iterdir())


def test_several_trainings_are_refused(table: Path, tmp_path: Path) -> None:
    """New or to be resumed; in words that are said once, and nothing is written."""
    start = [find_mpiexec(), "-n", "2"]
    words = ("train", table, "--target", "y", "--epochs", 1, "--preset", "fast", "-q")
    done = run([*start, *command(*words, "--also", "a", "--runs-dir", tmp_path / "new")])
    assert done.returncode == 2
    assert done.stderr.count("several trainings cannot be shared among workers of MPI") == 1
    assert not (tmp_path / "new").exists()

    assert run(command(*words, "--folds", 2, "--runs-dir", tmp_path)).returncode == 0
    (group,) = tmp_path.iterdir()
    before = (group / "group.json").read_bytes()
    done = run([*start, *command("resume", group)])
    assert done.returncode == 2
    assert done.stderr.count("several trainings cannot be shared among workers of MPI") == 1
    assert (group / "group.json").read_bytes() == before
