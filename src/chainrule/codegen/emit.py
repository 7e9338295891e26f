"""Nests as kernels, and a program as one module of LLVM IR."""

from __future__ import annotations

from ..schedule.nest import Nest, Product
from .kernel import Kernel
from .nests import emit_loops
from .target import Target


def emit_nest(nest: Nest, target: Target) -> Kernel:
    """The kernel of ``nest``."""
    if isinstance(nest.source, Product):
        raise NotImplementedError
    return emit_loops(nest, target)
