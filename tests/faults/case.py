"""What a case of the gallery is: a training that is ill in a known way, or healthy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FAULTS", "HEALTHY", "Case", "fault", "healthy"]

#: trains and gives what is to be diagnosed: a Trainer (also one whose training failed), or the
#: folder of a run; the argument is an empty folder of its own
Program = Callable[[Path], Any]


@dataclass(frozen=True)
class Case:
    """``codes`` are the right diagnoses, the best one first; none for healthy trainings."""

    name: str
    codes: tuple[str, ...]
    program: Program

    @property
    def family(self) -> str:
        """Of the best diagnosis: gradients and units, steps, fit, data, speed."""
        return self.codes[0][:2] if self.codes else ""


FAULTS: dict[str, Case] = {}
HEALTHY: dict[str, Case] = {}


def fault(*codes: str) -> Callable[[Program], Program]:
    """Adds a program to the gallery; its name is the case's, its docstring says what is wrong."""

    def add(program: Program) -> Program:
        name = program.__name__
        assert name not in FAULTS
        assert program.__doc__
        FAULTS[name] = Case(name, codes, program)
        return program

    return add


def healthy(name: str, program: Program) -> None:
    """Adds a healthy training."""
    assert name not in HEALTHY
    HEALTHY[name] = Case(name, (), program)
