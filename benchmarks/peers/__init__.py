"""The peers: one record per form, one module per library.

A module has ``open_session(workload, form, mode) -> Session``. It is imported only in the worker
process that times it. A new form is one record here; a new library is one module and its records.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.workloads import Mode, Workload

DENSE = ("tabular", "mlp")
CONVOLUTIONS = ("cnn", "resnet", "mobilenet", "oddsizes", "signals")
FULL = ("lstm", "gru", "lstm-small")  # sequences of one length
RECURRENT = (*FULL, "bilstm")
TABLES = ("realmlp", "tabm")
LANGUAGE = ("gpt", "gpt-512", "gpt-1024", "seq2seq")
TRAINED = DENSE + CONVOLUTIONS + RECURRENT + LANGUAGE + TABLES
PREDICTED = ("cnn-1", "cnn-256", "resnet-1", "resnet-64")
GENERATED = ("generate-1", "generate-16")


class Session(Protocol):
    """A model ready to train or to predict in one process, with all its batches at hand."""

    def reset(self) -> None:
        """Initial weights, fresh optimizer."""

    def run(self, steps: int) -> None:
        """Train that many steps, or predict as many batches; returns when the last is done."""

    def answers(self, steps: int) -> list[float]:
        """What peers are compared by: reset, then the loss of each step trained, empty where the
        form does not tell it; in inference the logits of each batch, or the tokens made.
        """


@dataclass(frozen=True)
class Predictions:
    """The session of every form in inference: ``predict`` returns once a batch's logits are there.

    ``np.asarray`` must read what it returns.
    """

    predict: Callable[[Any], Any]
    batches: Sequence[Any]

    def reset(self) -> None:
        """Nothing: the weights stay."""

    def run(self, steps: int) -> None:
        predict, batches = self.predict, self.batches
        for i in range(steps):
            predict(batches[i % len(batches)])

    def answers(self, steps: int) -> list[float]:
        logits = [np.asarray(self.predict(batch)) for batch in self.batches[:steps]]
        return [float(v) for array in logits for v in array.ravel()]


class Module(Protocol):
    """What each module of this folder offers."""

    def open_session(self, workload: Workload, form: str, mode: Mode) -> Session: ...


@dataclass(frozen=True)
class Peer:
    """One library in one form, and the workloads that this form can run.

    call: one Python call per step, on batches cut in advance. loop: the library's own best way
    to run many steps over indexed batches. infer: one Python call per batch, waited for.
    """

    library: str
    form: str
    package: str  # empty for the project itself, which the worker looks for
    workloads: tuple[str, ...]
    compiler: bool = False  # needs a C++ compiler
    cached: bool = False  # keeps compiled code on disk between processes
    loops: tuple[str, ...] | None = None  # workloads whose loops end in time; None: all

    @property
    def name(self) -> str:
        return f"{self.library} {self.form}".strip()

    @property
    def module(self) -> str:
        return f"benchmarks.peers.{self.library}_peer"

    def absent(self, workload: str, mode: Mode) -> str:
        """Why this form cannot run here, or nothing."""
        if mode == "loop" and self.loops is not None and workload not in self.loops:
            return "a loop takes minutes, several times as long as its calls"
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        if self.compiler and not shutil.which("g++"):
            return "torch.compile needs a C++ compiler and g++ is not on the path"
        return ""


COMPILED = DENSE + RECURRENT + LANGUAGE + TABLES + GENERATED
LAST = CONVOLUTIONS + PREDICTED  # what PyTorch can lay out channels last

PEERS: tuple[Peer, ...] = (
    Peer("chainrule", "", "", TRAINED + PREDICTED + GENERATED, cached=True),
    Peer("torch", "eager foreach", "torch", DENSE),
    Peer("torch", "eager fused", "torch", TRAINED),
    Peer("torch", "eager", "torch", PREDICTED + GENERATED),
    Peer("torch", "packed", "torch", ("bilstm",)),
    Peer("torch", "channels last", "torch", LAST),
    Peer("torch", "frozen", "torch", PREDICTED),
    Peer("torch", "compile", "torch", COMPILED, compiler=True, cached=True),
    Peer("torch", "compile cells", "torch", RECURRENT, compiler=True, cached=True),
    Peer("torch", "compile channels last", "torch", LAST, compiler=True, cached=True),
    Peer("torch", "compile step", "torch", DENSE, compiler=True, cached=True),
    Peer("onnxruntime", "", "onnxruntime", PREDICTED),
    # lax.scan leaves XLA's fast path for convolutions: 60 ms against 9 for `oddsizes`
    Peer("jax", "tree", "jax", TRAINED, cached=True, loops=DENSE + RECURRENT + LANGUAGE + TABLES),
    Peer("jax", "unrolled", "jax", RECURRENT, cached=True),
    Peer("jax", "flat", "jax", DENSE, cached=True),
    Peer("jax", "jit", "jax", PREDICTED + GENERATED, cached=True),
    Peer("sklearn", "", "sklearn", DENSE),
)
