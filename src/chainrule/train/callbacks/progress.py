"""Progress of a training on stderr: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import TextIO

from ...durations import clock
from ..callback import Callback, Logs

__all__ = ["Progress", "is_terminal", "write_talk"]

REDRAW_SECONDS = 0.1
PLAIN_SECONDS = 2.0
BAR = 18


class Progress(Callback):
    """Writes ``epoch 7/30  ########----------  loss 0.318  val_loss 0.332  eta 0:12``.

    On a terminal the line is redrawn at most ten times a second. Elsewhere (a file, CI) a plain
    line appears for the first epoch, at most every two seconds, and for the last one. Where it
    cannot be written (a full disk, a reader that went away) training goes on without it.
    """

    def __init__(self, epochs: int, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.epochs = epochs
        self.stream: TextIO | None = sys.stderr if stream is None else stream
        dumb = os.environ.get("TERM") == "dumb"
        self.live = (is_terminal(self.stream) and not dumb) if live is None else live

    def on_train_begin(self, logs: Logs) -> None:
        self._begun = time.monotonic()
        trainer = vars(self).get("trainer")
        run = trainer.run if trainer is not None else None
        self._resumed_at = 0 if run is None else run.epoch  # epochs done before it was resumed
        self._written = float("-inf")
        self._shown = ""
        self._last: tuple[int, float, Logs] | None = None

    def on_progress(self, epoch: int, share: float, logs: Logs) -> None:
        """``share`` 1 is a finished epoch; ``logs`` are then those of the epoch."""
        self._last = (epoch, share, logs)
        wait = REDRAW_SECONDS if self.live else PLAIN_SECONDS
        if time.monotonic() - self._written >= wait and (self.live or share == 1):
            self._write(self.line(epoch, share, logs))

    def on_train_end(self, logs: Logs) -> None:
        if self._last is not None:
            text = self.line(*self._last, ended=True)
            if self.live or text != self._shown:
                self._write(text)
        if self.live and self._shown:
            write_talk(self.stream, "\n")

    def line(self, epoch: int, share: float, logs: Logs, ended: bool = False) -> str:
        """One line of progress; after the end, which may come early, without an eta."""
        done = epoch + share
        filled = round(BAR * done / self.epochs)
        spent = time.monotonic() - self._begun
        trained = done - self._resumed_at
        left = spent / trained * (self.epochs - done) if trained > 0 else 0.0
        parts = [f"epoch {epoch + 1:{len(str(self.epochs))}}/{self.epochs}"]
        if self.live:
            parts.append("#" * filled + "-" * (BAR - filled))
        parts += [f"{name} {value:.4g}" for name, value in logs.items()]
        unfinished = done < self.epochs and not ended
        parts.append(f"eta {clock(left)}" if unfinished else f"in {clock(spent)}")
        return "  ".join(parts)

    def _write(self, text: str) -> None:
        self._written, self._shown = time.monotonic(), text
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            write_talk(self.stream, f"\r{text[:width]}\x1b[K")
        else:
            write_talk(self.stream, f"{text}\n")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether ``stream`` is one; None is a standard stream that was closed before the start."""
    return stream is not None and not getattr(stream, "closed", False) and stream.isatty()


def write_talk(stream: TextIO | None, text: str) -> None:
    """Writes a message that may be lost: where it cannot be written, nothing happens."""
    if stream is None or getattr(stream, "closed", False):
        return
    with contextlib.suppress(OSError):
        stream.write(text)
        stream.flush()
