"""Tables that come with the package, so that the first run needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.data.tables.table import Cell, column_hint
from chainrule.data.tables.target import Task
from chainrule.errors import DataError

__all__ = ["BUNDLED", "Bundled", "bundled", "resolve_source"]

FOLDER = Path(__file__).parent.parent / "bundled"


@dataclass(frozen=True)
class Bundled:
    """A table and what one must know to learn from it; its source is in ``NOTICE.md``."""

    name: str
    target: str
    task: Task
    about: str
    missing: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.csv"


BUNDLED: dict[str, Bundled] = {
    b.name: b
    for b in (
        Bundled(
            "heart",
            target="disease",
            task="binary",
            about="heart disease in 918 patients from four hospitals (UCI)",
            missing={"chol": (0,)},
        ),
        Bundled(
            "breast_cancer",
            target="diagnosis",
            task="binary",
            about="569 breast tumours, 30 measurements of cell nuclei (UCI)",
        ),
        Bundled(
            "diabetes",
            target="progression",
            task="regression",
            about="progression of diabetes in 442 patients over a year (Efron et al.)",
        ),
    )
}


def bundled(name: str) -> Bundled:
    """The bundled table ``name``; DataError with the nearest name when there is none."""
    if name not in BUNDLED:
        raise DataError(
            f"no bundled table named `{name}`",
            help=column_hint(name, list(BUNDLED)).replace("the columns are", "there are"),
        )
    return BUNDLED[name]


def resolve_source(source: str | os.PathLike[str]) -> Path | Bundled:
    """What a word on the command line means: a file of that name, else a bundled table.

    A path that is neither is returned as it is; reading it then tells what is wrong.
    """
    path = Path(source)
    if str(source) in BUNDLED and not path.is_file():
        return BUNDLED[str(source)]
    return path
