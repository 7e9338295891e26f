"""What the data sections of examples that are files share: a separate test part, bad files."""

from __future__ import annotations

from typing import ClassVar

from ...errors import ConfigError
from .sections import DataSettings

__all__ = ["FileDataSettings"]


class FileDataSettings(DataSettings):
    """Examples that are files in a folder for each class, or are listed in a table.

    Each kind of data has a dataclass with these fields and more; ``UNITS`` are its examples.
    """

    UNITS: ClassVar[str] = "examples"
    PATHS: ClassVar[tuple[str, ...]] = ("path", "test")

    #: where separate examples to test on are; "" for a part of the others
    test: str
    #: the share of files that may be unreadable
    most_bad: float

    def check(self) -> None:
        super().check()
        if self.fold and self.test:
            raise ConfigError(
                f"folds cannot be combined with separate test {self.UNITS} (`data.test`)",
                help="leave out the folds (--seeds repeats a training) or data.test",
            )

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of the three parts: ``split``, less its test part if that is separate."""
        train, validation, _ = self.split
        if not self.test:
            return self.split
        held = validation / (train + validation)
        return 1 - held, held, 0.0

    def training_rows(self, rows: int) -> int:
        return max(1, round(rows * self.shares[0])) if self.test else super().training_rows(rows)
