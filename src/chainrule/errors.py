"""Errors that say what happened, where, and what to do next.

Every error a user can cause is one of these classes. ``str(error)`` reads like a compiler message::

    shapes (32, 30) and (10, 5) cannot be multiplied
      where: Linear `0` at train.py:12
      help:  the layer expects 10 features, the batch has 30
"""

from __future__ import annotations

from collections.abc import Iterable

from .showing import visible


class ChainruleError(Exception):
    """Base of all errors. ``what`` is one sentence, ``where`` a place, ``help`` the next action."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", help: str = "") -> None:
        # Names of columns, classes and files stand in all three, and are shown on terminals.
        self.what, self.where, self.help = visible(what), visible(where), visible(help)
        lines = [self.what]
        if where:
            lines.append(f"  where: {self.where}")
        if help:
            lines.append(f"  help:  {self.help}")
        super().__init__("\n".join(lines))


class ShapeError(ChainruleError, ValueError):
    """Shapes that do not fit one another."""


class DTypeError(ChainruleError, TypeError):
    """A dtype that an operation does not take."""


class TraceError(ChainruleError, RuntimeError):
    """Python that cannot be recorded into one compiled step."""


class GradientError(ChainruleError, RuntimeError):
    """A derivative that does not exist or was not kept."""


class VerifyError(ChainruleError, RuntimeError):
    """A graph, nest or program that breaks a rule of its stage: a defect of the compiler."""


class CompileError(ChainruleError, RuntimeError):
    """A graph that cannot be turned into native code."""


class DataError(ChainruleError, ValueError):
    """Data that cannot be read or used."""


class ConfigError(ChainruleError, ValueError):
    """A setting that does not exist or has a wrong value."""


class StateError(ChainruleError, ValueError):
    """A state dict, file or run folder that does not fit the model, or a piece of a Tensor that no
    longer fits the whole.
    """


class TrainingError(ChainruleError, RuntimeError):
    """Training that failed, for example by diverging."""

    exit_code = 3


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of ``known`` that ``name`` was probably meant to be; None if none is like it.

    One that differs in case alone is nearest: ``adamW`` is ``adamw``, not ``adam``. ``cutoff`` is
    how much of both must agree, from 0 to 1.
    """
    names = list(known)
    for other in names:
        if other.casefold() == name.casefold():
            return other
    import difflib  # here, because `import chainrule` need not pay for it

    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=cutoff)), None)


def meant(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """How a help text begins: ``"did you mean 'adam'? "``, or empty if no name is near."""
    near = nearest(name, known, cutoff)
    return "" if near is None else f"did you mean {near!r}? "
