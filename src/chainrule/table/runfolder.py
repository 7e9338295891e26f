"""The run folder: everything about one training, as text and safetensors that anybody can read.

    run.toml           the resolved settings, every default written out
    run.json           status, versions, seed, fingerprint of the data, final metrics
    metrics.jsonl      numbers, one object for each epoch
    events.jsonl       findings, changes of status
    log.txt            what was said on the terminal
    model.safetensors  the best weights
    pipeline.json      the fitted preprocessing

    evaluation.json    predictions against truth of the test rows, for the report
    report.html        what the run has to tell, if the command line trained it
    checkpoints/       from which an ended run goes on

Lines are appended, whole files are replaced in one step: a reader never sees half of one. Weights
and preprocessing are bound to the run by their hashes in ``run.json``. One process writes a run: it
holds a lock on ``log.txt``, which the system takes back however the process ends.
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import re
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..scratch import Held, remove_abandoned
from ..train.checkpoint import remove_leftovers, write_whole

__all__ = ["FILES", "GROUP", "RunFolder", "is_written", "json_text", "new_folder", "now", "plain",
           "publish", "remove_remains", "sha256_of", "unwritable"]  # fmt: skip

#: what tells the folder of several runs from a run folder
GROUP = "group.json"
FILES = ("run.toml", "run.json", "metrics.jsonl", "events.jsonl", "log.txt")
NAME_LETTERS = 40
LOCK_TRIES = 10
_HIDDEN = re.compile(r"\.\d{8}-\d{6}-.+-[0-9a-f]{4}")


def json_text(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON without NaN: numbers that do not exist become null."""
    return json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return value if abs(value) <= 1.7976931348623157e308 else None
    return value


