"""What ``train`` prints: colour on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data import Finding, Setting
from ..errors import StateError
from ..report import write_report
from ..runs.fixes import as_override, finding_document
from ..runs.listeners import Listener, Talk
from ..runs.predictor import Predictor
from ..runs.wording import closing, finding_text, result_rows
from ..train import Callback
from .terminal import print_json, print_rows, say, use_colour, warn

__all__ = ["JsonListener", "SilentListener", "TerminalListener"]


class TerminalListener(Talk):
    """Prints findings with what fixes them, and results as a table.

    ``spell`` writes the setting that fixes a finding, for whatever the user does next.
    """

    def __init__(
        self, progress: str = "auto", spell: Callable[[Setting], str] = as_override
    ) -> None:
        super().__init__(progress=progress)
        self._spell = spell

    def spell(self, setting: Setting) -> str:
        return self._spell(setting)

    def say(self, text: str) -> None:
        say(text)

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            text = finding_text(finding, self.spell)
            say(text, **({"fg": "yellow"} if finding.severity == "warning" else {}))

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        write_run_report(predictor)
        if not sys.stderr.isatty() or use_colour() is False:
            super().done(predictor, facts)
            return
        say(closing(facts))
        with suppress(OSError):  # the terminal may be gone
            print_rows(result_rows(facts), err=True, bold=1)


class JsonListener(Listener):
    """Prints one JSON object per line on stdout: start, every epoch, done."""

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            self.write("finding", finding_document(finding))

    def begin(self, facts: Mapping[str, Any]) -> None:
        self.write("start", {k: v for k, v in facts.items() if k != "findings"})

    def callbacks(self, epochs: int) -> list[Callback]:
        return [_Epochs(self)]

    def interrupted(self, facts: Mapping[str, Any], run: Path | None) -> None:
        keys = ("status", "seconds", "epochs", "best")
        self.write("interrupted", {"run": str(run), **{k: facts[k] for k in keys}})

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        write_run_report(predictor)
        keys = ("status", "seconds", "epochs", "best", "metrics", "baseline", "baselines")
        self.write("done", {"run": str(predictor.run), **{k: facts[k] for k in keys if k in facts}})

    def note(self, text: str) -> None:
        self.write("note", {"message": text})

    def member(self, index: int, count: int, name: str) -> None:
        self.write("member", {"name": name, "number": index + 1, "of": count})

    def repeated(self, facts: Mapping[str, Any], group: Path | None) -> None:
        together = {"together": facts["together"]} if facts.get("together") else {}
        self.write("repeated", {"run": str(group), "summary": facts["summary"], **together})

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        print_json({"event": event, **facts}, indent=None)


class _Epochs(Callback):
    def __init__(self, listener: JsonListener) -> None:
        self.listener = listener

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self.listener.write("epoch", {"epoch": epoch + 1, **logs})


class SilentListener(Listener):
    """Prints nothing."""

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        write_run_report(predictor)


def write_run_report(predictor: Predictor[Any, Any, Any]) -> None:
    """Writes the report of a finished run if its settings ask for one."""
    if predictor.run is None or not predictor.settings.output.report:
        return
    try:
        write_report(predictor.run)
    except StateError as error:  # the run itself has been saved
        warn(str(error))
