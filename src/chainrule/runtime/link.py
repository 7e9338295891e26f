"""Loading an object file into this process: one JIT per program, alive as long as its owner."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

import llvmlite.binding as llvm

from ..codegen.target import initialize
from ..codegen.undisturbed import undisturbed
from ..errors import CompileError

__all__ = ["LLVM", "Linked", "link"]

# llvmlite's own lock around every call of LLVM, also those that free a finished module. It is not
# public, and a child forked while another thread holds it could never call LLVM again.
LLVM: AbstractContextManager[Any] = getattr(llvm.ffi.lib, "_lock", nullcontext())


#: of programs that are gone: freed by the next one, since signals may disturb a finalizer
_discarded: deque[tuple[llvm.LLJIT, llvm.ResourceTracker]] = deque()


class Linked:
    """Machine code in memory. ``addresses`` gives each exported symbol's address, ``nbytes`` the
    size of the objects: code and constants.

    An address is valid until `close`, or until this object is collected: whoever calls the code
    keeps this object. What was collected is freed when the next object is linked.
    """

    def __init__(
        self,
        jit: llvm.LLJIT,
        tracker: llvm.ResourceTracker,
        addresses: Mapping[str, int],
        nbytes: int,
    ) -> None:
        self.addresses, self.nbytes = MappingProxyType(dict(addresses)), nbytes
        # Not at exit: a thread may still be inside the code, and the process ends anyway.
        self._release = weakref.finalize(self, _discarded.append, (jit, tracker))
        self._release.atexit = False

    @property
    def closed(self) -> bool:
        """Whether the code is gone."""
        return not self._release.alive

    def close(self) -> None:
        """Free the code now. Nobody may be inside it, or call it later."""
        self._release()
        _free_discarded()


@undisturbed
def link(objects: Sequence[bytes], symbols: Iterable[str]) -> Linked:
    """Load object files that refer to one another, and find ``symbols`` in them.

    Objects come from `codegen.target.emit_objects` or, checked by their digest, from the cache. An
    object that is cut short, is none, refers to anything outside or lacks a symbol is a
    `CompileError`. (An object with altered bytes can end the process inside LLVM.)
    """
    names = tuple(symbols)
    _free_discarded()
    initialize()
    builder = llvm.JITLibraryBuilder()
    for content in objects:
        builder.add_object_img(content)
    for name in names:
        builder.export_symbol(name)
    jit = None
    try:
        # JITLink lays code and constants of an object in one slab, as the small code model demands,
        # and reaches other objects wherever they lie.
        jit = llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)
        tracker = builder.link(jit, "program")
    except RuntimeError as error:
        if jit is not None:
            jit.close()
        raise CompileError(
            f"the compiled object cannot be loaded: {str(error).strip()}",
            help="clear the cache of compiled programs, or set CHAINRULE_CACHE=0",
        ) from error
    addresses = {name: int(tracker[name]) for name in names}
    return Linked(jit, tracker, addresses, sum(map(len, objects)))


@undisturbed
def _free_discarded() -> None:
    while _discarded:
        jit, tracker = _discarded.popleft()
        tracker.close()
        jit.close()
