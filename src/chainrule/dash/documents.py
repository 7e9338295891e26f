"""What pages show, as JSON: in the words that runs and their reports use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams

from ..errors import ConfigError, StateError
from ..report import group_facts, report_facts, result_fragments
from ..runs.folder import json_text
from ..runs.settings.toml import value_text
from .heat import MEASURES
from .watching import WatchedRun

__all__ = ["RUN_DOCUMENTS", "compared", "overview", "summary"]

Document = dict[str, Any]

#: cells of a comparison
MOST_RUNS = 50


def overview(watched: WatchedRun) -> Document:
    """All that a report says of a run, but for the course of its numbers, which is followed; of a
    group, what its report says."""
    if watched.group:
        return {"group": True, "id": watched.run, **group_facts(watched.folder)}
    facts = report_facts(watched.folder, running=watched.running, epochs=watched.rows())
    del facts["history"]
    return {"group": False, "id": watched.run, **facts}


def _results(watched: WatchedRun, query: QueryParams) -> Document:
    """The results as HTML, which a report shows too."""
    if watched.group:
        raise StateError(
            f"{watched.run} is a group of runs", help="ask for one of the runs in the group"
        )
    facts = report_facts(watched.folder, running=watched.running, epochs=watched.rows())
    return {"id": watched.run, **result_fragments(facts)}


def summary(run: Mapping[str, Any]) -> Document:
    """A line of the list."""
    return {key: value for key, value in run.items() if key not in ("settings", "written")}


def compared(listed: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Document:
    """Runs side by side: only the settings that differ, as TOML, and all metrics."""
    known = {run["id"]: run for run in listed}
    runs = [known[name] for name in dict.fromkeys(names) if name in known][:MOST_RUNS]
    texts = [{key: _setting(value) for key, value in run["settings"].items()} for run in runs]
    keys = dict.fromkeys(itertools.chain.from_iterable(texts))
    rows = {key: [side.get(key, "") for side in texts] for key in keys}
    metrics = dict.fromkeys(itertools.chain.from_iterable(run["metrics"] for run in runs))
    return {
        "runs": [summary(run) for run in runs],
        "settings": {key: row for key, row in rows.items() if len(set(row)) > 1},
        "same": sum(len(set(row)) == 1 for row in rows.values()),
        "metrics": {name: [run["metrics"].get(name) for run in runs] for name in metrics},
    }


def _setting(value: object) -> str:
    """As TOML; what that cannot say, as JSON: a number that was not finite is null in files."""
    try:
        return value_text(value)
    except TypeError:
        return json_text(value)


def _curves(watched: WatchedRun, query: QueryParams) -> Document:
    with watched.lock:
        return {"id": watched.run, "width": watched.curves.width, **watched.curves.points()}


def _window(watched: WatchedRun, query: QueryParams) -> Document:
    """``first`` and ``last`` are epochs."""
    first, last = (_epoch(query, name) for name in ("first", "last"))
    if first > last:
        raise ConfigError(f"the window ends before it begins: {first} to {last}")
    return {"id": watched.run, **watched.window(first, last)}


def _epoch(query: QueryParams, name: str) -> int:
    value = query.get(name, "")
    if not re.fullmatch(r"\d{1,15}", value, re.ASCII):
        raise ConfigError(f"{name} is no epoch: {value!r}", help="pass whole numbers from 0 up")
    return int(value)


def _layers(watched: WatchedRun, query: QueryParams) -> Document:
    measures = query.getlist("measure") or ["gradient", "ratio"]
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown:
        raise ConfigError(
            f"there is no measure {unknown[0]!r}", help=f"there are {', '.join(MEASURES)}"
        )
    return watched.layers(measures)


def _histograms(watched: WatchedRun, query: QueryParams) -> Document:
    return watched.histograms(query.get("layer", ""))


#: what can be asked of a run, ``GET /api/runs/{run}/{name}?...``: a function of the followed run,
#: which knows its ``folder``, and of the query. Errors of Chainrule are shown in their words.
RUN_DOCUMENTS: Mapping[str, Callable[[WatchedRun, QueryParams], Document]] = {
    "overview": lambda watched, query: overview(watched),
    "results": _results,
    "curves": _curves,
    "window": _window,
    "layers": _layers,
    "histograms": _histograms,
}
