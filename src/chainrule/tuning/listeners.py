"""Who hears of a search: the terminal, or a listener of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..phrasing import plain_number
from ..runs.listeners import Listener, Talk

if TYPE_CHECKING:
    from .result import Tuned
    from .search import Search
    from .suggesting import Trial

__all__ = ["Lines", "TuningListener", "TuningTalk", "settings_text", "trial_line"]


class TuningListener(Listener):
    """Hears of every stage of ``tune``, and of the training of the best settings as any `Listener`
    does. Override the methods you need; here they do nothing."""

    def begin_search(self, folder: Path, trials: int, done: int) -> None:
        """So many trials are to be made, of which some are ``done`` already."""

    def trial(self, search: Search, trial: Trial, best: Trial | None, trials: int) -> None:
        """A trial has ended; ``best`` is the best one so far."""

    def interrupted_search(self, folder: Path, done: int, trials: int) -> None:
        """Ctrl-C: ``done`` trials are saved in ``folder``."""

    def begin_best(self, search: Search, best: Trial) -> None:
        """The best settings are trained as a run."""

    def tuned(self, tuned: Tuned) -> None:
        """All is done."""


class Lines(TuningListener, ABC):
    """Says all of it in lines."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Prints a line."""

    def begin_search(self, folder: Path, trials: int, done: int) -> None:
        self.say(f"{trials} trials in {folder}" + (f"; {done} are done already" if done else ""))

    def trial(self, search: Search, trial: Trial, best: Trial | None, trials: int) -> None:
        self.stage("")
        self.say(trial_line(search, trial, best, trials))

    def interrupted_search(self, folder: Path, done: int, trials: int) -> None:
        self.stage("")
        self.say(f"{done} of {trials} trials are saved in {folder}; the same command goes on there")

    def begin_best(self, search: Search, best: Trial) -> None:
        self.stage("")
        changes = search.space.changes(best.chosen)
        self.say(f"\nthe best is trial {best.index + 1}: {settings_text(changes)}")

    def tuned(self, tuned: Tuned) -> None:
        self.say(f"settings: {tuned.run / 'best.toml'}\nall trials: {tuned.run / 'tuning.html'}")


class TuningTalk(Lines, Talk):
    """Reports a search in plain lines on stderr."""

    def say(self, text: str) -> None:
        Talk.say(self, text)


def trial_line(search: Search, trial: Trial, best: Trial | None, trials: int) -> str:
    """``trial 4 of 30  val_loss 0.41 (best: 0.39 in 2)  train.lr 0.003, ...``."""
    head = f"trial {trial.index + 1} of {trials}"
    value = f"{search.objective} {plain_number(trial.value)}"
    if trial.state == "failed":
        return f"{head}  failed: {trial.error}"
    if trial.state == "pruned":
        value = f"{value}, cut short after epoch {len(trial.values)}"
    elif best is not None and best.index == trial.index:
        value = f"{value}, the best so far"
    changes = search.space.changes(trial.chosen)
    words = settings_text(changes) if trial.index else "the settings as they are"
    return f"{head}  {value}  {words}"


def settings_text(changes: Mapping[str, Any]) -> str:
    """``lr 0.003, layers 64-64``."""
    parts = []
    for key, value in changes.items():
        shown = "-".join(map(str, value)) if isinstance(value, list) else value
        shown = plain_number(shown) if isinstance(shown, float) else shown
        parts.append(f"{key.rpartition('.')[2]} {shown}")
    return ", ".join(parts)
