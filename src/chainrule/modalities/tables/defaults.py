"""Defaults of the network for tables that depend on the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ...data import Task

__all__ = ["REALMLP_LR", "bins_for", "dropout_for", "layers_for", "numbers_for"]

#: with fewer training rows, or fewer for each column, intervals do more harm than good; a number
#: tells more than a class
PIECEWISE_ROWS: Mapping[Task, int] = {"binary": 1_000, "multiclass": 1_000, "regression": 600}
ROWS_OF_COLUMN = 16
MOST_BINS, ROWS_OF_BIN = 96, 20
MOST_INPUTS, LEAST_OF_MANY = 320, 8
#: Holzmüller et al. 2024
REALMLP_LR: Mapping[Task, float] = {"binary": 0.04, "multiclass": 0.04, "regression": 0.2}


def layers_for(rows: int, network: str = "mlp") -> tuple[int, ...]:
    """Two hidden layers, wider for larger tables; members that share them need more units."""
    small = (128, 128) if network == "tabm" else (64, 64)
    return small if rows < 10_000 else (128, 128) if rows < 100_000 else (256, 256)


def dropout_for(rows: int, task: Task, network: str = "mlp") -> float:
    """Half of the units when classifying small tables, less for larger ones.

    A regression drops at most a fifth: its noise is often small, and dropout adds to it. Members
    that share their weights keep one another from overfitting, and need little of it.
    """
    if rows >= 20_000 or (network == "tabm" and rows >= PIECEWISE_ROWS[task]):
        return 0.1
    return 0.2 if rows >= 2_000 or task == "regression" else 0.5


def numbers_for(rows: int, columns: int, task: Task) -> Literal["plain", "piecewise"]:
    """By intervals where there are rows enough to learn a slope for each."""
    enough = rows >= max(PIECEWISE_ROWS[task], ROWS_OF_COLUMN * columns)
    return "piecewise" if enough else "plain"


def bins_for(rows: int, columns: int) -> int:
    """As many intervals of a number as have some rows each, from 4 to 96; fewer than that for many
    ``columns``, which give the first layer inputs enough."""
    most = min(MOST_BINS, max(LEAST_OF_MANY, MOST_INPUTS // max(columns, 1)))
    return min(most, max(4, rows // ROWS_OF_BIN))
