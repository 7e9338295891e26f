"""One new example, as somebody types or names it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ..data import Finding
from ..errors import ConfigError, meant
from ..ir.types import is_real

if TYPE_CHECKING:
    from ..data.tables.fields import Field

__all__ = ["Example", "Form", "Name", "class_number", "is_file", "notes_of", "numbers_of",
           "spelled_classes"]  # fmt: skip

#: what a number of an input is called: its index there, and the number
Name = Callable[[tuple[int, ...], float], str]
LONGEST = 4096


@dataclass(frozen=True)
class Example:
    """One example that was read: ``inputs`` as `Predictor.scores_of` takes them, and its ``target``
    as the network learns it, if there is one. ``notes`` say what was unusual."""

    inputs: Any
    target: npt.NDArray[Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """What it takes to give a new example: ``fields``, or one text, which is ``whole``; and its
    target, which is ``aim``, one of ``classes`` if there are any. Without an ``aim`` there is
    none to give."""

    fields: tuple[Field, ...] = ()
    whole: str = ""
    aim: str = "a number"
    classes: tuple[str, ...] = ()


def notes_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What was found in one example, in a line each."""
    return tuple(f.message + (f": {f.evidence}" if f.evidence else "") for f in findings)


def is_file(text: str) -> bool:
    """Whether what somebody typed names something on the disk."""
    try:
        return len(text) <= LONGEST and "\n" not in text and Path(text).exists()
    except (OSError, ValueError):
        return False


def spelled_classes(labels: Sequence[object]) -> tuple[str, ...]:
    """Classes as they are written in a command."""
    return tuple(str(c).lower() if isinstance(c, bool) else str(c) for c in labels)


def class_number(text: str, labels: Sequence[object], where: str = "--target") -> int:
    """The number of a class by what it is called."""
    spelled = spelled_classes(labels)
    given = text.strip()
    if given in spelled:
        return spelled.index(given)
    if given.lower() in spelled:
        return spelled.index(given.lower())
    numbers = [float(c) if is_real(c) else None for c in labels]  # type: ignore[arg-type]
    with contextlib.suppress(ValueError):
        if float(given) in numbers:  # 1 is the class 1.0
            return numbers.index(float(given))
    raise ConfigError(
        f"there is no class {given!r}", where=where,
        help=f"{meant(given, spelled)}classes: {', '.join(spelled[:12])}",
    )  # fmt: skip


def numbers_of(text: str, count: int, where: str = "--target") -> list[float]:
    """So many numbers with commas between them."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or any(n - n != 0 for n in numbers):
        what = "a number" if count == 1 else f"{count} numbers with commas between them"
        raise ConfigError(f"expected {what}, got {text!r}", where=where)
    return numbers