def sha256_of(path: Path) -> str:
    """``sha256:...`` of a file's bytes."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def now() -> datetime.datetime:
    """The moment, with the offset of the local time zone."""
    return datetime.datetime.now().astimezone()


class RunFolder:
    """One run being written; with ``path`` None nothing is, but ``facts`` are kept.

    Every failure to write is a StateError that names the folder.
    """

    def __init__(self, path: Path | None, started: datetime.datetime) -> None:
        self.path, self.started = path, started
        self.facts: dict[str, Any] = {}
        self.before = 0.0  # seconds of earlier processes that worked on the run
        self._begun = time.monotonic()  # the clock on the wall may be set back
        self._unlock: Callable[[], object] | None = None
        self._new: Held | None = None  # until `update` makes it a run

    @classmethod
    def create(cls, runs_dir: Path | None, data: str, model: str, name: str = "") -> RunFolder:
        """A new folder ``YYYYMMDD-HHMMSS-<data>-<model>-<4 hex>``; ``name`` replaces the middle.

        It is hidden until there is a ``run.json``, and removed if that does not come. What others
        left half done in ``runs_dir`` when they were killed is removed, too.
        """
        started = now()
        if runs_dir is None:
            return cls(None, started)
        middle = plain(name) or "-".join(filter(None, (plain(data), plain(model)))) or "run"
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            remove_remains(runs_dir)
            new = new_folder(runs_dir, f"{started:%Y%m%d-%H%M%S}-{middle}")
        except OSError as error:
            raise unwritable(runs_dir, error) from None
        folder = cls(new.path, started)
        folder._new = new
        folder._acquire()
        for file in ("metrics.jsonl", "events.jsonl", "log.txt"):
            folder._append(file, "")
        return folder

    @classmethod
    def open(cls, path: Path, facts: Mapping[str, Any]) -> RunFolder:
        """A run that goes on, with the ``facts`` of its ``run.json``.

        Raises StateError if another process writes it.
        """
        folder = cls(path, now())
        folder._acquire()
        remove_leftovers(path)
        folder.facts = dict(facts)
        folder.before = float(facts.get("seconds", 0.0))
        return folder

    def close(self) -> None:
        """Lets other processes write the run."""
        if self._unlock is not None:
            self._unlock()

    def _acquire(self) -> None:
        assert self.path is not None
        try:
            lock = os.open(self.path / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(self.path, error) from None
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.02)  # somebody may only be looking whether it is locked
        else:
            os.close(lock)
            raise StateError(
                "another process is writing this run",
                where=str(self.path),
                help="wait until it ends; `chainrule runs ls` shows which runs are running",
            )
        self._unlock = weakref.finalize(self, os.close, lock)

    def cut_metrics(self, epochs: int) -> None:
        """Leaves the first ``epochs`` epochs in ``metrics.jsonl``: what comes after is repeated."""
        if self.path is None:
            return
        kept = []
        for line in (self.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines(True):
            try:
                whole = line.endswith("\n") and json.loads(line)["epoch"] <= epochs
            except (ValueError, KeyError, TypeError):
                whole = False
            if whole:
                kept.append(line)
        self.write("metrics.jsonl", "".join(kept))

    @property
    def name(self) -> str:
        return self.path.name.removeprefix(".") if self.path else ""

    def update(self, **facts: Any) -> None:
        """Adds facts to ``run.json`` and replaces the file."""
        self.facts.update(facts)
        self.write("run.json", json_text(self.facts, indent=2) + "\n")
        if self._new is not None:
            self.path = publish(self._new)
            self._new = None

    def write(self, file: str, text: str) -> None:
        """Replaces one file in one step."""
        if self.path:
            write_whole(self.path / file, text.encode("utf-8"))

    def metrics(self, values: Mapping[str, Any]) -> None:
        """One line of ``metrics.jsonl``."""
        self._append("metrics.jsonl", json_text(values) + "\n")

    def event(self, kind: str, **facts: Any) -> None:
        """One line of ``events.jsonl`` with the time."""
        line = {"time": now().isoformat(timespec="milliseconds"), "event": kind, **facts}
        self._append("events.jsonl", json_text(line) + "\n")

    def log(self, text: str) -> None:
        """Lines of ``log.txt``."""
        self._append("log.txt", text + "\n")

    def seconds(self) -> float:
        """Since the run began, without the time between one process and the next."""
        return round(self.before + time.monotonic() - self._begun, 3)

    def _append(self, file: str, text: str) -> None:
        if self.path is None:
            return
        try:
            with (self.path / file).open("a", encoding="utf-8", newline="\n") as out:
                out.write(text)
        except OSError as error:
            raise unwritable(self.path, error) from None


def plain(text: str) -> str:
    """``text`` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:NAME_LETTERS].strip("-.")


def new_folder(base: Path, stem: str) -> Held:
    """A folder ``<stem>-<4 hex>`` that nobody else has; hidden until `publish`."""
    while True:
        new = Held(base, lambda: f".{stem}-{secrets.token_hex(2)}", mode=0o777)
        if not new.path.with_name(new.path.name[1:]).exists():
            return new
        new.close()


def publish(new: Held) -> Path:
    """Shows a folder that is complete, for good. StateError if that is not possible."""
    path = new.path.with_name(new.path.name[1:])
    try:
        new.keep_as(path)
    except OSError as error:
        raise unwritable(new.path.parent, error) from None
    return path


def remove_remains(runs_dir: Path) -> None:
    """Removes what killed processes left in ``runs_dir``: folders that never became runs, and files
    that were being written. Runs stay, and whatever belongs to a living process."""
    remove_abandoned(runs_dir, _HIDDEN)
    for run in runs_dir.glob("*/run.json"):
        remove_leftovers(run.parent)


def is_written(path: Path) -> bool:
    """Whether a process is writing the run in this folder."""
    try:
        with (path / "log.txt").open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def unwritable(path: Path, error: OSError) -> StateError:
    """The error that says so."""
    return StateError(
        f"the run folder cannot be written: {error.strerror or error}",
        where=str(path),
        help="choose another place with runs_dir (--runs-dir on the command line), or make room",
    )
