"""Looking at runs from outside: what there is, in which state, and how two of them differ.

Nothing here raises for a folder that is damaged: it is listed with its trouble.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, StateError
from ..records import changed_files, check_shape, file_text, parsed
from .folder import GROUP, VOUCHED, is_written
from .listeners import group_lines, headline, number, result_lines
from .loading import NUMBERS, group_facts, read_facts, read_settings
from .recognition import kind_of_run
from .settings.display import differences

__all__ = ["HEADS", "RunLine", "comparison", "details", "details_text", "overview", "removable",
           "remove_run", "run_folders"]  # fmt: skip

BARS = "▁▂▃▄▅▆▇█"
HEADS = ("run", "status", "data", "best", "metric", "seconds")


@dataclass(frozen=True)
class RunLine:
    """One line of the list. ``trouble`` says in words what is wrong, if anything.

    ``status`` is that of ``run.json``, but ``killed`` if that says running and no process writes
    the run, and ``broken`` if the folder cannot be read. A group of runs has ``runs``, their
    number, and the means of their ``metrics``.
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
        """The line as texts, in the order of `HEADS`."""
        metric = next((f"{n} {_shown(v)}" for n, v in self.metrics.items()), "-")
        best = _best(self.best) if self.runs is None else f"{self.runs} runs"
        seconds = "-" if self.seconds is None else f"{self.seconds:.1f}"
        return (self.path.name, self.status, self.data or "-", best, metric, seconds)


def run_folders(place: Path) -> list[Path]:
    """Folders in ``place`` that are runs, were runs, or hold a group of runs."""
    if not place.is_dir():
        return []
    names = ("run.json", "run.toml", "metrics.jsonl", "log.txt", "model.safetensors", GROUP)
    return [
        p
        for p in place.iterdir()
        if p.is_dir() and not p.name.startswith(".") and any((p / n).exists() for n in names)
    ]


def overview(place: Path) -> list[RunLine]:
    """All runs in ``place``, oldest first."""
    lines = [_group_line(p) if (p / GROUP).is_file() else line_of(p) for p in run_folders(place)]
    return sorted(lines, key=lambda line: (line.started or line.path.name, line.path.name))


def line_of(run: Path) -> RunLine:
    """One run."""
    try:
        facts = read_facts(run)
        status = status_of(run, facts)
        data = str(facts["data"].get("name", ""))
        lost = [f for f in VOUCHED if f in facts.get("files", {}) and not (run / f).is_file()]
        trouble = str(facts.get("error", "")).split("\n")[0]
        if lost:
            status, trouble = "broken", f"{' and '.join(lost)} missing"
        elif status in ("done", "interrupted") and (changed := _changed(run, facts)):
            trouble = f"{' and '.join(changed)} changed after the run was written"
        elif status == "killed":
            trouble = f"it ended without saving; chainrule resume {run.name}"
        return RunLine(
            run,
            status,
            facts["started"],
            data,
            facts.get("epochs"),
            facts.get("best", {}),
            facts.get("metrics", {}),
            facts.get("seconds"),
            trouble=trouble,
        )
    except ChainruleError as error:
        return RunLine(run, "broken", trouble=error.what)


def _changed(run: Path, facts: Mapping[str, Any]) -> list[str]:
    """The files of an ended run that are not those that it wrote; to list runs, weights are not
    read, and what may be changed in ``run.toml`` is the business of those who use the run."""
    names = [file for file in VOUCHED if file not in ("run.toml", "model.safetensors")]
    return changed_files(run, facts.get("files", {}), names)


def status_of(run: Path, facts: Mapping[str, Any]) -> str:
    """The status, as it is and not as the process that died last wrote it."""
    if is_written(run):
        return "running"
    return "killed" if facts["status"] == "running" else str(facts["status"])


def _group_line(place: Path) -> RunLine:
    try:
        facts = group_facts(place)
    except StateError as error:
        return RunLine(place, "broken", trouble=error.what)
    means = {name: s["mean"] for name, s in facts["summary"].items()}
    status, started = facts["status"], facts["started"]
    if status == "running" and not any(is_written(run) for run in run_folders(place)):
        status = "killed"
    runs = len(facts["members"])
    return RunLine(place, status, started, facts["name"], metrics=means, runs=runs)


def _best(best: Mapping[str, Any]) -> str:
    if not best.get("epoch"):
        return "-"
    return f"val_loss {_shown(best.get('val_loss'))} in epoch {best['epoch']}"


def _shown(value: object) -> str:
    return number(value) if isinstance(value, int | float) else "-"


# ------------------------------------------------------------------------------ one and two


def details(run: Path) -> dict[str, Any]:
    """``run.json`` with the true status, and the validation losses. StateError if unreadable."""
    if (run / GROUP).is_file():
        return group_facts(run)
    facts = read_facts(run)
    return {**facts, "status": status_of(run, facts), "curve": _curve(run)}


def _curve(run: Path) -> list[float]:
    """The validation loss of each epoch, as far as the lines can be read."""
    found = []
    with suppress(OSError, StateError):
        for line in file_text(run / "metrics.jsonl").splitlines():
            value = parsed(line, "metrics.jsonl", str(run))
            check_shape(value, NUMBERS, str(run))
            value = value.get("val_loss", value.get("loss"))
            found.append(float("nan") if value is None else float(value))
    return found


def details_text(facts: Mapping[str, Any], run: Path) -> str:
    """`details` for a reader."""
    if "members" in facts:
        return "\n".join([f"{facts['name']}: {facts['status']}", *group_lines(facts)])
    lines = [str(run), headline(facts)]
    if facts["curve"]:
        lines.append(f"val_loss {sparkline(facts['curve'])}")
    if facts["status"] == "done":
        lines += result_lines(facts)
    else:
        said = [facts["error"]] if facts.get("error") else []
        best = [f"best: {_best(facts['best'])}"] if isinstance(facts.get("best"), dict) else []
        lines.append(": ".join([facts["status"], *said]))
        lines += best
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


def comparison(a: Path, b: Path) -> dict[str, Any]:
    """Metrics of both runs, and the settings that differ, as pairs."""
    facts = [read_facts(run) for run in (a, b)]
    names = list(dict.fromkeys(n for f in facts for n in f.get("metrics", {})))
    metrics = {n: [f.get("metrics", {}).get(n) for f in facts] for n in names}
    mine, theirs = (
        read_settings(kind_of_run(f), run) for f, run in zip(facts, (a, b), strict=True)
    )
    differing = differences(mine, theirs)
    return {"runs": [str(a), str(b)], "metrics": metrics,
            "settings": {".".join(k): list(pair) for k, pair in differing.items()}}  # fmt: skip


# -------------------------------------------------------------------------------- removing


def removable(run: Path) -> None:
    """StateError for what is no run folder, and for one that is being written."""
    if run not in run_folders(run.parent):
        raise StateError(f"{run} is not a run folder", help="nothing was removed")
    for place in (run, *run_folders(run)):
        if is_written(place):
            raise StateError(
                "the run is running", where=str(place), help="end it first: Ctrl-C saves it"
            )


def remove_run(run: Path) -> None:
    """Removes a run folder with all that is in it."""
    removable(run)
    try:
        shutil.rmtree(run)
    except OSError as error:
        raise StateError(
            f"the run cannot be removed: {error.strerror or error}", where=str(run),
            help="check who owns the folder",
        ) from None  # fmt: skip
