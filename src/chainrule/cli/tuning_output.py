"""What ``tune`` prints: lines, JSON lines, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..data import Setting
from ..runs.fixes import as_override
from ..tuning.listeners import Lines, TuningListener
from ..tuning.result import Tuned
from ..tuning.search import Search
from ..tuning.suggesting import Trial
from .output import JsonListener, SilentListener, TerminalListener
from .terminal import state

__all__ = ["tuning_listener"]


class TerminalTuning(Lines, TerminalListener):
    """Lines on stderr."""

    def say(self, text: str) -> None:
        TerminalListener.say(self, text)


class SilentTuning(TuningListener, SilentListener):
    """Nothing but errors."""


class JsonTuning(TuningListener, JsonListener):
    """JSON objects on stdout: search, every trial, those of the best run, tuned."""

    def begin_search(self, folder: Path, trials: int, done: int) -> None:
        self.write("search", {"run": str(folder), "trials": trials, "done": done})

    def trial(self, search: Search, trial: Trial, best: Trial | None, trials: int) -> None:
        self.write("trial", {
            "trial": trial.index + 1, "of": trials, "state": trial.state,
            "objective": search.objective, "value": trial.value, "epochs": len(trial.values),
            "settings": search.space.changes(trial.chosen),
            "best": None if best is None else {"trial": best.index + 1, "value": best.value},
            **({"error": trial.error} if trial.error else {}),
        })  # fmt: skip

    def interrupted_search(self, folder: Path, done: int, trials: int) -> None:
        self.write("interrupted", {"run": str(folder), "trials": trials, "done": done})

    def tuned(self, tuned: Tuned) -> None:
        self.write("tuned", tuned.to_dict())


def tuning_listener(as_json: bool, spell: Callable[[Setting], str] = as_override) -> TuningListener:
    """What prints the progress of a search; ``spell`` writes the settings that fix findings."""
    if as_json:
        return JsonTuning()
    if state.quiet:
        return SilentTuning()
    return TerminalTuning(state.progress, spell)
