"""The sections of ``run.toml`` about data, model and output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from .fields import About, Like, Within
from .section import Section

__all__ = ["Auto", "CheckpointSettings", "OutputSettings"]

Auto: TypeAlias = Literal["auto"]

Share = Annotated[float, Within(0.0, 1.0)]


@dataclass(frozen=True)
class CheckpointSettings(Section):
    """Checkpoints, from which an interrupted run resumes bit for bit."""

    PLACE: ClassVar[str] = "output.checkpoints"

    every: Annotated[
        Literal["epoch", "none"]
        | Annotated[int, Within(1, 1 << 40)]
        | Annotated[str, Like(r"\d+(\.\d+)? ?[smh]", 'a time such as "30s"')],
        About('epoch, a number of steps, a time such as "30s", or none'),
    ] = "30s"
    keep: Annotated[
        Annotated[int, Within(1, 1000)], About("number of recent checkpoints to keep")
    ] = 2


@dataclass(frozen=True)
class OutputSettings(Section):
    """What a run writes, and where."""

    PLACE: ClassVar[str] = "output"

    runs_dir: Annotated[str, About("folder to write runs to")] = "runs"
    report: Annotated[bool, About("whether the command line writes report.html")] = True
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
