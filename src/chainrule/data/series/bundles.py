"""Series that come with the package; their sources are in ``bundled/NOTICE.md``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BUNDLED_SERIES", "BundledSeries", "bundled_series"]

FOLDER = Path(__file__).parent.parent / "bundled"


@dataclass(frozen=True)
class BundledSeries:
    """A table of series, and what its columns are."""

    name: str
    file: str
    time: str
    group: tuple[str, ...]
    target: str
    about: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file


BUNDLED_SERIES: dict[str, BundledSeries] = {
    b.name: b
    for b in (
        BundledSeries(
            "macrodata", "macrodata.csv", "quarter", ("indicator",), "value",
            "12 indicators of the economy of the United States, quarterly, 1959 to 2009",
        ),
        BundledSeries(
            "stocks", "stocks.csv.gz", "Date", ("Ticker",), "Adj Close",
            "5 stocks on each trading day, 2000 to 2013",
        ),
    )
}  # fmt: skip


def bundled_series(source: object) -> BundledSeries | None:
    """The bundled series that a word means; None for anything else, and for a file of that name."""
    if not isinstance(source, str | os.PathLike) or Path(source).is_file():
        return None
    return BUNDLED_SERIES.get(str(source))
