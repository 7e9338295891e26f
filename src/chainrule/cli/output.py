"""How ``train`` speaks: in colour on a terminal, in plain lines elsewhere, or as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..data import Finding, Setting
from ..errors import StateError
from ..report import write_report
from ..runs.fixes import as_option, finding_document
from ..runs.listeners import Listener, Talk, closing, finding_text, result_rows
from ..runs.predictor import Predictor
from ..train import Callback
from .terminal import colour, print_rows, say, tell_json, warn

__all__ = ["JsonTalk", "Silent", "TerminalTalk"]


class TerminalTalk(Talk):
    """Findings with the option that follows them, results as a table.

    ``options`` are those of the command, by the key of the setting of each.
    """

    def __init__(
        self, progress: str = "auto", options: Mapping[tuple[str, ...], str] | None = None
    ) -> None:
        super().__init__(progress=progress)
        self.options = options or {}

    def say(self, text: str) -> None:
        say(text)

    def findings(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            text = finding_text(finding, self.spell)
            say(text, **({"fg": "yellow"} if finding.severity == "warning" else {}))

    def spell(self, setting: Setting) -> str:
        return as_option(setting, self.options)

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        reported(predictor)
        if not sys.stderr.isatty() or colour() is False:
            super().done(predictor, facts)
            return
        say(closing(facts))
        with suppress(OSError):  # the terminal may be gone
            print_rows(result_rows(facts), err=True, bold=1)


class JsonTalk(Listener):
    """One JSON object a line on stdout: start, every epoch, done."""

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
        reported(predictor)
        keys = ("status", "seconds", "epochs", "best", "metrics", "baseline")
        self.write("done", {"run": str(predictor.run), **{k: facts[k] for k in keys}})

    def note(self, text: str) -> None:
        self.write("note", {"message": text})

    def member(self, index: int, count: int, name: str) -> None:
        self.write("member", {"name": name, "number": index + 1, "of": count})

    def repeated(self, facts: Mapping[str, Any], group: Path | None) -> None:
        self.write("repeated", {"run": str(group), "summary": facts["summary"]})

    def write(self, event: str, facts: Mapping[str, Any]) -> None:
        tell_json({"event": event, **facts}, indent=None)


class _Epochs(Callback):
    def __init__(self, talk: JsonTalk) -> None:
        self.talk = talk

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self.talk.write("epoch", {"epoch": epoch + 1, **logs})


class Silent(Listener):
    """Says nothing."""

    def done(self, predictor: Predictor[Any, Any, Any], facts: Mapping[str, Any]) -> None:
        reported(predictor)


def reported(predictor: Predictor[Any, Any, Any]) -> None:
    """Writes the report of a run that is done, if its settings want one."""
    if predictor.run is None or not predictor.settings.output.report:
        return
    try:
        write_report(predictor.run)
    except StateError as error:  # the run itself is saved
        warn(str(error))
