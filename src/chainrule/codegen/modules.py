"""Kernels divided among modules, which LLVM can compile side by side.

How many there are depends on the text of the kernels alone, so that a program is the same whatever
processor compiles it. The first module also has the entry; what it calls of others is declared.
"""

from __future__ import annotations

from collections.abc import Sequence

from .kernel import Kernel

#: characters of kernels that are worth a module of their own
PART = 100_000
MOST = 4


def divided(kernels: Sequence[tuple[str, Kernel]]) -> list[list[tuple[str, Kernel]]]:
    """Named ``kernels`` in groups of about equal text, each in its order; at least one group."""
    total = sum(len(kernel.body) for _, kernel in kernels)
    groups: list[list[int]] = [[] for _ in range(min(MOST, max(1, total // PART)))]
    sizes = [0] * len(groups)
    for number in sorted(range(len(kernels)), key=lambda n: -len(kernels[n][1].body)):
        smallest = sizes.index(min(sizes))
        groups[smallest].append(number)
        sizes[smallest] += len(kernels[number][1].body)
    return [[kernels[number] for number in sorted(group)] for group in groups]


def module_of(kernels: Sequence[tuple[str, Kernel]]) -> str:
    """A module of ``kernels`` that another one calls."""
    needed = sorted(set[str]().union(*(kernel.declarations for _, kernel in kernels)))
    return "\n".join([*needed, *(kernel.text(name, "hidden") for name, kernel in kernels)])
