"""Defaults of the network for tables that depend on the data."""

from __future__ import annotations

from ...data import Task

__all__ = ["dropout_for", "layers_for"]


def layers_for(rows: int) -> tuple[int, ...]:
    """Two hidden layers, wider for larger tables."""
    return (64, 64) if rows < 10_000 else (128, 128) if rows < 100_000 else (256, 256)


def dropout_for(rows: int, task: Task) -> float:
    """Half of the units when classifying small tables, less for larger ones.

    A regression drops at most a fifth: its noise is often small, and dropout adds to it.
    """
    if rows >= 20_000:
        return 0.1
    return 0.2 if rows >= 2_000 or task == "regression" else 0.5
