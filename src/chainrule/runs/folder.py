"""The run folder: everything about one training, as text and safetensors that anybody can read.

    run.toml           the resolved settings, every default written out
    run.json           status, versions, seed, fingerprint of the data, final metrics
    metrics.jsonl      numbers, one object for each epoch
    layers.jsonl       what each layer did, one object for each observed step
    histograms.jsonl   histograms of weights, gradients and outputs, likewise
    events.jsonl       findings, changes of status
    log.txt            what the terminal showed
    model.safetensors  the best weights
    pipeline.json      the fitted preprocessing

    evaluation.json    predictions against truth of the test rows, for the report
    report.html        the report, if the command line trained the run
    checkpoints/       from which an interrupted run resumes

Lines are appended, whole files are replaced in one step: a reader never sees half of one. All that
is ever read back is bound to the run by its hash in ``run.json``, which has a checksum of its own.
One process at a time writes a run: it holds a lock on ``log.txt``, which the system releases
however the process ends.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import Kind, file_text, parsed, sealed, sha256_of
from ..scratch import Held
from ..showing import escaped_json, visible
from ..train.checkpoints.weights_file import remove_leftovers, write_whole
from .hidden_folder import (
    new_hidden_folder,
    publish,
    remove_abandoned_folders,
    slug,
    unwritable,
)

__all__ = [
    "APPENDED_FILES",
    "GROUP_FILE",
    "GROUP_KIND",
    "HASHED_FILES",
    "RUN_FILES",
    "RUN_KIND",
    "RunFolder",
    "has_weights",
    "is_being_written",
    "is_group",
    "is_one",
    "is_run",
    "json_text",
    "now",
    "run_folders",
    "runs_in",
    "write_group_facts",
]

RUN_FILE, GROUP_FILE, WEIGHTS_FILE = "run.json", "group.json", "model.safetensors"
RUN_KIND = Kind(RUN_FILE, "chainrule.run", version=2, sealed=2)
GROUP_KIND = Kind(GROUP_FILE, "chainrule.group", version=2, sealed=2)
#: files whose hashes are in ``run.json``; those of `APPENDED_FILES` hold once the run has ended
HASHED_FILES = ("run.toml", "pipeline.json", WEIGHTS_FILE, "evaluation.json", "metrics.jsonl",
                "events.jsonl", "layers.jsonl", "histograms.jsonl")  # fmt: skip
#: files to which lines are added until the run ends
APPENDED_FILES = ("metrics.jsonl", "events.jsonl", "layers.jsonl", "histograms.jsonl")
#: those of which a run has some only if it was observed
OBSERVED_FILES = APPENDED_FILES[2:]
#: any of these makes a folder one of a run, or of what is left of it
RUN_FILES = (RUN_FILE, "run.toml", "metrics.jsonl", "pipeline.json", "events.jsonl", "log.txt",
             WEIGHTS_FILE)  # fmt: skip
LOCK_TRIES = 10


def is_run(folder: Path) -> bool:
    """Whether ``folder`` holds one run, with its ``run.json``."""
    return (folder / RUN_FILE).is_file()


def is_group(folder: Path) -> bool:
    """Whether ``folder`` holds a group of runs."""
    return (folder / GROUP_FILE).is_file()


def is_one(group: Path) -> bool:
    """Whether a group was trained to be one predictor: an ensemble, or several targets."""
    try:
        facts = parsed(file_text(group / GROUP_FILE), GROUP_FILE, str(group))
    except (OSError, StateError):
        return False
    return isinstance(facts, dict) and not {"recipes", "targets"}.isdisjoint(facts)


def has_weights(folder: Path) -> bool:
    """Whether the run in ``folder`` has saved a model."""
    return (folder / WEIGHTS_FILE).is_file()


def runs_in(folder: Path) -> list[Path]:
    """The folders in ``folder`` that have a ``run.json``, by name."""
    return [file.parent for file in sorted(folder.glob(f"*/{RUN_FILE}"))]


def run_folders(folder: Path) -> list[Path]:
    """The folders in ``folder`` that are runs, were runs, or hold a group of runs."""
    if not folder.is_dir():
        return []
    return [
        path
        for path in folder.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and any((path / file).exists() for file in (*RUN_FILES, GROUP_FILE))
    ]


def write_group_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """``group.json`` in the folder ``path``."""
    write_whole(path / GROUP_FILE, sealed(json_text(facts, indent=2) + "\n").encode("utf-8"))


def json_text(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON in which NaN and infinities are null. It is safe to print."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)
    return escaped_json(text)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return value if abs(value) <= 1.7976931348623157e308 else None
    return value


def now() -> datetime.datetime:
    """The current time, with the offset of the local time zone."""
    return datetime.datetime.now().astimezone()


class RunFolder:
    """A run that is being written; with ``path`` None, only ``facts`` are kept.

    Every failure to write is a StateError that names the folder.
    """

    def __init__(self, path: Path | None, started: datetime.datetime) -> None:
        self.path, self.started = path, started
        self.facts: dict[str, Any] = {}
        self.seconds_before = 0.0  # of earlier processes that worked on the run
        self._start = time.monotonic()  # the wall clock may be set back
        self._unlock: Callable[[], object] | None = None
        self._hidden: Held | None = None  # until `update` makes it a run

    @classmethod
    def create(cls, runs_dir: Path | None, data: str, model: str, name: str = "") -> RunFolder:
        """A new folder ``YYYYMMDD-HHMMSS-<data>-<model>-<4 hex>``; ``name`` replaces the middle.

        It is hidden until there is a ``run.json``, and removed if there never is one. What killed
        processes left half done in ``runs_dir`` is removed, too.
        """
        started = now()
        if runs_dir is None:
            return cls(None, started)
        middle = slug(name) or "-".join(filter(None, (slug(data), slug(model)))) or "run"
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            remove_abandoned_folders(runs_dir)
            hidden = new_hidden_folder(runs_dir, f"{started:%Y%m%d-%H%M%S}-{middle}")
        except OSError as error:
            raise unwritable(runs_dir, error) from None
        folder = cls(hidden.path, started)
        folder._hidden = hidden
        try:
            folder._acquire()
            for file in (*APPENDED_FILES, "log.txt"):
                if file not in OBSERVED_FILES:
                    folder._append(file, "")
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def unwritten(cls, facts: Mapping[str, Any]) -> RunFolder:
        """Of the ``facts`` of a run, for whoever takes part in it and writes nothing."""
        folder = cls(None, now())
        folder.facts = dict(facts)
        return folder

    @classmethod
    def open(cls, path: Path, facts: Mapping[str, Any]) -> RunFolder:
        """A run to resume, with the ``facts`` of its ``run.json``.

        Raises StateError if another process is writing it.
        """
        folder = cls(path, now())
        folder._acquire()
        remove_leftovers(path)
        folder.facts = dict(facts)
        folder.seconds_before = float(facts.get("seconds", 0.0))
        return folder

    def close(self) -> None:
        """Releases the lock, so that other processes may write the run. What has not become a run
        is removed."""
        if self._unlock is not None:
            self._unlock()
        if self._hidden is not None:
            self._hidden.close()

    def _acquire(self) -> None:
        assert self.path is not None
        try:
            lock = _open_to_append(self.path / "log.txt", 0)
        except OSError as error:
            raise unwritable(self.path, error) from None
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.02)  # another process may only be testing the lock
        else:
            os.close(lock)
            raise StateError(
                "another process is writing this run",
                where=str(self.path),
                help="wait until it ends; `chainrule runs ls` shows which runs are running",
            )
        self._unlock = weakref.finalize(self, os.close, lock)

    def cut_metrics(self, epochs: Sequence[Mapping[str, float]]) -> list[int]:
        """Keeps the first ``len(epochs)`` epochs of ``metrics.jsonl``; later ones will come again.

        A line that is missing, or differs from the metrics in ``epochs``, is rewritten from these;
        gives the numbers of such epochs, from 1.
        """
        if self.path is None:
            return []
        lines: dict[int, str] = {}
        for line in file_text(self.path / "metrics.jsonl").splitlines(True):
            with contextlib.suppress(StateError):
                values = parsed(line, "metrics.jsonl", str(self.path))
                epoch = values.get("epoch") if isinstance(values, dict) else None
                if line.endswith("\n") and type(epoch) is int and 0 < epoch <= len(epochs):
                    expected = _finite(epochs[epoch - 1])
                    if {name: values.get(name) for name in expected} == expected:
                        lines[epoch] = line
        rewritten = [epoch for epoch in range(1, len(epochs) + 1) if epoch not in lines]
        for epoch in rewritten:
            lines[epoch] = json_text({"epoch": epoch, **epochs[epoch - 1]}) + "\n"
        self.write("metrics.jsonl", "".join(lines[epoch] for epoch in sorted(lines)))
        return rewritten

    def cut_observations(self, steps: int) -> None:
        """Keeps what was observed in the first ``steps`` steps; later ones will come again."""
        for file in OBSERVED_FILES if self.path is not None else ():
            assert self.path is not None
            if not (self.path / file).is_file():
                continue
            kept = []
            for line in file_text(self.path / file).splitlines(True):
                with contextlib.suppress(StateError):
                    values = parsed(line, file, str(self.path))
                    step = values.get("step") if isinstance(values, dict) else None
                    if line.endswith("\n") and type(step) is int and step <= steps:
                        kept.append(line)
            self.write(file, "".join(kept))

    @property
    def name(self) -> str:
        return self.path.name.removeprefix(".") if self.path else ""

    def update(self, **facts: Any) -> None:
        """Replaces ``run.json`` by one with these facts added, and the hashes of all files now."""
        self.facts.update(facts, format=RUN_KIND.format, version=RUN_KIND.version)
        if self.path is not None:
            present = [f for f in HASHED_FILES if (self.path / f).is_file()]
            try:
                self.facts["files"] = {f: sha256_of(self.path / f) for f in present}
            except OSError as error:
                raise unwritable(self.path, error) from None
        self.write("run.json", sealed(json_text(self.facts, indent=2) + "\n"))
        if self._hidden is not None:
            self.path = publish(self._hidden)
            self._hidden = None

    def write(self, file: str, text: str) -> None:
        """Replaces a file in one step."""
        if self.path:
            write_whole(self.path / file, text.encode("utf-8"))

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Appends a line to ``metrics.jsonl``."""
        self._append("metrics.jsonl", json_text(values) + "\n")

    def observation(self, layers: Mapping[str, Any], histograms: Mapping[str, Any]) -> None:
        """Appends a line to ``layers.jsonl``, and to ``histograms.jsonl`` if there are any."""
        for file, values in zip(OBSERVED_FILES, (layers, histograms), strict=True):
            if values:
                self._append(file, json_text(values) + "\n")

    def event(self, kind: str, **facts: Any) -> None:
        """Appends a line to ``events.jsonl``, with the time."""
        line = {"time": now().isoformat(timespec="milliseconds"), "event": kind, **facts}
        self._append("events.jsonl", json_text(line) + "\n")

    def log(self, text: str) -> None:
        """Appends lines to ``log.txt``."""
        self._append("log.txt", visible(text) + "\n")

    def seconds(self) -> float:
        """The time spent on the run, without that between one process and the next."""
        return round(self.seconds_before + time.monotonic() - self._start, 3)

    def _append(self, file: str, text: str) -> None:
        if self.path is None:
            return
        try:
            path = self.path / file
            with open(path, "a", encoding="utf-8", newline="\n", opener=_open_to_append) as out:
                out.write(text)
        except OSError as error:
            raise unwritable(self.path, error) from None


def _open_to_append(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a file to append to it; a pipe in its stead is an error, and not waited for."""
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(path, flags | appending, 0o666)


def is_being_written(path: Path) -> bool:
    """Whether a process is writing the run in this folder."""
    try:
        file = os.open(path / "log.txt", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False
