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

Lines are appended, whole files are replaced in one step: a reader never sees half of one. All that
is ever read back is bound to the run by its hash in ``run.json``, which has a checksum of its own.
One process writes a run: it holds a lock on ``log.txt``, which the system takes back however the
process ends.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
import secrets
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import Kind, file_text, parsed, sealed, sha256_of
from ..scratch import Held, remove_abandoned
from ..showing import escaped_json, visible
from ..train.checkpoints.weights_file import remove_leftovers, write_whole

__all__ = [
    "FILES",
    "GROUP",
    "GROWING",
    "RUN",
    "SEVERAL",
    "VOUCHED",
    "RunFolder",
    "is_written",
    "json_text",
    "new_folder",
    "now",
    "plain",
    "publish",
    "remove_remains",
    "unwritable",
]

#: what tells the folder of several runs from a run folder
GROUP = "group.json"
RUN = Kind("run.json", "chainrule.run", version=2, sealed=2)
SEVERAL = Kind(GROUP, "chainrule.group", version=2, sealed=2)
#: files whose hashes are in ``run.json``; those of the growing ones hold once the run has ended
VOUCHED = ("run.toml", "pipeline.json", "model.safetensors", "evaluation.json", "metrics.jsonl",
           "events.jsonl")  # fmt: skip
#: files to which lines are added until the run ends
GROWING = ("metrics.jsonl", "events.jsonl")
#: any of these makes a folder one of a run, or of what is left of it
FILES = ("run.json", "run.toml", "metrics.jsonl", "pipeline.json", "events.jsonl", "log.txt",
         "model.safetensors")  # fmt: skip
NAME_LETTERS = 40
LOCK_TRIES = 10
_HIDDEN = re.compile(r"\.\d{8}-\d{6}-.+-[0-9a-f]{4}")


def json_text(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON without NaN: numbers that do not exist become null. It is safe to print."""
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
            lock = _appending(self.path / "log.txt", 0)
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

    def cut_metrics(self, numbers: Sequence[Mapping[str, float]]) -> list[int]:
        """Leaves the first epochs in ``metrics.jsonl``, of which ``numbers`` are: what comes after
        is repeated. A line that is missing or says something else is written anew; which, is told.
        """
        if self.path is None:
            return []
        lines: dict[int, str] = {}
        for line in file_text(self.path / "metrics.jsonl").splitlines(True):
            with contextlib.suppress(StateError):
                values = parsed(line, "metrics.jsonl", str(self.path))
                epoch = values.get("epoch") if isinstance(values, dict) else None
                if line.endswith("\n") and type(epoch) is int and 0 < epoch <= len(numbers):
                    known = _finite(numbers[epoch - 1])
                    if {name: values.get(name) for name in known} == known:
                        lines[epoch] = line
        lost = [epoch for epoch in range(1, len(numbers) + 1) if epoch not in lines]
        for epoch in lost:
            lines[epoch] = json_text({"epoch": epoch, **numbers[epoch - 1]}) + "\n"
        self.write("metrics.jsonl", "".join(lines[epoch] for epoch in sorted(lines)))
        return lost

    @property
    def name(self) -> str:
        return self.path.name.removeprefix(".") if self.path else ""

    def update(self, **facts: Any) -> None:
        """Adds facts to ``run.json``, and the hashes of the files as they are now; replaces it."""
        self.facts.update(facts, format=RUN.format, version=RUN.version)
        if self.path is not None:
            present = [f for f in VOUCHED if (self.path / f).is_file()]
            try:
                self.facts["files"] = {f: sha256_of(self.path / f) for f in present}
            except OSError as error:
                raise unwritable(self.path, error) from None
        self.write("run.json", sealed(json_text(self.facts, indent=2) + "\n"))
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
        self._append("log.txt", visible(text) + "\n")

    def seconds(self) -> float:
        """Since the run began, without the time between one process and the next."""
        return round(self.before + time.monotonic() - self._begun, 3)

    def _append(self, file: str, text: str) -> None:
        if self.path is None:
            return
        try:
            place = self.path / file
            with open(place, "a", encoding="utf-8", newline="\n", opener=_appending) as out:
                out.write(text)
        except OSError as error:
            raise unwritable(self.path, error) from None


def _appending(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a file to append to it; a pipe in its place is an error, and not waited for."""
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(path, flags | appending, 0o666)


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


def unwritable(path: Path, error: OSError) -> StateError:
    """The error that says so."""
    return StateError(
        f"the run folder cannot be written: {error.strerror or error}",
        where=str(path),
        help="choose another place with runs_dir (--runs-dir on the command line), or make room",
    )
