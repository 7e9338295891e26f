"""What tuning varies: a dimension for each setting, declared by kinds of data as values.

    {("train", "lr"): Times(1 / 8, 8), ("model", "layers"): Stack(Number(1, 4), Number(16, 256))}

A dimension has parameters, one or two, by a suffix of its key: what a search chooses. `value` makes
the setting of them, `parameters_of` is the way back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .settings.sources import Key

__all__ = ["Choices", "Dimension", "Interval", "Number", "OneOf", "Parameter", "Space", "Stack",
           "Times", "between"]  # fmt: skip

#: digits of a number that a search suggests: more would only be noise in a ``run.toml``
DIGITS = 4


@dataclass(frozen=True)
class Number:
    """From ``low`` to ``high``, evenly or by its logarithm; a whole number if both are."""

    low: float
    high: float
    log: bool = False
    #: between one whole number and the next that is tried
    step: int = 1

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: object) -> bool:
        """Whether a search may choose ``value``."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:  # type: ignore[operator]
            return False
        return not self.whole or (value - self.low) % self.step == 0  # type: ignore[operator]

    def rounded(self, value: Any) -> Any:
        """``value`` in few digits."""
        if self.whole:
            return int(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def to_document(self) -> dict[str, Any]:
        more = {"log": True} if self.log else {"step": self.step} if self.step > 1 else {}
        return {"low": self.low, "high": self.high, **more}


@dataclass(frozen=True)
class Choices:
    """One of some values."""

    values: tuple[Any, ...]

    def holds(self, value: object) -> bool:
        return value in self.values

    def rounded(self, value: Any) -> Any:
        return value

    def to_document(self) -> dict[str, Any]:
        return {"choices": list(self.values)}


Parameter: TypeAlias = Number | Choices


class Dimension(ABC):
    """The values of one setting that a search tries."""

    @abstractmethod
    def parameters(self) -> Mapping[str, Parameter]:
        """What is chosen, by the suffix of its name."""

    @abstractmethod
    def value(self, chosen: Mapping[str, Any]) -> Any:
        """The setting that chosen parameters make."""

    @abstractmethod
    def parameters_of(self, value: Any) -> dict[str, Any] | None:
        """The inverse of `value`; None for a setting that is not in here."""

    @abstractmethod
    def extremes(self) -> Sequence[Any]:
        """Settings that are valid only if all are."""

    @abstractmethod
    def to_document(self) -> dict[str, Any]:
        """As a table of TOML."""


@dataclass(frozen=True)
class Interval(Dimension):
    """A number."""

    number: Number

    def parameters(self) -> Mapping[str, Parameter]:
        return {"": self.number}

    def value(self, chosen: Mapping[str, Any]) -> Any:
        return self.number.rounded(chosen[""])

    def parameters_of(self, value: Any) -> dict[str, Any] | None:
        return {"": value} if self.number.holds(value) else None

    def extremes(self) -> Sequence[Any]:
        return (self.number.low, self.number.high)

    def to_document(self) -> dict[str, Any]:
        return self.number.to_document()


@dataclass(frozen=True, init=False)
class OneOf(Dimension):
    """One of some settings."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        own = tuple(tuple(v) if isinstance(v, list) else v for v in values)
        object.__setattr__(self, "values", own)

    @property
    def plain(self) -> bool:
        """Whether the values are words and numbers."""
        return not any(isinstance(v, tuple) for v in self.values)

    def parameters(self) -> Mapping[str, Parameter]:
        return {"": Choices(self.values if self.plain else tuple(map(str, self.values)))}

    def value(self, chosen: Mapping[str, Any]) -> Any:
        return self.values[self.parameters()[""].values.index(chosen[""])]  # type: ignore[union-attr]

    def parameters_of(self, value: Any) -> dict[str, Any] | None:
        value = tuple(value) if isinstance(value, list) else value
        if value not in self.values:
            return None
        return {"": value if self.plain else str(value)}

    def extremes(self) -> Sequence[Any]:
        return self.values

    def to_document(self) -> dict[str, Any]:
        return {"choices": [list(v) if isinstance(v, tuple) else v for v in self.values]}


@dataclass(frozen=True)
class Stack(Dimension):
    """A list of ``depth`` equal numbers, each the ``width``."""

    depth: Number
    width: Number

    def parameters(self) -> Mapping[str, Parameter]:
        return {".depth": self.depth, ".width": self.width}

    def value(self, chosen: Mapping[str, Any]) -> Any:
        return (self.width.rounded(chosen[".width"]),) * int(chosen[".depth"])

    def parameters_of(self, value: Any) -> dict[str, Any] | None:
        if not isinstance(value, list | tuple) or len(set(value)) != 1:
            return None
        parts = {".depth": len(value), ".width": value[0]}
        inside = self.depth.holds(len(value)) and self.width.holds(value[0])
        return parts if inside else None

    def extremes(self) -> Sequence[Any]:
        return tuple((w,) * int(d) for d in (self.depth.low, self.depth.high)
                     for w in (self.width.low, self.width.high))  # fmt: skip

    def to_document(self) -> dict[str, Any]:
        return {"depth": self.depth.to_document(), "width": self.width.to_document()}


@dataclass(frozen=True)
class Times:
    """From ``low`` times to ``high`` times the usual value, which the data decides."""

    low: float
    high: float

    def near(self, usual: Any) -> Dimension:
        """The dimension around a ``usual`` value; of what is no number above 0, that alone."""
        if isinstance(usual, bool) or not isinstance(usual, int | float) or usual <= 0:
            return OneOf(usual)
        if isinstance(usual, int):
            least, most = (max(1, round(factor * usual)) for factor in (self.low, self.high))
            return Interval(Number(least, most, log=True))
        low, high = (float(f"{usual * factor:.{DIGITS}g}") for factor in (self.low, self.high))
        return Interval(Number(low, high, log=True))


def between(low: float, high: float, *, log: bool = False) -> Interval:
    """A number from ``low`` to ``high``; a whole one if both are."""
    return Interval(Number(low, high, log))


#: what is varied, by the key of the setting
Space: TypeAlias = Mapping[Key, Dimension | Times]
