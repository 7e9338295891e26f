"""The command as the shell sees it: what it loads, exit codes, signals, pipes, a terminal.

A command that needs no process of its own runs in this one, which has loaded everything.
"""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Command

ROOT = Path(__file__).parents[2]
CHAINRULE = [sys.executable, "-m", "chainrule"]
#: seconds after which a process hangs, on any machine
HANGS = 300
ENDLESS = ["train", "heart", "--epochs", "1000000", "--patience", "1000000"]


@pytest.fixture
def env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def loaded(program: str, env: dict[str, str]) -> set[str]:
    """The modules that a process has loaded when ``program`` is through."""
    program = f"import sys\ntry:\n    {program}\nfinally:\n    print('loaded', *sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_and_version_load_little(env: dict[str, str]) -> None:
    """What they load is what starting takes: next to Python with the library for commands alone."""
    least = loaded("import click", env)
    for words in (["--help"], ["--version"], ["train", "--help"]):
        needed = loaded(f"import chainrule.cli.app as a; a.app.main({words!r})", env)
        assert len(needed) < 2 * len(least)
        foreign = {name.partition(".")[0] for name in needed - least} - sys.stdlib_module_names
        assert foreign <= {"chainrule", "click"}


def start(arguments: list[str], env: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CHAINRULE, *arguments],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_epochs(folder: Path, process: subprocess.Popen[str]) -> Path:
    """The run folder, once a few epochs are written there."""
    deadline = time.monotonic() + HANGS
    while time.monotonic() < deadline and process.poll() is None:
        found = [p for p in folder.glob("runs/*/metrics.jsonl") if p.stat().st_size > 1000]
        if found:
            return found[0].parent
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_what_there_is(
    number: signal.Signals, code: int, env: dict[str, str], tmp_path: Path, command: Command
) -> None:
    process = start(ENDLESS, env, tmp_path)
    run = wait_for_epochs(tmp_path, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=HANGS)
    assert process.returncode == code
    assert out == ""
    assert str(run.name) in err
    assert "Traceback" not in err
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "interrupted"
    assert facts["best"]["epoch"] >= 1
    again = command("eval", "last", "heart", "--min", "accuracy=0.7")
    assert again.exit_code == 0, again.output


def used(process: subprocess.Popen[str]) -> float:
    """The processor seconds of a process."""
    times = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_preparation_of_a_table(
    number: signal.Signals, code: int, env: dict[str, str], tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "t.csv").write_text("x,y\n" + "1,a\n2,b\n" * 60)
    pairs = "range(30000000) a, range(30000000) b WHERE (a.range * b.range) % 7 = 3"
    for_days = f"SELECT * FROM data WHERE (SELECT count(*) FROM {pairs}) > 0"
    words = ["train", "t.csv", "--target", "y", "--query", for_days]
    process = start(words, {**env, "TMPDIR": str(scratch)}, tmp_path)
    deadline = time.monotonic() + HANGS
    while time.monotonic() < deadline and process.poll() is None and not any(scratch.iterdir()):
        time.sleep(0.02)
    begun = used(process)  # the table is being read; what takes long after that is the query
    while time.monotonic() < deadline and process.poll() is None and used(process) < begun + 0.3:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=HANGS)
    assert process.returncode == code, err
    assert out == ""
    assert err.strip() == ("interrupted" if number == signal.SIGINT else "terminated by a signal")
    assert not any(scratch.iterdir())
    assert not (tmp_path / "runs").exists()


