"""The peers: one record per form, one module per library.

A module has ``open_session(workload, form, mode) -> Session``. It is imported only in the worker
process that times it. A new form is one record here; a new library is one module and its records.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from typing import Literal, Protocol

from benchmarks.workloads import Workload

Mode = Literal["call", "loop"]

DENSE = ("tabular", "mlp")
CONVOLUTIONS = ("cnn", "resnet", "mobilenet", "oddsizes", "signals")
ALL = DENSE + CONVOLUTIONS


class Session(Protocol):
    """A model ready to train in one process, with all its batches at hand."""

    def reset(self) -> None:
        """Initial weights, fresh optimizer."""

    def run(self, steps: int) -> None:
        """Train that many steps; returns when the last update is done."""

    def losses(self, steps: int) -> list[float]:
        """Reset, train, and tell each step's loss; empty where the form does not tell it."""


class Module(Protocol):
    """What each module of this folder offers."""

    def open_session(self, workload: Workload, form: str, mode: Mode) -> Session: ...


@dataclass(frozen=True)
class Peer:
    """One library in one form, and in which modes that form competes.

    call: one Python call per step, on batches cut in advance. loop: the library's own best way
    to run many steps over indexed batches.
    """

    library: str
    form: str
    modes: tuple[Mode, ...]
    package: str  # empty for the project itself, which the worker looks for
    workloads: tuple[str, ...] = DENSE
    compiler: bool = False  # needs a C++ compiler
    cached: bool = False  # keeps compiled code on disk between processes

    @property
    def name(self) -> str:
        return f"{self.library} {self.form}".strip()

    @property
    def module(self) -> str:
        return f"benchmarks.peers.{self.library}_peer"

    def absent(self) -> str:
        """Why this form cannot run here, or nothing."""
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        if self.compiler and not shutil.which("g++"):
            return "torch.compile needs a C++ compiler and g++ is not on the path"
        return ""


BOTH: tuple[Mode, ...] = ("call", "loop")

PEERS: tuple[Peer, ...] = (
    Peer("chainrule", "", BOTH, "", ALL, cached=True),
    Peer("torch", "eager foreach", BOTH, "torch"),
    Peer("torch", "eager fused", BOTH, "torch", ALL),
    Peer("torch", "channels last", BOTH, "torch", CONVOLUTIONS),
    Peer("torch", "compile", BOTH, "torch", compiler=True, cached=True),
    Peer("torch", "compile channels last", BOTH, "torch", CONVOLUTIONS, compiler=True, cached=True),
    Peer("torch", "compile step", BOTH, "torch", compiler=True, cached=True),
    Peer("jax", "tree", BOTH, "jax", ALL, cached=True),
    Peer("jax", "flat", BOTH, "jax", cached=True),
    Peer("sklearn", "", BOTH, "sklearn"),
)
