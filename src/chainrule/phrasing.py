"""Numbers, sizes and names in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .unverified import number, text, whole

__all__ = ["byte_size", "confidence_interval", "counted", "format_number", "listed", "percent",
           "plain_number", "quoted"]  # fmt: skip

Z95 = 1.959963984540054  # 97.5% of a normal distribution lies below it


def format_number(value: object) -> str:
    """Four significant digits, typeset; a dash for what is not a number."""
    known = number(value)
    if known is None:
        return "\N{EN DASH}"
    digits = f"{known:,.0f}" if 1e4 <= abs(known) < 1e15 else f"{known:.4g}"
    return digits.replace("-", "\N{MINUS SIGN}")


def plain_number(value: object) -> str:
    """Four significant digits in ASCII; a hyphen for what is not a number, and for NaN."""
    known = value if isinstance(value, int | float) else math.nan
    return "-" if math.isnan(known) else f"{known:.4g}"


def byte_size(count: int) -> str:
    """``1.4 MB``: powers of a thousand."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def counted(value: object, noun: str, plural: str = "") -> str:
    """``1 row``, ``1,234 rows``."""
    count = whole(value)
    if count is None:
        return f"an unknown number of {plural or noun + 's'}"
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """``81.2%``."""
    return f"{100 * share:.1f}%"


def quoted(name: object) -> str:
    """A name from the data, in quotation marks."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{text(name)}\N{RIGHT DOUBLE QUOTATION MARK}"


def listed(words: Sequence[str], last: str = "and", most: int = 6) -> str:
    """``a, b and c``; of many, only the first few."""
    if len(words) > most:
        return f"{', '.join(words[:most])} {last} {len(words) - most} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def confidence_interval(share: float, rows: int) -> tuple[float, float]:
    """The 95% confidence interval of a share counted on ``rows`` rows (Wilson 1927)."""
    z = Z95**2 / rows
    middle = (share + z / 2) / (1 + z)
    half = Z95 * math.sqrt(share * (1 - share) / rows + z / (4 * rows)) / (1 + z)
    return max(0.0, middle - half), min(1.0, middle + half)
