"""Words for an end in which no worker can speak: MPI kills all of them when one is killed."""

from __future__ import annotations

import contextlib
import subprocess

__all__ = ["WORDS", "Watch"]

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
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", 'read word || printf "%s\\n" "$1" >&2', "sh", WORDS],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def dismiss(self) -> None:
        """This process ends as it should, or has spoken itself."""
        if self._shell is not None:
            with contextlib.suppress(OSError):
                self._shell.communicate(b"bye\n")
            self._shell = None
