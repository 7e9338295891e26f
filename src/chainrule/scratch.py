"""What is temporary: arrays in files without a name, and folders that a dead process cannot keep.

A file without a name goes with the process, however that ends. Where something needs names, it gets
a folder of its own, which is held by a lock that the system takes back with the process. Whoever
comes next removes folders and files that nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import math
import os
import re
import secrets
import shutil
import stat
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Held", "array_in_file", "hold", "remove_abandoned", "scratch_folder"]

_SCRATCH = re.compile(r"chainrule-scratch-[0-9a-f]{16}")


def array_in_file(shape: tuple[int, ...], dtype: Any, folder: Path) -> NDArray[Any]:
    """An array of zeros in a file of ``folder`` that has no name, to be filled.

    Raises OSError if the disk has no room for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        os.posix_fallocate(file.fileno(), 0, size)  # later, a full disk would be a signal
        array: NDArray[Any] = np.memmap(file, dtype=dtype, mode="r+", shape=shape)
    return array


class Held:
    """A new folder inside ``folder`` with the first ``name`` that is free; this process owns it.

    It is removed by `close`, with this object, at the end of the process, or by whoever comes next;
    except after `keep_as`. Raises OSError.
    """

    def __init__(self, folder: Path, name: Callable[[], str], mode: int = 0o700) -> None:
        held = None
        while held is None:
            self.path = folder / name()
            try:
                self.path.mkdir(mode=mode)
                held = _held(self.path)
            except FileExistsError:
                if not folder.is_dir():
                    raise
        self._handle = held
        self.close = weakref.finalize(self, _discard, self.path, held, os.getpid())

    def keep_as(self, path: Path) -> None:
        """Gives the folder its name in one step; from now on it stays."""
        os.rename(self.path, path)
        self.path = path
        self.close.detach()
        os.close(self._handle)


def scratch_folder() -> Held:
    """A folder among the temporary files of the system."""
    folder = Path(tempfile.gettempdir())
    _clear_once(folder)
    return Held(folder, lambda: f"chainrule-scratch-{secrets.token_hex(8)}")


@functools.cache
def _clear_once(folder: Path) -> None:
    remove_abandoned(folder, _SCRATCH)


def hold(file: int) -> bool:
    """Holds a file or folder as long as it is open; False if somebody else does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # there are no locks here, so nobody can find it abandoned either
    return True


def _held(folder: Path) -> int | None:
    """A descriptor that holds a new folder; None if it was taken for abandoned, and is gone."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    with contextlib.suppress(FileNotFoundError):
        if hold(handle) and os.path.samestat(os.stat(folder), os.fstat(handle)):
            return handle
    os.close(handle)
    return None


def remove_abandoned(folder: Path, name: re.Pattern[str]) -> None:
    """Removes files and folders in ``folder`` that are ours, are called ``name``, and that nobody
    holds. What cannot be removed stays: nobody has come for that.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if name.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove_unheld(folder / entry.name)


def _remove_unheld(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        mode = os.fstat(handle).st_mode
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(mode):
                shutil.rmtree(path, ignore_errors=True)
            elif stat.S_ISREG(mode):
                path.unlink()
    finally:
        os.close(handle)


def _discard(folder: Path, handle: int, owner: int) -> None:
    if os.getpid() == owner:  # and not a child, which got a copy of everything
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
