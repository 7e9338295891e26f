"""Runs from outside: which there are, in which state, and how two of them differ.

Nothing here raises for a folder that is damaged: it is listed, and what is wrong with it is said.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, StateError
from ..phrasing import plain_number
from ..records import changed_files, check_shape, file_text, parsed
from .folder import HASHED_FILES, WEIGHTS_FILE, is_being_written, is_group, run_folders
from .loading import METRICS_SHAPE, read_facts, read_group_facts, read_settings
from .recognition import kind_of_run
from .settings.display import differences
from .wording import group_lines, headline, result_lines

__all__ = ["HEADINGS", "RunLine", "check_removable", "compare_runs", "details", "details_text",
           "remove_run", "summarize_runs"]  # fmt: skip

BARS = "▁▂▃▄▅▆▇█"
HEADINGS = ("run", "status", "data", "best", "metric", "seconds")


@dataclass(frozen=True)
class RunLine:
    """One line of the list. ``trouble`` says what is wrong with the run, if anything.

    ``status`` is that of ``run.json``; but ``killed`` if that says running and no process is
    writing the run, and ``broken`` if the folder cannot be read. A group of runs has ``runs``,
    their number, and the means of their ``metrics``.
    """

    path: Path
    status: str
    started: str = ""
    data: str = ""
    epochs: int | None = None
    best: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float | None = None
    runs: int | None = None
    trouble: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.path.name, **vars(self), "path": str(self.path)}

    def cells(self) -> tuple[str, ...]:
        """The cells of the line, in the order of `HEADINGS`."""
        metric = next((f"{n} {plain_number(v)}" for n, v in self.metrics.items()), "-")
        best = _best_text(self.best) if self.runs is None else f"{self.runs} runs"
        seconds = "-" if self.seconds is None else f"{self.seconds:.1f}"
        return (self.path.name, self.status, self.data or "-", best, metric, seconds)


def summarize_runs(folder: Path) -> list[RunLine]:
    """All runs and groups in ``folder``, oldest first."""
    lines = [_group_line(run) if is_group(run) else _run_line(run) for run in run_folders(folder)]
    return sorted(lines, key=lambda line: (line.started or line.path.name, line.path.name))


def _run_line(run: Path) -> RunLine:
    try:
        facts = read_facts(run)
        status = current_status(run, facts)
        hashes = facts.get("files", {})
        missing = [f for f in HASHED_FILES if f in hashes and not (run / f).is_file()]
        trouble = str(facts.get("error", "")).split("\n")[0]
        if missing:
            status, trouble = "broken", f"{' and '.join(missing)} missing"
        elif status in ("done", "interrupted") and (changed := _changed_files(run, hashes)):
            trouble = f"{' and '.join(changed)} changed after the run was written"
        elif status == "killed":
            trouble = f"it ended without saving; chainrule resume {run.name}"
        return RunLine(
            run,
            status,
            facts["started"],
            str(facts["data"].get("name", "")),
            facts.get("epochs"),
            facts.get("best", {}),
            facts.get("metrics", {}),
            facts.get("seconds"),
            trouble=trouble,
        )
    except ChainruleError as error:
        return RunLine(run, "broken", trouble=error.what)


def _changed_files(run: Path, hashes: Mapping[str, Any]) -> list[str]:
    """The files of an ended run that differ from what it wrote. The weights are not read for a
    list, and changes of ``run.toml`` are reported when the run is used."""
    names = [file for file in HASHED_FILES if file not in ("run.toml", WEIGHTS_FILE)]
    return changed_files(run, hashes, names)


def current_status(run: Path, facts: Mapping[str, Any]) -> str:
    """The status as it is now, not as a process that was killed left it."""
    if is_being_written(run):
        return "running"
    return "killed" if facts["status"] == "running" else str(facts["status"])


def _group_line(group: Path) -> RunLine:
    try:
        facts = read_group_facts(group)
    except StateError as error:
        return RunLine(group, "broken", trouble=error.what)
    means = {name: s["mean"] for name, s in facts["summary"].items()}
    status, started = facts["status"], facts["started"]
    if status == "running" and not any(is_being_written(run) for run in run_folders(group)):
        status = "killed"
    runs = len(facts["members"])
    return RunLine(group, status, started, facts["name"], metrics=means, runs=runs)


def _best_text(best: Mapping[str, Any]) -> str:
    if not best.get("epoch"):
        return "-"
    return f"val_loss {plain_number(best.get('val_loss'))} in epoch {best['epoch']}"


# ---------------------------------------------------------------------------- one run, two runs


def details(run: Path) -> dict[str, Any]:
    """``run.json`` with the current status and the ``curve`` of validation losses; of a group,
    ``group.json``. StateError if it cannot be read."""
    if is_group(run):
        return read_group_facts(run)
    facts = read_facts(run)
    return {**facts, "status": current_status(run, facts), "curve": _curve(run)}


def _curve(run: Path) -> list[float]:
    """The validation loss of each epoch, as far as the lines can be read."""
    losses = []
    with suppress(OSError, StateError):
        for line in file_text(run / "metrics.jsonl").splitlines():
            metrics = parsed(line, "metrics.jsonl", str(run))
            check_shape(metrics, METRICS_SHAPE, str(run))
            loss = metrics.get("val_loss", metrics.get("loss"))
            losses.append(float("nan") if loss is None else float(loss))
    return losses


def details_text(facts: Mapping[str, Any], run: Path) -> str:
    """`details` as lines to read."""
    if "members" in facts:
        return "\n".join([f"{facts['name']}: {facts['status']}", *group_lines(facts)])
    lines = [str(run), headline(facts)]
    if facts["curve"]:
        lines.append(f"val_loss {sparkline(facts['curve'])}")
    if facts["status"] == "done":
        lines += result_lines(facts)
    else:
        error = [facts["error"]] if facts.get("error") else []
        lines.append(": ".join([facts["status"], *error]))
        if isinstance(facts.get("best"), dict):
            lines.append(f"best: {_best_text(facts['best'])}")
    return "\n".join(lines)


def sparkline(values: list[float], width: int = 60) -> str:
    """Numbers as a row of bars; of many, evenly chosen ones."""
    finite = [v for v in values if v - v == 0]
    if not finite:
        return ""
    step = max(1, -(-len(values) // width))
    low, high = min(finite), max(finite)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((v - low) * scale)] if v - v == 0 else "?" for v in values[::step])


def compare_runs(a: Path, b: Path) -> dict[str, Any]:
    """Metrics of both runs, and the settings that differ, as pairs (a, b)."""
    facts = [read_facts(run) for run in (a, b)]
    names = list(dict.fromkeys(n for f in facts for n in f.get("metrics", {})))
    metrics = {n: [f.get("metrics", {}).get(n) for f in facts] for n in names}
    settings_a, settings_b = (
        read_settings(kind_of_run(f), run) for f, run in zip(facts, (a, b), strict=True)
    )
    differing = differences(settings_a, settings_b)
    return {"runs": [str(a), str(b)], "metrics": metrics,
            "settings": {".".join(k): list(pair) for k, pair in differing.items()}}  # fmt: skip


# -------------------------------------------------------------------------------- removing


def check_removable(run: Path) -> None:
    """StateError for what is not a run folder, and for a run that is being written."""
    if run not in run_folders(run.parent):
        raise StateError(f"{run} is not a run folder", help="nothing was removed")
    for folder in (run, *run_folders(run)):
        if is_being_written(folder):
            raise StateError(
                "the run is running", where=str(folder), help="end it first: Ctrl-C saves it"
            )


def remove_run(run: Path) -> None:
    """Removes a run folder and everything in it."""
    check_removable(run)
    try:
        shutil.rmtree(run)
    except OSError as error:
        raise StateError(
            f"the run cannot be removed: {error.strerror or error}", where=str(run),
            help="check who owns the folder",
        ) from None  # fmt: skip
