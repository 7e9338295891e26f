"""From a traced graph to a program that runs: the only file that knows all stages.

    graph -> passes -> schedule -> codegen -> object -> link -> NativeProgram

Compiled objects are kept on disk under a key made of the traced graph, the compiler's own source
and the target, together with the description of the program: a warm start skips every stage but
linking.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import config
from .codegen.target import Target, emit_objects, llvm_version, small_tiles, target_for
from .compared import ComparedProgram
from .debug import Dump
from .errors import CompileError
from .frontend.compiled import CompiledFunction, Executable, install
from .frontend.interpreted import InterpretedProgram
from .ir.graph import Graph
from .ir.memory import ALIGNMENT, address
from .ir.text import canonical
from .ir.types import Array, row_major
from .lazily import Lazy
from .runtime.cache import default_cache
from .runtime.description import ProgramMeta, Slot
from .runtime.link import link
from .runtime.locks import lock_of
from .runtime.program import STAGED_BYTES, NativeProgram
from .schedule import InputLayout

if TYPE_CHECKING:
    from . import passes
    from .codegen import emit
    from .schedule import build, tile
    from .schedule import text as program_text
    from .schedule.nest import Program
else:  # what a program that is in the cache does not need
    passes, emit = Lazy("chainrule.passes"), Lazy("chainrule.codegen.emit")
    build, tile = Lazy("chainrule.schedule.build"), Lazy("chainrule.schedule.tile")
    program_text = Lazy("chainrule.schedule.text")


@dataclass(frozen=True)
class Options:
    """How to compile. All choices give the same numbers; they exist for tests and curiosity.

    ``hasty`` spares LLVM most of its work, for a program that runs once: its tiles are small, too.
    """

    fusion: bool = True
    exclude: frozenset[str] = frozenset()
    cpu: str | None = None
    use_cache: bool = True
    hasty: bool = False


DEFAULT = Options()


@dataclass(frozen=True)
class Compiled:
    """Object files and what must be known to run them."""

    objects: tuple[bytes, ...]
    meta: ProgramMeta


def native_backend(graph: Graph, states: Sequence[Array]) -> Executable:
    """A program for one step of ``graph``; ``states`` are the arrays of its state inputs, in order.

    The arrays are updated in place by each call and must not move. Where an array is empty there is
    nothing to be fast at, and the interpreter runs the step.
    """
    if any(node.size == 0 for node in graph.nodes()):
        lock = lock_of(states)
        return InterpretedProgram(graph, states, lambda: lock.calls)
    return load(graph, states)


def show(function: CompiledFunction[..., Any], *args: Any, **kwargs: Any) -> Dump:
    """Every stage of compiling ``function`` for these arguments, to print or to search.

    ``print(cr.show(step, x, y))`` prints the traced graph, the graph after each pass, the program
    of nests and the LLVM text. ``.stages`` holds them as (name, text). Nothing is run.
    """
    if not isinstance(function, CompiledFunction):
        raise CompileError(
            f"show takes a compiled function, not {type(function).__name__}",
            help="decorate it with @cr.compile",
        )
    return stages(function.trace(*args, **kwargs).graph, InputLayout())


def load(
    graph: Graph,
    states: Sequence[Array],
    *,
    stepped: frozenset[int] = frozenset(),
    awaited: tuple[tuple[int, ...], ...] = (),
    options: Options = DEFAULT,
) -> NativeProgram:
    """Compile (or find) ``graph`` and bind it to ``states``.

    ``stepped`` are positions of inputs that have a row for each step in `NativeProgram.run_many`;
    ``awaited`` groups of outputs of which it can be told when they are complete.
    """
    positions = [i for i, n in enumerate(graph.inputs) if n.params["kind"] == "state"]
    if len(positions) != len(states):
        raise CompileError(
            f"expected {len(positions)} state array{'s' * (len(positions) != 1)}, got {len(states)}"
        )
    loose = {i for i, a in zip(positions, states, strict=True) if address(a) % ALIGNMENT}
    for i, node in enumerate(graph.inputs):
        large = node.size * node.dtype.itemsize > STAGED_BYTES
        if node.params["kind"] == "arg" and (large or i in stepped):
            loose.add(i)
    compiled = compile_graph(graph, InputLayout(stepped, frozenset(loose), awaited), options)
    names = [compiled.meta.slots[i].name for i in positions]
    linked = link(compiled.objects, [compiled.meta.entry])
    bound = dict(zip(names, states, strict=True))
    if config.COMPARE.read():
        return ComparedProgram(linked, compiled.meta, bound, graph)
    return NativeProgram(linked, compiled.meta, bound)


def compile_graph(graph: Graph, layout: InputLayout, options: Options = DEFAULT) -> Compiled:
    """Native code for ``graph``, from the cache on disk if it is there."""
    target = target_for(options.cpu)
    store = None
    if options.use_cache and config.DUMP.read() is None:
        store = default_cache()
        key = cache_key(graph, layout, options, target)
        entry = store.get(key)
        if entry is not None:
            return Compiled(entry.objects, ProgramMeta.from_json(entry.meta))
    compiled = _compile(graph, layout, options, target, Dump())
    if store is not None:
        store.put(key, compiled.meta.to_json(), compiled.objects)
    return compiled


def stages(graph: Graph, layout: InputLayout, options: Options = DEFAULT) -> Dump:
    """Every stage of compiling ``graph`` as text."""
    target = target_for(options.cpu)
    dump = Dump(keep=True)
    _compile(graph, layout, options, target, dump)
    return dump


def _compile(
    graph: Graph, layout: InputLayout, options: Options, target: Target, dump: Dump
) -> Compiled:
    with _without_collections():
        optimized = passes.optimize(
            graph, exclude=options.exclude, observe=dump.graph if dump.wanted else None
        )
        program = build.schedule(optimized, layout, fusion=options.fusion)
        if dump.wanted:
            dump.text("program", program_text.program_text(program))
        texts = emit.emit_program(program, small_tiles(target) if options.hasty else target)
    if dump.wanted:
        dump.text("llvm", "\n".join(texts))
    objects = emit_objects(texts, target, options.hasty)
    return Compiled(objects, describe(graph, layout, program))


@contextmanager
def _without_collections() -> Iterator[None]:
    """The stages make very many objects, and hardly a circle: to look for some over and over would
    take a fifth of their time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def describe(graph: Graph, layout: InputLayout, program: Program) -> ProgramMeta:
    """The slots of ``program`` and what one step costs."""
    slots = []
    for i, node in enumerate(graph.inputs):
        kind, strides = node.params["kind"], node.params["strides"]
        given = None if strides == row_major(node.shape) else strides
        stride, aligned = layout.step_stride(i, node), layout.is_aligned(i, node)
        slots.append(Slot(f"in{i}", kind, node.dtype, node.shape, stride, given, aligned))
    for i, node in enumerate(graph.outputs):
        slots.append(Slot(f"out{i}", "output", node.dtype, node.shape, node.size))
    flops = sum(tile.work(t.nest) for phase in program.phases for t in phase)
    traffic = sum(tile.traffic_of(t.nest) for phase in program.phases for t in phase)
    kept = program.kept_bytes
    return ProgramMeta(tuple(slots), program.arena_bytes, flops, traffic, kept_bytes=kept)


def cache_key(graph: Graph, layout: InputLayout, options: Options, target: Target) -> str:
    """Everything that the object depends on, as text."""
    lines = [
        f"compiler {compiler_digest()}",
        f"target {target!r}",
        f"layout {sorted(layout.stepped)} {sorted(layout.unaligned)} {layout.awaited}",
        f"options {options.fusion} {sorted(options.exclude)} {options.hasty}",
        canonical(graph),
    ]
    return "\n".join(lines)


@cache
def compiler_digest() -> str:
    """A hash of LLVM's version and of the source of every stage, and of what is kept beside it."""
    digest = hashlib.sha256(llvm_version().encode())
    root = Path(__file__).parent
    folders = ("ir", "ops", "passes", "schedule", "codegen")
    files = [file for folder in folders for file in sorted((root / folder).glob("*.py"))]
    # An entry also holds the program's description, which these two make and read.
    for file in (*files, root / "driver.py", root / "runtime" / "description.py"):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


install(native_backend)
