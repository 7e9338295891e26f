"""The doctor while a training is going on: one line, once, for what is plain already."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from ..runs.settings.document import RunSettings
from ..train import Callback
from ..train.callback import Logs
from .evidence import Evidence
from .rule import Diagnosis
from .rules import RULES, check_codes

__all__ = ["LiveDoctor", "attend"]

#: rules that need no end to be sure, and how many observations make them so
LIVE = ("T101", "T102", "T103", "T104", "T107", "T112")
LEAST = 6
#: the share of the time that looking may take
SHARE = 0.005


class LiveDoctor(Callback):
    """Tells the trainer what it sees at the end of an epoch, each code once, none of ``ignored``.
    Raises ConfigError for a code that does not exist."""

    def __init__(self, ignored: Collection[str] = ()) -> None:
        check_codes(ignored)
        self._rules = [code for code in LIVE if code not in ignored]
        self._told: set[str] = set()
        self._last = self._cost = 0.0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        now = time.perf_counter()
        observations = self.trainer.observations
        if len(observations) < LEAST or now - self._last < self._cost / SHARE:
            return
        history = {name: tuple(values) for name, values in self.trainer.history.items()}
        evidence = Evidence(history, observations[-100:])
        for code in self._rules:
            sign = RULES[code].look(evidence) if code not in self._told else None
            if sign is not None:
                self._told.add(code)
                sentence = Diagnosis(RULES[code], sign).sentence
                self.trainer.tell(f"{code} {sentence} (chainrule explain {code})")
        self._last = time.perf_counter()
        self._cost = self._last - now

    def state(self) -> dict[str, list[str]]:
        return {"told": sorted(self._told)}

    def set_state(self, state: Mapping[str, list[str]]) -> None:
        self._told = set(state["told"])


def attend(settings: RunSettings) -> LiveDoctor:
    """For the training of a run."""
    return LiveDoctor(settings.output.ignore)
