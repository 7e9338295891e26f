"""The drawing of a search for a learning rate."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.errors import ConfigError
from chainrule.train import RateSearch
from chainrule.train.diagnosis.ratesketch import sketch_rates


def search(smoothed: list[float], suggestion: float | None) -> RateSearch:
    rates = np.logspace(-4, 0, len(smoothed))
    values = np.array(smoothed)
    return RateSearch(rates, values, values, None, None, suggestion, "")


def test_the_loss_over_the_logarithm_of_the_rate() -> None:
    falling = [3.0, 3.0, 2.5, 2.0, 1.5, 1.0, 1.0, 2.0, 2.5, 3.0, 3.0]
    assert sketch_rates(search(falling, 1e-2), width=11, height=5) == (
        "loss\n"
        "   3 |**   |   **\n"
        "     |  *  |  *\n"
        "     |   * | *\n"
        "     |    *|\n"
        "   1 |     **\n"
        "     +-----------\n"
        "      0.0001 lr 1"
    )


def test_curves_that_suggest_nothing() -> None:
    assert "|" not in sketch_rates(search([1.0] * 12, None)).splitlines()[1][6:]
    assert sketch_rates(search([], None)) == "no loss was finite"
    assert "*" in sketch_rates(search([2.0], None))
    with pytest.raises(ConfigError, match="cannot draw in 3 by 10 characters"):
        sketch_rates(search([1.0] * 12, None), width=3)
