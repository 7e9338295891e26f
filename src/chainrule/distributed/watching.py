"""Words for an end in which no worker can speak: MPI kills all of them when one is killed."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator

__all__ = ["WORDS", "Watch"]

#: what starts workers and passes on what they say: MPICH and Intel MPI, Open MPI
LAUNCHERS = ("mpiexec", "mpirun", "hydra", "orterun", "orted", "prte")

WORDS = (
    "error: MPI ended all workers, because one of them failed or was killed\n"
    "  help:  if it could say why, that stands above; one that is killed without a word has often "
    "run out of memory. The last checkpoint is whole: chainrule resume goes on from there"
)


class Watch:
    """A shell outside of what MPI kills, which speaks if this process ends without `dismiss`."""

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):  # without a shell nobody speaks, and no more is lost
            stderr = _stderr_of_launcher()
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", 'read word || printf "%s\\n" "$1" >&2', "sh", WORDS],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
            if stderr is not None:
                os.close(stderr)

    def dismiss(self) -> None:
        """This process ends as it should, or has spoken itself."""
        if self._shell is not None:
            with contextlib.suppress(OSError):
                self._shell.communicate(b"bye\n")
            self._shell = None


def _stderr_of_launcher() -> int | None:
    """Where the launcher writes its errors, or None if that is not to be had.

    What is written to a worker's own stderr is lost when the launcher has gone before it could pass
    it on, as it may on a busy machine. A file that the launcher does not append to is left alone:
    each of the two would write over the other's words.
    """
    launcher = None
    for pid, name in _ancestors():
        if not name.startswith(LAUNCHERS):
            break
        launcher = pid
    try:
        stderr = os.open(f"/proc/{launcher}/fd/2", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(stderr).st_mode) and not _appends(launcher):
        os.close(stderr)
        return None
    return stderr


def _ancestors() -> Iterator[tuple[int, str]]:
    """The parent, its parent and so on, with the names of their programs; where Linux says so."""
    pid = os.getppid()
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                before, _, after = file.read().rpartition(")")
        except OSError:
            return
        yield pid, before.partition("(")[2]
        pid = int(after.split()[1])


def _appends(pid: int | None) -> bool:
    """Whether what ``pid`` writes to its stderr goes to the end of the file."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/2", encoding="ascii") as file:
        flags = dict(line.split(":", 1) for line in file if ":" in line)["flags"]
        return bool(int(flags, 8) & os.O_APPEND)
    return False
