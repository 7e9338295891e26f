"""One nest as a function: `void (ptr b0, ptr b1, ..., i64 lo, i64 hi)`."""

from __future__ import annotations

from dataclasses import dataclass

from ..schedule.buffers import Buffer
from ..schedule.nest import Nest
from .builder import Builder
from .target import Target
from .values import Value

LO, HI = Value("%lo", "i64"), Value("%hi", "i64")


@dataclass(frozen=True)
class Kernel:
    """The text of a function without its name, so that equal functions can be found.

    ``buffers`` are its pointers in order; ``grain``: ranges of the split dim start at multiples
    of it.
    """

    buffers: tuple[Buffer, ...]
    body: str
    declarations: frozenset[str]
    attributes: str
    grain: int = 1

    def text(self, name: str, linkage: str = "internal") -> str:
        """The definition of the function as ``@name``."""
        params = [f"ptr %b{i}" for i in range(len(self.buffers))] + ["i64 %lo", "i64 %hi"]
        head = f"define {linkage} void @{name}({', '.join(params)}) {self.attributes}"
        return f"{head} {{\nentry:\n{self.body}\n}}\n"

    def declaration(self, name: str) -> str:
        """That another module has the function as ``@name``."""
        params = ", ".join(["ptr"] * len(self.buffers) + ["i64", "i64"])
        return f"declare hidden void @{name}({params})"


def pointers_of(nest: Nest) -> dict[Buffer, Value]:
    """The parameter of each buffer."""
    return {buffer: Value(f"%b{i}", "ptr") for i, buffer in enumerate(nest.buffers)}


def finish(b: Builder, nest: Nest, target: Target, grain: int = 1) -> Kernel:
    """The kernel whose body is in ``b``; adds the return."""
    b.ret()
    attributes = "noinline nounwind"
    if target.is_x86 and target.vector_bytes == 64:
        attributes += ' "prefer-vector-width"="512"'
    return Kernel(nest.buffers, b.body(), frozenset(b.declarations), attributes, grain)
