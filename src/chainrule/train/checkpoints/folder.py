"""A folder of checkpoints: everything a training needs to go on, and nothing half-written.

A checkpoint is two files named after the number of steps done: ``000420.safetensors`` with all
arrays, and ``000420.json`` with the rest, its own checksum and that of the arrays' file. The JSON
file is written last, so a checkpoint is there when both are, and are as written. Each is written
beside its place, flushed to disk and renamed: whatever stops the process, the checkpoints before
stay whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...arguments import path_of
from ...durations import interval
from ...errors import ConfigError, StateError
from ...ir.types import is_whole
from ...records import (
    Kind,
    OtherVersionError,
    check_shape,
    checksum_of,
    file_bytes,
    read_sealed,
    sealed,
)
from ..callback import Logs, Mode, direction
from .encoding import decoded, encoded
from .weights_file import flush_folder, load, packed, write_whole

__all__ = ["Checkpoint", "Checkpoints"]

KIND = Kind("this checkpoint", "chainrule.checkpoint", version=2, sealed=2)
SHAPE = {"step": int, "epoch": int, "sha256": str, "owner?": str, "state": dict,
         "score": (None, {"name": str, "value": (float, str)})}  # fmt: skip
_NAME = re.compile(r"(\d{6,})\.json")
_OURS = re.compile(r"(\d{6,}\.(json|safetensors))|(\.\d{6,}\.(json|safetensors)\.[0-9a-f]{8})")
#: what a state that is not that of a trainer raises, when it is taken apart
NOT_OURS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: ``step`` steps were done; ``score`` is the watched number, if any."""

    path: Path
    step: int
    epoch: int
    score: float | None
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """From the JSON file alone. Raises StateError if it is not whole or of another version."""
        try:
            facts = read_sealed(path, KIND)
        except FileNotFoundError:
            raise _unreadable(path, "the file does not exist") from None
        check_shape(facts, SHAPE, str(path))
        if facts["step"] != int(path.stem):
            raise _unreadable(path, f"it belongs to step {facts['step']}")
        try:
            score = facts["score"] and float(facts["score"]["value"])
        except ValueError as error:
            raise _unreadable(path, str(error)) from None
        return cls(path, facts["step"], facts["epoch"], score, facts)

    @property
    def arrays_path(self) -> Path:
        return self.path.with_suffix(".safetensors")

    @property
    def vouched(self) -> bool:
        """Whether it has a checksum of its JSON half; those of earlier releases have none."""
        return bool(self.facts["version"] >= KIND.sealed)

    def intact(self) -> bool:
        """Whether the arrays are there as they were written."""
        try:
            content = file_bytes(self.arrays_path)
        except OSError:
            return False
        return bool(checksum_of(content) == self.facts["sha256"])

    def state(self) -> Any:
        """Everything, as `Trainer.set_state` takes it. Raises StateError for damaged files."""
        if not self.intact():
            raise _unreadable(self.arrays_path, "its contents differ from what was written")
        with self.taken_apart():
            return decoded(self.facts["state"], load(self.arrays_path))

    @contextlib.contextmanager
    def taken_apart(self) -> Iterator[None]:
        """Inside, its state is read; one without a checksum may hold anything, and then a
        StateError says so."""
        try:
            yield
        except NOT_OURS as error:
            if self.vouched or isinstance(error, StateError):
                raise
            raise _unreadable(
                self.path, f"a part is missing or of the wrong type ({type(error).__name__})"
            ) from None


