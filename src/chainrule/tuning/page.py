"""The page of a search, in one file: what mattered, how it went, where the good settings lie."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from ..markup import EMPTY, Markup, element
from ..phrasing import counted, format_number
from ..report.page import document
from ..report.parts import data_table, figure, paragraph, section
from ..report.plot import Series, bars, curves, parallel, points
from .listeners import settings_text
from .result import Tuned
from .suggesting import Trial

__all__ = ["tuning_page"]

#: settings whose slices are shown, the most important first
SLICES = 8


def tuning_page(tuned: Tuned) -> str:
    """All of it as HTML."""
    title = f"Tuning of {tuned.name}"
    head = element(
        "header",
        element("p", "Tuning", class_="eyebrow"),
        element("h1", title),
        paragraph(_lede(tuned), "lede"),
    )
    parts = (
        head, _best(tuned), _history(tuned), _importance(tuned), _parallel(tuned), _slices(tuned),
        _trials(tuned), _next(tuned),
    )  # fmt: skip
    return document(title, parts)


def _lede(tuned: Tuned) -> str:
    counts = [
        f"{sum(t.state == state for t in tuned.trials)} {words}"
        for state, words in (("complete", "came to an end"), ("pruned", "were cut short"),
                             ("failed", "failed"))
        if any(t.state == state for t in tuned.trials)
    ]  # fmt: skip
    trials = counted(len(tuned.trials), "trial")
    if tuned.best is None:
        return f"{trials}: none came to an end."
    first, value = tuned.trials[0].value, tuned.best_value
    words = f"{trials}, of which {', '.join(counts)}."
    if tuned.best.index == 0:
        return f"{words} None was better than the settings as they were."
    return (
        f"{words} The best, trial {tuned.best.index + 1}, took {tuned.objective} from "
        f"{format_number(first)} to {format_number(value)}."
    )


def _best(tuned: Tuned) -> Markup:
    if tuned.best is None:
        return EMPTY
    rows = [[key, _text(tuned.usual[key]), _text(value)] for key, value in tuned.changes.items()]
    words = "The settings that were varied: before, and in the best trial"
    parts = [data_table(words, ["setting", "before", "best"], rows)]
    if tuned.predictor is not None:
        metrics = [[name, format_number(value)] for name, value in
                   tuned.predictor.metrics.items()]  # fmt: skip
        parts.append(element("h3", "On the test part"))
        parts.append(
            paragraph("The run of the best settings looked at it once; no trial has seen it.")
        )
        parts.append(
            data_table("Metrics on the test part", ["metric", "value"], metrics, numbers=(1,))
        )
    return section("Best settings", parts)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return format_number(value) if isinstance(value, float) else str(value)


def _told(tuned: Tuned) -> list[Trial]:
    return [t for t in tuned.trials if math.isfinite(t.value)]


def _history(tuned: Tuned) -> Markup:
    known = {t.index: t.value for t in _told(tuned)}
    if not known:
        return EMPTY
    numbers = range(1, len(tuned.trials) + 1)
    choose = max if tuned.rises else min
    sofar: list[float | None] = []
    for t in tuned.trials:
        values = [v for v in (sofar[-1] if sofar else None,
                              t.value if t.state == "complete" and t.index in known else None)
                  if v is not None]  # fmt: skip
        sofar.append(choose(values) if values else None)
    series = [
        Series("best", sofar),
        Series("trial", [known.get(i) for i in range(len(tuned.trials))], "second"),
    ]
    words = "The best value of each trial, and the best so far."
    drawing = curves("history", "History", words, list(numbers), series, below="trial")
    return section("History", [figure(tuned.objective, words, drawing)])


def _importance(tuned: Tuned) -> Markup:
    importance = tuned.importance
    if not importance.shares:
        return section("Importance", [paragraph(importance.words)])
    words = (
        f"The share of each setting in the differences between trials that came to an end "
        f"({importance.method}). With so few trials, take it as a hint."
    )
    drawing = bars("importance", "Importance", words, list(importance.shares.items()))
    return section("Importance", [figure("Importance", words, drawing)])


def _axes(tuned: Tuned) -> list[str]:
    """The parameters, the most important first."""
    names = dict.fromkeys([*tuned.importance.shares, *(n for t in tuned.trials for n in t.chosen)])
    return list(names)


def _place(tuned: Tuned, name: str) -> dict[object, float]:
    """Where each value of a parameter lies between its smallest and its largest, 0 to 1: numbers
    that span much by their logarithm, words by their order."""
    values = list(dict.fromkeys(t.chosen[name] for t in tuned.trials if name in t.chosen))
    if not _numeric(values):
        return {v: i / max(len(values) - 1, 1) for i, v in enumerate(values)}
    scaled = [math.log(v) for v in values] if _wide(values) else [float(v) for v in values]
    low, high = min(scaled), max(scaled)
    return {v: (s - low) / (high - low) if high > low else 0.5
            for v, s in zip(values, scaled, strict=True)}  # fmt: skip


def _numeric(values: Sequence[object]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) >= 30


def _parallel(tuned: Tuned) -> Markup:
    names = _axes(tuned)
    whole = [t for t in _told(tuned) if all(name in t.chosen for name in names)]
    if len(whole) < 2:
        return EMPTY
    places = {name: _place(tuned, name) for name in names}
    values = [t.value for t in whole]
    low, high = min(values), max(values)
    lines = []
    for t in whole:
        end = (t.value - low) / (high - low) if high > low else 0.5
        path = [*(places[name][t.chosen[name]] for name in names), end]
        lines.append((path, _said(tuned, t)))
    best = next((i for i, t in enumerate(whole) if t is tuned.best), None)
    heads = [*(name.rpartition(".")[2] for name in names), tuned.objective]
    words = "A line for each trial, from low to high on each axis; the best one is drawn strongly."
    drawing = parallel("parallel", "All settings at once", words, heads, lines, best)
    return section("All settings at once", [figure("Trials", words, drawing)])


def _said(tuned: Tuned, trial: Trial) -> str:
    words = settings_text(trial.chosen)
    return f"trial {trial.index + 1}: {tuned.objective} {format_number(trial.value)}; {words}"


def _slices(tuned: Tuned) -> Markup:
    figures = []
    for name in _axes(tuned)[:SLICES]:
        trials = [t for t in _told(tuned) if name in t.chosen]
        if len(trials) < 2:
            continue
        values = [t.chosen[name] for t in trials]
        names = [] if _numeric(values) else list(dict.fromkeys(map(str, values)))
        data = [
            (names.index(str(v)) if names else v, t.value, _said(tuned, t))
            for v, t in zip(values, trials, strict=True)
        ]
        best = next((i for i, t in enumerate(trials) if t is tuned.best), None)
        words = "Each dot is a trial; the ring is the best one."
        log = not names and _wide(values)
        key = f"slice-{name.replace('.', '-')}"
        drawing = points(key, name, words, data, (name, tuned.objective), log=log, best=best,
                         names=names)  # fmt: skip
        figures.append(figure(name, "", drawing))
    return section("One setting at a time", figures)


def _trials(tuned: Tuned) -> Markup:
    names = _axes(tuned)
    rows = [
        [str(t.index + 1), t.state, format_number(t.value), str(len(t.values)),
         settings_text({n: t.chosen[n] for n in names if n in t.chosen}) + (t.error and
                                                                           f" ({t.error})")]
        for t in tuned.trials
    ]  # fmt: skip
    heads = ["trial", "state", tuned.objective, "epochs", "settings"]
    return section("Trials", [data_table("All trials", heads, rows, numbers=(0, 2, 3), long=(4,))])


def _next(tuned: Tuned) -> Markup:
    commands = {"Train the best settings again": ["chainrule", "train", f"{tuned.run}/best.toml"]}
    if tuned.predictor is not None and tuned.predictor.run is not None:
        run = str(tuned.predictor.run)
        commands = {
            "Predict with the best run": ["chainrule", "predict", run, "DATA", "-o", "out.csv"],
            "Read its report": ["chainrule", "report", run],
            **commands,
        }
    parts = []
    for what, words in commands.items():
        parts += [element("h3", what), element("pre", shlex.join(words))]
    return section("Next steps", parts if tuned.best is not None else [])
