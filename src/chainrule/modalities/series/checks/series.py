"""Checks of series: how they lie in time, and whether their values are ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....runs.checks.result import Check, check, select_findings
from ..prepare import PreparedSeries

if TYPE_CHECKING:
    from ....runs.dry_run import PreparedRun

__all__ = ["axis_and_parts", "ordinary_values"]

#: a change so many times the mean seasonal one is looked at
LEAP = 20.0


def axis_and_parts(run: PreparedRun[Any]) -> Check:
    """Frequency, span, and where training, validation and test begin."""
    prepared = run.prepared
    assert isinstance(prepared, PreparedSeries)
    panel, data = prepared.opened.panel, prepared.settings.data
    begins = [panel.stamp(int(part.step.min())) for part in prepared.parts]
    evidence = (
        f"{len(panel.names)} series, {panel.frequency.name}, {panel.stamp(0)} to "
        f"{panel.stamp(len(panel.axis) - 1)}; forecasts of {data.horizon} steps from windows of "
        f"{data.window}; trained from {begins[0]}, validated from {begins[1]}, tested from "
        f"{begins[2]}"
    )
    findings = select_findings(prepared.findings, "D403", "D404", "D405", "D407")
    warned = any(f.severity == "warning" for f in prepared.findings if f.code == "D403")
    facts = {"series": len(panel.names), "steps": len(panel.axis), "season": data.season}
    return check("series", "warning" if warned else "ok", evidence, findings=findings, facts=facts)


def ordinary_values(run: PreparedRun[Any]) -> Check:
    """Whether single values leap away from their neighbours, as typing errors and zeros for
    "unknown" do; the training part alone is looked at."""
    prepared = run.prepared
    assert isinstance(prepared, PreparedSeries)
    panel, preprocessor = prepared.opened.panel, prepared.preprocessor
    stop = int(prepared.parts[1].step.min())
    leaps = []
    for s in range(len(panel.names)):
        inside = max(0, stop - int(panel.first[s]))
        scaled = preprocessor.scaling.apply(panel.of(s)[:inside, 0], s)
        there, back = np.abs(scaled[1:-1] - scaled[:-2]), np.abs(scaled[2:] - scaled[1:-1])
        size = np.minimum(there, back)
        leaps += [(float(size[i]), s, int(panel.first[s]) + i + 1)
                  for i in np.flatnonzero(size > LEAP)]  # fmt: skip
    if not leaps:
        return check("values", "ok", "no value leaps away from both of its neighbours")
    _, s, step = max(leaps)
    of = f" of {panel.names[s]}" if panel.names[s] else ""
    evidence = (
        f"{len(leaps)} values leap away from both neighbours by more than {LEAP:g} seasonal "
        f"changes; the farthest{of} at {panel.stamp(int(step))}"
    )
    advice = ["leave such cells empty if they stand for an unknown value"]
    return check("values", "warning", evidence, advice, facts={"leaps": len(leaps)})
