"""Durations, as people read them."""

from __future__ import annotations

import re

__all__ = ["clock", "duration", "interval", "rough_duration", "steps_counted"]


def interval(text: str) -> float | None:
    """The seconds of ``"30s"``, ``"1.5m"``, ``"1h"``; None for anything else."""
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text)
    return float(parts[1]) * {"s": 1, "m": 60, "h": 3600}[parts[2]] if parts else None


def steps_counted(text: str) -> int | None:
    """The number in ``"100 steps"``; None for anything else."""
    counted = re.fullmatch(r"(\d+) steps?", text)
    return int(counted[1]) if counted else None


def clock(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``; below ten seconds ``3.2 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    hours, minutes, rest = _split(seconds)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """``0.1 s``, ``12 min 30 s``, ``1 h 2 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    hours, minutes, rest = _split(seconds)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def rough_duration(seconds: float) -> str:
    """Two digits in the largest unit that fits: ``2.1 ms``, ``1.4 s``, ``3 min``, ``2.5 h``."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{_two_digits(seconds / size)} {unit}"
    return f"{_two_digits(seconds * 1e6)} us"


def _two_digits(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _split(seconds: float) -> tuple[int, int, int]:
    """Hours, minutes and whole seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return hours, minutes, rest
