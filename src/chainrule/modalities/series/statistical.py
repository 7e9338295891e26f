"""Forecasts of a statistical method beside those of the network, if its library is there."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.series import Encoded, Origins

__all__ = ["STATISTICAL", "statistical_forecasts"]

#: the class of statsforecast that is used
STATISTICAL = "AutoETS"
#: beyond so many series, or steps of one, it would take longer than the training
MOST_SERIES, MOST_STEPS = 50, 5000

Floats = npt.NDArray[np.float64]


def statistical_forecasts(
    encoded: Encoded, origins: Origins, season: int, stop: int
) -> dict[str, Floats]:
    """The forecasts [rows, horizon] by the name of the method; none if it is not installed, or
    takes too long.

    It is fitted once for each series, to the steps before ``stop``, and is then given all that is
    known at each origin, as the network is. A series that it cannot be fitted to has NaN.
    """
    series = np.unique(origins.series)
    longest = int((origins.step - encoded.first[origins.series]).max(initial=0))
    if len(series) > MOST_SERIES or longest > MOST_STEPS:
        return {}
    if importlib.util.find_spec("statsforecast") is None:
        return {}
    method: Any = getattr(importlib.import_module("statsforecast.models"), STATISTICAL)
    forecasts = np.full((len(origins), encoded.horizon), np.nan)
    for s in series.tolist():
        begin = int(encoded.begin[s])
        trained = stop - int(encoded.first[s])
        if trained <= 2 * season + encoded.horizon:
            continue
        fitted = method(season_length=season).fit(encoded.levels[begin : begin + trained])
        for row in np.flatnonzero(origins.series == s).tolist():
            known = encoded.levels[begin : begin + int(origins.step[row] - encoded.first[s])]
            forecasts[row] = fitted.forward(known, h=encoded.horizon)["mean"]
    return {STATISTICAL: forecasts}
