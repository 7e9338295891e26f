"""The processor that code is generated for, and the way from IR text to an object file.

Only `parse_assembly`, `verify` and `emit_object` of LLVM are used, and a target machine is made
anew for every object: an engine takes ownership of the one it is given. All of it runs undisturbed
by signals.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import llvmlite.binding as llvm

from ..errors import CompileError
from .undisturbed import side_by_side, undisturbed


@dataclass(frozen=True)
class Target:
    """A processor: LLVM's names for it, and what kernels need to know.

    ``vector_bytes`` is the width of a register and ``registers`` the number of vector registers.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    has_fma: bool

    @property
    def is_x86(self) -> bool:
        """Whether this is an x86-64 processor."""
        return self.triple.startswith("x86_64")

    @property
    def in_haste(self) -> bool:
        """Whether code is to take little time to make, see `small_tiles`."""
        return self.registers <= HASTY_REGISTERS

    @property
    def has_estimates(self) -> bool:
        """Whether it has instructions that estimate 16 inverse roots at once."""
        return self.is_x86 and self.vector_bytes == 64


#: for tiles of products in haste, which halve what LLVM has to do; no processor has so few
HASTY_REGISTERS = 4

# Processors that can be asked for by name: vector bytes, vector registers, fused multiply-add.
_NAMED = {
    "x86-64": (16, 16, False),
    "x86-64-v2": (16, 16, False),
    "x86-64-v3": (32, 16, True),
    "haswell": (32, 16, True),
    "skylake": (32, 16, True),
    "znver3": (32, 16, True),
    "x86-64-v4": (64, 32, True),
    "skylake-avx512": (64, 32, True),
    "cascadelake": (64, 32, True),
    "sapphirerapids": (64, 32, True),
    "znver4": (64, 32, True),
    "apple-m1": (16, 32, True),
    "neoverse-n1": (16, 32, True),
}


@cache
@undisturbed
def initialize() -> None:
    """Load LLVM's code generators, once."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def llvm_version() -> str:
    """The version of LLVM that generates code, for cache keys."""
    return ".".join(map(str, llvm.llvm_version_info))


@cache
@undisturbed
def host_target() -> Target:
    """This machine's processor."""
    initialize()
    triple = llvm.get_default_triple()
    features = llvm.get_host_cpu_features()
    if triple.startswith("x86_64"):
        wide = features.get("avx512f", False) and features.get("avx512vl", False)
        vector_bytes = 64 if wide else 32 if features.get("avx2", False) else 16
        registers, fma = 32 if wide else 16, features.get("fma", False)
    else:
        vector_bytes, registers, fma = 16, 32, True
    return Target(
        triple, llvm.get_host_cpu_name(), features.flatten(), vector_bytes, registers, fma
    )


def target_for(cpu: str | None = None, triple: str | None = None) -> Target:
    """The target named ``cpu``; this machine's when None. `CompileError` if it is not known."""
    if cpu is None or cpu == "host":
        return host_target()
    if cpu not in _NAMED:
        raise CompileError(
            f"unknown processor {cpu!r}",
            help=f"use one of: host, {', '.join(sorted(_NAMED))}",
        )
    vector_bytes, registers, fma = _NAMED[cpu]
    return Target(triple or host_target().triple, cpu, "", vector_bytes, registers, fma)


def small_tiles(target: Target) -> Target:
    """``target`` for code that takes little time to make.

    Tiles of a product, which are written out several times, fill the registers there are. Other
    nests take one point at a time, and none of them turns blocks of elements over in registers,
    whose shuffles take LLVM longer than the rest of a kernel.
    """
    return replace(target, registers=min(target.registers, HASTY_REGISTERS))


def _machine(target: Target, hasty: bool = False) -> llvm.TargetMachine:
    """A new code generator for ``target``; give it to one compile only."""
    effort = 0 if hasty else 2
    initialize()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=effort, reloc="pic", codemodel="small"
    )


@undisturbed
def emit_objects(texts: Sequence[str], target: Target, hasty: bool = False) -> tuple[bytes, ...]:
    """Verify the texts of modules and compile each to an object file, side by side.

    ``hasty`` code takes a fraction of the time to make, and several times as long to run.
    `CompileError` if a text is not valid IR, which is a defect of the compiler.
    """
    return tuple(side_by_side(lambda text: _object_of(text, target, hasty), texts))


def _object_of(text: str, target: Target, hasty: bool) -> bytes:
    """A module in a context of its own, so that others may be compiled meanwhile."""
    machine = _machine(target, hasty or _only_calls(text))
    with llvm.create_context() as context, _parse(text, target, machine, context) as module:
        # llvmlite would let nobody else in meanwhile.
        return bytes(machine.emit_object(module)) if _EMIT is None else _emitted(machine, module)


def _only_calls(text: str) -> bool:
    """Whether no function of a module is to be optimised. LLVM would walk through them for each of
    its passes all the same.
    """
    functions = text.count("\ndefine ") + text.startswith("define ")
    return functions == text.count(" optnone {\n")


#: llvmlite's function without its lock; that is not public
_EMIT = getattr(llvm.ffi.lib.LLVMPY_TargetMachineEmitToMemory, "_cfn", None)


def _emitted(machine: llvm.TargetMachine, module: llvm.ModuleRef) -> bytes:
    """What `llvmlite.binding.TargetMachine.emit_object` gives."""
    assert _EMIT is not None
    with llvm.ffi.OutputString() as problem:
        memory = _EMIT(machine, module, 1, problem)
        if not memory:
            raise CompileError(
                f"LLVM made no object of a module: {problem}",
                help="this is a bug in chainrule; please report it with the program that caused it",
            )
    try:
        size = llvm.ffi.lib.LLVMPY_GetBufferSize(memory)
        return ctypes.string_at(llvm.ffi.lib.LLVMPY_GetBufferStart(memory), size)
    finally:
        llvm.ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)


@undisturbed
def emit_assembly(text: str, target: Target) -> str:
    """The processor's instructions for a module's text, to read."""
    machine = _machine(target)
    with llvm.create_context() as context, _parse(text, target, machine, context) as module:
        return str(machine.emit_assembly(module))


def _parse(
    text: str, target: Target, machine: llvm.TargetMachine, context: llvm.ContextRef
) -> llvm.ModuleRef:
    try:
        module = llvm.parse_assembly(text, context)
        module.triple = target.triple
        module.data_layout = str(machine.target_data)
        module.verify()
    except RuntimeError as error:
        raise CompileError(
            f"the generated code is invalid: {error}",
            help="this is a bug in chainrule; please report it with the program that caused it",
        ) from error
    return module
