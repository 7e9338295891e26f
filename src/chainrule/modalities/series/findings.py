"""What is noticed in series: gaps, short ones, constant ones. Nothing here changes a number."""

from __future__ import annotations

import numpy as np

from ...data import Finding
from ...data.series import Cutoffs, Panel
from ...phrasing import counted, listed
from .preprocessor import SeriesPreprocessor

__all__ = ["data_findings"]

NAMED = 6


def data_findings(
    panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs
) -> list[Finding]:
    """The findings of prepared series, most telling first."""
    checks = (_gaps, _short, _late, _ended, _constant, _covariates)
    return [f for check in checks if (f := check(panel, preprocessor, cutoffs)) is not None]


def _named(panel: Panel, chosen: list[int]) -> str:
    return listed([panel.names[s] or "the series" for s in chosen], most=NAMED)


def _gaps(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    unknown, worst = 0, (0, 0)
    for s in range(len(panel.names)):
        values = panel.of(s)[:, 0]
        known = np.flatnonzero(np.isfinite(values))
        missing = int(np.isnan(values[: known[-1] + 1]).sum())
        unknown += missing
        worst = max(worst, (missing, s))
    if not unknown:
        return None
    first = int(np.flatnonzero(np.isnan(panel.of(worst[1])[:, 0]))[0]) + int(panel.first[worst[1]])
    where = f" in {panel.names[worst[1]]}" if panel.names[worst[1]] else ""
    evidence = (
        f"{unknown} of {int(panel.lengths.sum())} steps ({panel.frequency.name}); the first"
        f"{where} at {panel.stamp(first)}"
    )
    advice = "they repeat the last known value as inputs, and count in no loss and no metric"
    severity = "warning" if unknown > 0.2 * panel.lengths.sum() else "info"
    return Finding("D403", severity, "steps without a value", evidence, advice)  # type: ignore[arg-type]


def _short(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    needed = preprocessor.window + preprocessor.horizon
    inside = np.minimum(panel.last + 1, cutoffs.validation) - panel.first
    short = [int(s) for s in np.flatnonzero((inside < needed) & (inside > 1))]
    if not short:
        return None
    evidence = (
        f"{counted(len(short), 'series', 'series')} of {len(panel.names)} have fewer than {needed} "
        f"steps for training (window {preprocessor.window}, horizon {preprocessor.horizon}): "
        f"{_named(panel, short)}"
    )
    advice = "windows reach beyond their start, where the first value is repeated; --window N"
    return Finding("D404", "info", "series shorter than a window", evidence, advice)


def _ended(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    ended = [int(s) for s in np.flatnonzero(panel.last < cutoffs.test + preprocessor.horizon - 1)]
    if not ended:
        return None
    evidence = f"{len(ended)} of {len(panel.names)}: {_named(panel, ended)}"
    text = f"series that end before forecasts from {panel.stamp(cutoffs.test)} can be tested"
    return Finding("D405", "info", text, evidence, "they are trained on, but no metric counts them")


def _constant(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    begun = panel.first < cutoffs.validation - 1
    same = [int(s) for s in np.flatnonzero(begun & (preprocessor.scaling.error == 0))]
    if not same:
        return None
    evidence = f"{len(same)} of {len(panel.names)} in the training part: {_named(panel, same)}"
    advice = "their scaled error (MASE) means nothing, and is left out"
    return Finding("D406", "info", "series that only repeat themselves", evidence, advice)


def _late(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    late = [int(s) for s in np.flatnonzero(panel.first >= cutoffs.validation - 1)]
    if not late:
        return None
    evidence = f"{len(late)} of {len(panel.names)}: {_named(panel, late)}"
    advice = "they are scaled by their first value, and their scaled error (MASE) is left out"
    return Finding("D410", "info", "series that begin after the training part", evidence, advice)


def _covariates(panel: Panel, preprocessor: SeriesPreprocessor, cutoffs: Cutoffs) -> Finding | None:
    names = (*preprocessor.past, *preprocessor.known)
    missing = np.isnan(panel.values[:, 1:]).sum(axis=0)
    gaps = [f"`{n}` {int(m)}" for n, m in zip(names, missing, strict=True) if m]
    if not gaps:
        return None
    advice = "they repeat the last known value, or the mean if there is none"
    return Finding("D407", "info", "columns with missing values", ", ".join(gaps[:12]), advice)