class Checkpoints:
    """Checkpoints of a training in ``folder``: ``trainer.fit(..., checkpoints=Checkpoints("c"))``.

    ``every`` is ``"epoch"``, a number of steps, or a time such as ``"30s"``, ``"5m"``, ``"1h"``;
    the end of a training and SIGINT or SIGTERM make one more. The last ``keep`` stay, and the best
    at the end of an epoch by ``monitor`` (``"auto"``: ``val_loss``, or ``loss`` without validation
    data; None: no best one). One process at a time writes a folder. With ``owner``, the name of
    what is trained, checkpoints of another owner count as damaged.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: str | int = "epoch",
        keep: int = 3,
        monitor: str | None = "auto",
        mode: Mode = "auto",
        owner: str = "",
    ) -> None:
        self.owner = owner
        self.folder = path_of(folder, "the folder of checkpoints")
        self.steps, self.seconds = _interval(every)
        self.every = every
        if not is_whole(keep) or keep < 1:
            raise ConfigError(f"keep is {keep!r}", help="keep must be a whole number of at least 1")
        self.keep, self.monitor = int(keep), monitor
        known = monitor in (None, "auto")
        self._sign = 1.0 if known else direction("Checkpoints", str(monitor), mode)
        self._lock: IO[str] | None = None
        self._kept: list[Checkpoint] = []
        self.damaged: list[str] = []
        self._saved, self._written = -1, 0.0

    # --------------------------------------------------------------------------------- reading

    def readable(self) -> list[Checkpoint]:
        """Checkpoints whose JSON file can be read, by their steps; damaged ones are left out.

        Raises StateError if one was written by another release.
        """
        checkpoints = []
        for path in self._names():
            try:
                checkpoint = Checkpoint.read(path)
            except OtherVersionError:
                raise
            except StateError:
                continue
            if not self.owner or checkpoint.facts.get("owner", self.owner) == self.owner:
                checkpoints.append(checkpoint)
        return sorted(checkpoints, key=lambda c: c.step)

    def _names(self) -> list[Path]:
        """The JSON files of all checkpoints, damaged ones included."""
        return [p for p in self.folder.glob("*.json") if _NAME.fullmatch(p.name)]

    def newest(self) -> Checkpoint | None:
        """The intact checkpoint with the most steps; the time on the clock does not count.

        None if there is no checkpoint. Raises StateError if there are some, but all are damaged.
        Those that are damaged and have more steps are then in ``damaged``.
        """
        # The JSON half comes last and goes first: without the other one, somebody removed that.
        damaged = sorted(path.name for path in self._names())
        for checkpoint in reversed(self.readable()):
            if checkpoint.intact():
                self.damaged = [n for n in damaged if int(n.split(".")[0]) > checkpoint.step]
                return checkpoint
        if damaged:
            raise StateError(
                f"none of the {len(damaged)} checkpoints in {self.folder} is intact",
                help="they were modified or damaged, or belong to another training; "
                "train from scratch in another folder",
            )
        return None

    def best(self) -> Checkpoint | None:
        """The intact checkpoint with the best score; the earliest of equal ones."""
        ranked = [c for c in self.readable() if c.score is not None and c.intact()]
        return min(ranked, key=self._rank, default=None)

    def _rank(self, checkpoint: Checkpoint) -> tuple[float, int]:
        score = checkpoint.score
        # A number that is none is worse than any.
        worth = float("inf") if score is None or score != score else self._sign * score
        return worth, checkpoint.step

    # --------------------------------------------------------------------------------- writing

    @contextlib.contextmanager
    def writing(self, resume: bool) -> Iterator[Checkpoint | None]:
        """Inside, the folder belongs to this process; gives the checkpoint to go on from.

        Leftovers of a process that was killed are removed. Raises StateError if another process
        writes the folder, if it cannot be written, or if it holds checkpoints and ``resume`` is
        false.
        """
        self._acquire()
        try:
            newest = self.newest()
            if newest is not None and not resume:
                raise StateError(
                    f"{self.folder} already holds checkpoints of a training, up to step "
                    f"{newest.step}",
                    help="resume with fit(..., resume=True), or choose another folder",
                )
            self._clear_leftovers(newest)
            self._kept = self.readable()
            self._saved = newest.step if newest else -1
            self._written = time.monotonic()
            yield newest
        finally:
            self._release()

    def _acquire(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        try:
            # The system itself lets go of it when the process dies, however that happens.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise StateError(
                f"{self.folder} is in use by process {owner}",
                help="wait until it ends, or choose another folder; two trainings cannot share one",
            ) from None
        self._lock = lock
        with contextlib.suppress(OSError):  # a full disk: the name of the owner is a courtesy
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                lock.close()

    def _clear_leftovers(self, newest: Checkpoint | None) -> None:
        """Removes temporary files, halves of checkpoints, and damaged ones above the newest."""
        # A folder of such a name is not ours, whoever made it.
        names = {p.name for p in self.folder.iterdir() if _OURS.fullmatch(p.name) and
                 (p.is_symlink() or not p.is_dir())}  # fmt: skip
        doomed = []
        for name in names:
            stem, _, ending = name.partition(".")
            other = f"{stem}.{'json' if ending == 'safetensors' else 'safetensors'}"
            later = stem and (newest is None or int(stem) > newest.step)
            if not stem or other not in names or later:
                doomed.append(name)
        try:
            for name in sorted(doomed):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def due(self, step: int, ended: bool) -> bool:
        """Whether it is time for one, after ``step`` steps; ``ended`` at the end of an epoch."""
        if step == self._saved:
            return False
        if self.seconds is not None:
            return time.monotonic() - self._written >= self.seconds
        if self.steps is not None:
            return step // self.steps > max(self._saved, 0) // self.steps
        return ended

    def steps_left(self, step: int, most: int) -> int:
        """At most ``most`` steps, and none beyond the next checkpoint, after ``step`` steps."""
        return most if self.steps is None else min(most, self.steps - step % self.steps)

    @property
    def each_epoch(self) -> bool:
        """Whether the end of every epoch makes one."""
        return self.steps is None and self.seconds is None

    def save(self, state: Callable[[], Any], step: int, epoch: int, logs: Logs) -> None:
        """Writes a checkpoint, then removes those that are no longer kept.

        ``logs`` are the numbers of the epoch that has just ended, else empty. A step that has one
        already is left alone: equal steps of a training are equal. Raises StateError if it cannot
        be written; the checkpoints before are then still there.
        """
        if any(c.step == step for c in self._kept):
            return
        path = self.folder / f"{step:06}.json"
        tree, arrays = encoded(state())
        content = packed(arrays)
        facts = {
            "format": KIND.format,
            "version": KIND.version,
            "owner": self.owner,
            "step": step,
            "epoch": epoch,
            "score": self._score(logs),
            "sha256": checksum_of(content),
            "state": tree,
        }
        text = sealed(json.dumps(facts, ensure_ascii=False, allow_nan=False, indent=1))
        write_whole(path.with_suffix(".safetensors"), content)
        write_whole(path, text.encode("utf-8"))
        self._kept.append(Checkpoint.read(path))
        self._saved, self._written = step, time.monotonic()
        last = self._kept[-self.keep :]
        scored = [c for c in self._kept if c.score is not None]
        best = min(scored, key=self._rank, default=None)
        self._remove([c for c in self._kept if c not in last and c is not best])

    def _score(self, logs: Logs) -> dict[str, Any] | None:
        name = self.monitor
        if name == "auto":
            name = "val_loss" if "val_loss" in logs else "loss"
        if name is None or not logs:
            return None
        if name not in logs:
            raise ConfigError(
                f"the best checkpoint is chosen by {name!r}, which is not computed",
                help=f"available: {', '.join(logs)}",
            )
        value = float(logs[name])
        return {"name": name, "value": value if value - value == 0 else repr(value)}

    def forget_after(self, step: int) -> None:
        """Removes checkpoints of more than ``step`` steps: the training went back to there."""
        self._remove([c for c in self._kept if c.step > step])
        self._saved = min(self._saved, step)

    def clear(self) -> None:
        """Removes all checkpoints."""
        self._remove(list(self._kept))
        self._saved = -1

    def _remove(self, doomed: list[Checkpoint]) -> None:
        try:
            # The newest first: what is left at any moment is what was there at an earlier one.
            for checkpoint in sorted(doomed, key=lambda c: -c.step):
                checkpoint.path.unlink(missing_ok=True)
                checkpoint.arrays_path.unlink(missing_ok=True)
            if doomed:
                flush_folder(self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        self._kept = [c for c in self._kept if c not in doomed]

    def __repr__(self) -> str:
        return f"Checkpoints({str(self.folder)!r}, every={self.every!r}, keep={self.keep})"


def _interval(every: str | int) -> tuple[int | None, float | None]:
    """(steps, seconds), at most one of them."""
    if every == "epoch":
        return None, None
    if isinstance(every, int) and not isinstance(every, bool) and every > 0:
        return every, None
    seconds = interval(every) if isinstance(every, str) else None
    if seconds is None:
        raise ConfigError(
            f"invalid checkpoint interval: every={every!r}",
            help='pass "epoch", a number of steps from 1, or a time such as "30s", "5m", "1h"',
        )
    return None, seconds


def _unreadable(path: Path, why: str) -> StateError:
    return StateError(
        f"cannot read this checkpoint: {why}",
        where=str(path),
        help="use an earlier one; the latest intact one is chosen automatically",
    )


def _unwritable(folder: Path, error: OSError) -> StateError:
    return StateError(
        f"cannot write checkpoints: {error.strerror or error}",
        where=str(folder),
        help="check that the folder is writable and the disk has space",
    )