def weights_of(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


STEADY = ["-q", 'output.checkpoints.every="epoch"']


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_ended_goes_on_to_the_same_bits(
    number: signal.Signals, env: dict[str, str], tmp_path: Path, command: Command
) -> None:
    process = start([*ENDLESS, *STEADY], env, tmp_path)
    run = wait_for_epochs(tmp_path, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=HANGS)
    assert process.returncode == (-9 if number == signal.SIGKILL else 143)
    assert "Traceback" not in err
    [line] = json.loads(command("runs", "ls", "--json").stdout)
    assert line["status"] == ("killed" if number == signal.SIGKILL else "interrupted")
    assert list((run / "checkpoints").glob("*.json"))
    done = len((run / "metrics.jsonl").read_text().splitlines())
    again = command("resume", "last", "-q", "--epochs", done + 5)
    assert again.exit_code == 0, again.output
    assert again.stdout.strip() == str(run.relative_to(tmp_path))
    whole = command(*ENDLESS, *STEADY, "--epochs", done + 5, "--runs-dir", "whole")
    assert weights_of(run) == weights_of(tmp_path / whole.stdout.strip())
    numbers = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [n["epoch"] for n in numbers] == list(range(1, done + 6))


def test_a_second_interrupt_ends_at_once(env: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import time\nfrom chainrule.cli.terminal import graceful_signals\n"
        "with graceful_signals():\n"
        "    try:\n        print('ready', flush=True); time.sleep(3000)\n"
        "    except KeyboardInterrupt:\n        print('saving', flush=True); time.sleep(3000)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=HANGS) == 130
    process.stdout.close()


@contextmanager
def only_room_for(size: int) -> Iterator[None]:
    """A limit on the size of files, as the kernel's way to say that there is no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:  # before anything is told of the test, perhaps to a file
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [100, 3000, 10_000])
def test_a_disk_without_room(room: int, tmp_path: Path, command: Command) -> None:
    with only_room_for(room):
        done = command("train", "heart", "--epochs", "30")
    assert done.exit_code == 2, done.stderr
    assert ": File too large" in done.stderr
    assert "Traceback" not in done.stderr
    runs = list((tmp_path / "runs").iterdir())
    assert len(runs) == (room == 10_000)  # what did not become a run is gone
    for run in runs:
        assert not (run / "model.safetensors").exists()
        assert json.loads((run / "run.json").read_text())["status"] == "failed"


def test_a_disk_without_room_for_a_group(tmp_path: Path, command: Command) -> None:
    with only_room_for(100):
        done = command("train", "heart", "--seeds", "2", "--epochs", "1")
    assert done.exit_code == 2, done.stderr
    assert not [*(tmp_path / "runs").iterdir()]


def test_a_reader_that_goes_away_is_no_error(
    env: dict[str, str], tmp_path: Path, command: Command
) -> None:
    assert command("train", "heart", "--epochs", "1", "-q").exit_code == 0
    process = start(["predict", "last", "heart", "--proba"], env, tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=HANGS) == 141
    process.stderr.close()


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("train heart --epochs 1 <&- >&-", 0, "next: chainrule predict"),
        ("train heart --epochs 1 --quiet 2>&-", 0, ""),
        ("info > /dev/full", 2, "error: cannot write the output: No space left on device"),
        ("train nothing 2> /dev/full", 2, ""),
    ],
)
def test_streams_that_are_closed_or_full(
    line: str, code: int, message: str, env: dict[str, str], tmp_path: Path
) -> None:
    command = shlex.join(CHAINRULE)
    done = subprocess.run(
        ["sh", "-c", f"exec {command} {line}"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert message in done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize("progress", ["plain", "bar"])
def test_talk_that_cannot_be_written_ends_no_training(
    progress: str, env: dict[str, str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CHAINRULE, "train", "heart", "--epochs", "3", "--progress", progress],
            env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=full, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    facts = json.loads((tmp_path / done.stdout.strip() / "run.json").read_text())
    assert (facts["status"], facts["epochs"]) == ("done", 3)


def test_a_reader_of_the_talk_that_goes_away_ends_no_training(
    env: dict[str, str], tmp_path: Path
) -> None:
    process = start(["train", "heart", "--epochs", "3"], env, tmp_path)
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.close()
    run = tmp_path / process.stdout.read().strip()
    process.stdout.close()
    assert process.wait(timeout=HANGS) == 0
    assert json.loads((run / "run.json").read_text())["status"] == "done"


def test_on_a_terminal_progress_is_one_live_line(env: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    live = {**env, "TERM": "xterm", "COLUMNS": "100"}
    live.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*CHAINRULE, "train", "heart", "--epochs", "30"],
        env=live, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = read_all(ours)
        assert process.wait() == 0
    assert "\r" in shown
    assert "###" in shown
    assert "accuracy" in shown


def test_after_an_early_end_there_is_no_eta(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = command("train", "heart", "--patience", "1", "--lr", "0.05", "--progress", "bar")
    assert done.exit_code == 0
    drawn = [line for line in re.split("[\r\n]", done.stderr) if "loss" in line and "/200" in line]
    last = drawn[-1]
    assert "eta" in drawn[0]
    assert "/200" in last
    assert " in " in last
    assert "eta" not in last


def read_all(file: int) -> str:
    """Everything until the other side closes."""
    parts = []
    while select.select([file], [], [], 30)[0]:
        try:
            part = os.read(file, 4096)
        except OSError:  # Linux's way to say that the terminal is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(file)
    return b"".join(parts).decode()


def test_python_m_chainrule_and_the_entry_point_are_one() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'chainrule = "chainrule.cli:main"' in text
