"""Programs as text, for people: ``CHAINRULE_DUMP`` and `show` print this."""

from __future__ import annotations

from .nest import (
    Acc,
    Access,
    Affine,
    Apply,
    Const,
    Expr,
    Index,
    Load,
    Loop,
    Nest,
    Product,
    Program,
    Reduce,
    Store,
    Task,
    walk,
)


def program_text(program: Program) -> str:
    """Phases, nests and expressions of ``program``, one statement a line."""
    lines = [f"slots {' '.join(program.slots)}", f"arena {program.arena_bytes} bytes"]
    lines += [f"  {b.name}: {b.dtype!r}[{b.size}] at {o}" for b, o in program.offsets.items()]
    lines += [
        f"complete after phase {m.phase}: " + " ".join(program.slots[slot] for slot in m.slots)
        for m in program.milestones
    ]
    return "\n".join([*lines, *_phases(program.phases)]) + "\n"


def _phases(phases: tuple[tuple[Task, ...], ...]) -> list[str]:
    lines = []
    for number, phase in enumerate(phases):
        lines.append(f"phase {number}")
        for task in phase:
            lines += ["  " + line for line in _task(task)]
    return lines


def _task(task: Task) -> list[str]:
    if isinstance(task.nest, Loop):
        return _loop(task.nest)
    owner = "all threads" if task.owner is None else f"thread {task.owner}"
    if task.chain is not None:
        owner += f", {task.chain.block} of {task.chain.pieces} pieces at a time"
    return nest_text(task.nest, owner).splitlines()


def _loop(loop: Loop) -> list[str]:
    """The trips of a loop, the windows that move with them, and its phases."""
    accesses = [a for task in loop.tasks for a in (*task.nest.reads, *task.nest.writes)]
    windows = dict.fromkeys(a.buffer for a in accesses if a.buffer.base is not None)
    shared = f", {loop.pieces} pieces of rows shared out" if loop.pieces else ""
    shared += ", shared out" if loop.shared else ""
    most = f"{access_text(loop.limit, {})} of " if loop.limit else ""
    lines = [f"loop {loop.name}: {most}{loop.trips} trips{shared}"]
    for w in windows:
        turns = f" mod {w.period}" if w.period else ""
        assert w.base is not None
        lines.append(f"  {w.name}: {w.base.name} from {w.start} + {w.stride} * (trip{turns})")
    return lines + ["  " + line for line in _phases(loop.phases)]


def nest_text(nest: Nest, note: str = "") -> str:
    """One nest: loops, then assignments."""
    kinds = ["reduce" if d >= nest.parallel else "for" for d in range(len(nest.dims))]
    loops = []
    for d, (kind, extent) in enumerate(zip(kinds, nest.dims, strict=True)):
        marks = ("*16" if d == nest.vector else "") + (" split" if d == nest.split else "")
        loops.append(f"{kind} i{d}<{extent}{marks}")
    lines = [f"nest {nest.name}: {', '.join(loops)}  ({note})"]
    names: dict[int, str] = {}
    if isinstance(nest.source, Product):
        left, right = access_text(nest.source.a, names), access_text(nest.source.b, names)
        runs = f" in runs of {nest.source.run}" if nest.source.run else ""
        lines.append(f"  acc = sum {left} * {right}{runs}")
    if isinstance(nest.source, Reduce):
        lines += _bindings(nest.inside, names)
        lines += [_store(store, names) for store in nest.inner]
        for number, part in enumerate(nest.source.parts):
            lines.append(f"  {_acc(number)} = {part.op} {names[id(part.value)]}")
    lines += _bindings([s.value for s in nest.stores], names)
    lines += [_store(store, names) for store in nest.stores]
    return "\n".join(lines)


def _store(store: Store, names: dict[int, str]) -> str:
    sign = "+=" if store.add else "="
    return f"  {access_text(store.access, names)} {sign} {names[id(store.value)]}"


def _acc(number: int) -> str:
    return f"acc{number}" if number else "acc"


def _bindings(roots: list[Expr], names: dict[int, str]) -> list[str]:
    lines = []
    for expr in walk(roots):
        if id(expr) in names:
            continue
        text = _expression(expr, names)
        if isinstance(expr, Apply):
            names[id(expr)] = f"v{len(names)}"
            lines.append(f"  {names[id(expr)]} = {text}")
        else:
            names[id(expr)] = text
    return lines


def _expression(expr: Expr, names: dict[int, str]) -> str:
    if isinstance(expr, Load):
        return access_text(expr.access, names)
    if isinstance(expr, Const):
        return f"{expr.value!r}"
    if isinstance(expr, Index):
        return affine_text(expr.affine)
    if isinstance(expr, Acc):
        return _acc(expr.number)
    if isinstance(expr, Apply):
        args = ", ".join(names[id(a)] for a in expr.args)
        return f"{expr.op}({args}) : {expr.dtype!r}"
    raise AssertionError(type(expr).__name__)


def access_text(access: Access, names: dict[int, str]) -> str:
    """``buffer[offset]``."""
    parts = [affine_text(access.offset)]
    for item in access.indirect:
        index = names.get(id(item.index), _index_text(item.index, names))
        parts.append(f"{index}*{item.stride}<{item.extent}>")
    return f"{access.buffer.name}[{' + '.join(parts)}]"


def _index_text(expr: Expr, names: dict[int, str]) -> str:
    return "; ".join(_bindings([expr], names)) or names[id(expr)]


def affine_text(affine: Affine) -> str:
    """``const + coefficient*loop + ...``."""
    terms = [f"{c}*i{d}" if c != 1 else f"i{d}" for d, c in enumerate(affine.coeffs) if c]
    if affine.const or not terms:
        terms.append(str(affine.const))
    return " + ".join(terms)
