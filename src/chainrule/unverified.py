"""Values from files of which nothing is known: taken for what they should be, or for nothing.

Nothing here raises: half a run is worth a report, and a damaged one can be listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["LARGEST", "items", "number", "table", "text", "whole"]

LARGEST = 1e150  # differences and squares of what is drawn are still numbers


def table(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A JSON list, or an empty one."""
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    """A number that can be drawn, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= LARGEST else None


def whole(value: object) -> int | None:
    """A count, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: object) -> str:
    """A text; other simple values as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, dict | list) else str(value)
