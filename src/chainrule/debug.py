"""Looking inside: every stage of a compilation as text."""

from __future__ import annotations

from itertools import count

from . import config
from .ir.graph import Graph
from .ir.text import to_text

_numbers = count()


class Dump:
    """Collects the stages of one compilation; `CHAINRULE_DUMP` also writes them to files.

    Files are called ``000_00_trace.txt``, ``000_01_canonicalize.txt``, ...: the number of the
    program, the number of the stage, its name.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep
        self.stages: list[tuple[str, str]] = []
        self.folder = config.DUMP.read()
        self._program = next(_numbers) if self.folder else 0

    @property
    def wanted(self) -> bool:
        """Whether anybody will look."""
        return self.folder is not None or self.keep

    def graph(self, name: str, graph: Graph) -> None:
        """Keep a graph."""
        self.text(name, to_text(graph))

    def text(self, name: str, text: str) -> None:
        """Keep any stage that is text already."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            suffix = ".ll" if name == "llvm" else ".txt"
            file = f"{self._program:03}_{len(self.stages):02}_{name}{suffix}"
            (self.folder / file).write_text(text, encoding="utf-8")
        self.stages.append((name, text))

    def __str__(self) -> str:
        return "\n".join(f"=== {name} ===\n{text}" for name, text in self.stages)
