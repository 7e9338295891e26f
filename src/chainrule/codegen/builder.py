"""A small builder of LLVM IR text (LLVM 22: opaque pointers).

    b = Builder()
    p, q, n = Value("%p", "ptr"), Value("%q", "ptr"), Value("%n", "i64")
    with b.loop(0, n, 16) as i:
        x = b.load(vector_of("float"), b.gep(p, i, "float"), align=64)
        b.store(b.mul(x, x), b.gep(q, i, "float"), align=64)
    b.ret()
    text = b.function("square", [p, q, n])

A `Value` is a name and a type, both text. Vectors always have `LANES` elements: LLVM cuts them to
what the processor has, so the bits of a result do not depend on its width. No instruction carries
a fast-math flag.

Code can be placed in outer blocks: `hook` marks a place, and ``with b.at(place)`` emits code there.
Of branches only `unless` can be placed so: it cuts the block that the place is in, and whoever
names that block as where a value comes from means its last piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .values import Fold, Value, i64, like, scalar_of, suffix, vector_of

if TYPE_CHECKING:
    from .target import Target

Place = list["str | Place"]
#: where a value of a phi comes from
_EDGE = re.compile(r", %(\w+)\]")


class _Emitting:
    """While what is emitted goes into another place: for each value of a kernel."""

    def __init__(self, b: Builder, place: Place) -> None:
        self._b, self._place = b, place

    def __enter__(self) -> None:
        self._place, self._b._out = self._b._out, self._place

    def __exit__(self, *error: object) -> None:
        self._b._out = self._place


class Builder:
    """The body of one function, and the declarations it needs."""

    def __init__(self, *, has_fma: bool = True, has_estimates: bool = False) -> None:
        self.lines: Place = []
        self.has_fma, self.has_estimates = has_fma, has_estimates
        self.declarations: set[str] = set()
        self.block = "entry"
        self._pieces: set[str] = set()  # labels inside of blocks that `unless` has cut
        self._out = self.lines
        self._count = 0

    @classmethod
    def on(cls, target: Target) -> Builder:
        """A builder that uses the instructions of ``target``."""
        return cls(has_fma=target.has_fma, has_estimates=target.has_estimates)

    # ------------------------------------------------------------------------ text and places

    def emit(self, line: str) -> None:
        """Append one line."""
        self._out.append("  " + line)

    def hook(self) -> Place:
        """A place in the current block where straight-line code can be put later."""
        place: Place = []
        self._out.append(place)
        return place

    def at(self, place: Place) -> _Emitting:
        """Emit into ``place`` inside of ``with``."""
        return _Emitting(self, place)

    @property
    def straight(self) -> bool:
        """Whether code is being placed in another block than the one that emission has reached."""
        return self._out is not self.lines

    def fresh(self, prefix: str = "v") -> str:
        """A new name without sigil."""
        self._count += 1
        return f"{prefix}{self._count}"

    def op(self, type_: str, text: str) -> Value:
        """Emit ``%new = text`` and return it."""
        self._count += 1
        name = f"%v{self._count}"
        self._out.append(f"  {name} = {text}")
        return Value(name, type_)

    def body(self) -> str:
        """The text of the function's body."""
        flat: list[str] = []
        _flatten(self.lines, flat)
        return "\n".join(self._with_last_pieces(flat) if self._pieces else flat)

    def _with_last_pieces(self, lines: list[str]) -> list[str]:
        """The lines, with the last piece of a cut block wherever a phi names the block."""
        last, block = {"entry": "entry"}, "entry"
        for line in lines:
            if line.endswith(":"):
                block = block if line[:-1] in self._pieces else line[:-1]
                last[block] = line[:-1]
        return [
            _EDGE.sub(lambda edge: f", %{last.get(edge[1], edge[1])}]", line)
            if " = phi " in line
            else line
            for line in lines
        ]

    def function(
        self, name: str, params: Sequence[Value], attributes: str = "", linkage: str = "internal"
    ) -> str:
        """The whole text of ``void @name(params)`` with this body; `ret void` must be emitted."""
        signature = ", ".join(map(str, params))
        head = f"define {linkage} void @{name}({signature}) {attributes}".rstrip()
        return f"{head} {{\nentry:\n{self.body()}\n}}\n"

    # ------------------------------------------------------------------------- arithmetic

    def _binary(self, integer: str, real: str, a: Value, b: Value) -> Value:
        if a.type != b.type:
            raise TypeError(f"{integer}: {a} and {b} differ in type")
        return self.op(a.type, f"{real if a.is_float else integer} {a}, {b.name}")

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        if a.type == "i64" and "0" in (a.name, b.name):
            return a if b.name == "0" else b
        return self._binary("add", "fadd", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self._binary("sub", "fsub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b."""
        if a.type == "i64" and "1" in (a.name, b.name):
            return a if b.name == "1" else b
        return self._binary("mul", "fmul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        """a / b: of reals, or of unsigned integers.

        LLVM 22 takes 0 / 0 for 0 in lanes where it knows both operands, as in the unused lanes of
        a load, and then leaves out the mask that replaces their NaN. It does not look through a
        fence, which costs no instruction.
        """
        quotient = self._binary("udiv", "fdiv", a, b)
        if not (a.is_vector and a.is_float and b.name.startswith("%")):
            return quotient
        return self.overloaded("arithmetic.fence", quotient)

    def bits(self, operation: str, a: Value, b: Value) -> Value:
        """``and or xor shl lshr ashr`` of integers."""
        return self._binary(operation, operation, a, b)

    def neg(self, a: Value) -> Value:
        """-a of reals: flips the sign."""
        return self.op(a.type, f"fneg {a}")

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """``fcmp`` (``olt oeq uno`` ...) or ``icmp`` (``slt ult eq`` ...) by type."""
        if a.type != b.type:
            raise TypeError(f"compare: {a} and {b} differ in type")
        kind = "fcmp" if a.is_float else "icmp"
        return self.op(like(a.type, "i1"), f"{kind} {predicate} {a}, {b.name}")

    def select(self, c: Value, a: Value, b: Value) -> Value:
        """a where c, else b."""
        if a.type != b.type:
            raise TypeError(f"select: {a} and {b} differ in type")
        return self.op(a.type, f"select {c}, {a}, {b}")

    def convert(self, operation: str, a: Value, scalar: str) -> Value:
        """``trunc zext sext bitcast fpext fptrunc sitofp uitofp`` to elements ``scalar``."""
        to = like(a.type, scalar)
        return self.op(to, f"{operation} {a} to {to}")

    def intrinsic(self, name: str, result: str, *args: Value) -> Value:
        """Call ``llvm.<name>``; the name must carry its overload suffix."""
        self.declare(f"{result} @llvm.{name}({', '.join(a.type for a in args)})")
        return self.op(result, f"call {result} @llvm.{name}({', '.join(map(str, args))})")

    def declare(self, signature: str) -> None:
        """Note that the module needs ``declare signature``."""
        self.declarations.add(f"declare {signature}")

    def overloaded(self, name: str, *args: Value) -> Value:
        """An intrinsic of operands of one type, as ``sqrt fma smin umax abs``."""
        return self.intrinsic(f"{name}.{suffix(args[0].type)}", args[0].type, *args)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c rounded once; twice on processors without the instruction."""
        return self.overloaded("fma" if self.has_fma else "fmuladd", a, b, c)

    # ------------------------------------------------------------------------------ vectors

    def splat(self, a: Value) -> Value:
        """``a`` in all lanes; a vector itself."""
        if a.is_vector:
            return a
        if not a.name.startswith("%"):
            return Value(f"splat ({a})", vector_of(a.type))
        to = vector_of(a.type)
        one = self.op(to, f"insertelement {to} poison, {a}, i64 0")
        return self.op(to, f"shufflevector {one}, {to} poison, {vector_of('i32')} zeroinitializer")

    def extract(self, a: Value, lane: int | Value) -> Value:
        """One lane of a vector."""
        return self.op(scalar_of(a.type), f"extractelement {a}, {_index(lane)}")

    def insert(self, a: Value, item: Value, lane: int | Value) -> Value:
        """``a`` with one lane replaced."""
        return self.op(a.type, f"insertelement {a}, {item}, {_index(lane)}")

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Lanes of the concatenation of a and b; -1 is any."""
        picks = ", ".join("i32 poison" if i < 0 else f"i32 {i}" for i in lanes)
        to = f"<{len(lanes)} x {scalar_of(a.type)}>"
        return self.op(to, f"shufflevector {a}, {b}, <{len(lanes)} x i32> <{picks}>")

    # ------------------------------------------------------------------------------- memory

    def gep(self, pointer: Value, offset: Value | int, scalar: str) -> Value:
        """The address ``offset`` elements of type ``scalar`` behind ``pointer``.

        A vector offset gives a vector of addresses.
        """
        offset = i64(offset) if isinstance(offset, int) else offset
        if offset.name == "0":
            return pointer
        to = like(offset.type, "ptr")
        return self.op(to, f"getelementptr {scalar}, {pointer}, {offset}")

    def load(self, type_: str, pointer: Value, align: int) -> Value:
        """Load a scalar or vector."""
        return self.op(type_, f"load {type_}, {pointer}, align {align}")

    def ask_for(self, pointer: Value, *, written: bool = False) -> None:
        """Prefetch the cache line at ``pointer``, which need not exist, into the nearest cache."""
        self.declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.emit(f"call void @llvm.prefetch.p0({pointer}, i32 {int(written)}, i32 3, i32 1)")

    def store(self, value: Value, pointer: Value, align: int) -> None:
        """Store a scalar or vector."""
        self.emit(f"store {value}, {pointer}, align {align}")

    def masked_load(self, type_: str, pointer: Value, mask: Value, align: int) -> Value:
        """Load the lanes of ``mask``; the others are zero."""
        name = f"llvm.masked.load.{suffix(type_)}.p0"
        self.declare(f"{type_} @{name}(ptr, {mask.type}, {type_})")
        address = f"ptr align {align} {pointer.name}"
        return self.op(type_, f"call {type_} @{name}({address}, {mask}, {type_} zeroinitializer)")

    def masked_store(self, value: Value, pointer: Value, mask: Value, align: int) -> None:
        """Store the lanes of ``mask``."""
        name = f"llvm.masked.store.{suffix(value.type)}.p0"
        self.declare(f"void @{name}({value.type}, ptr, {mask.type})")
        self.emit(f"call void @{name}({value}, ptr align {align} {pointer.name}, {mask})")

    def gather(self, scalar: str, pointers: Value, mask: Value, align: int) -> Value:
        """Load from a vector of addresses; lanes outside ``mask`` are zero."""
        to = vector_of(scalar)
        name = f"llvm.masked.gather.{suffix(to)}.{suffix(pointers.type)}"
        self.declare(f"{to} @{name}({pointers.type}, {mask.type}, {to})")
        address = f"{pointers.type} align {align} {pointers.name}"
        return self.op(to, f"call {to} @{name}({address}, {mask}, {to} zeroinitializer)")

    def scatter(self, value: Value, pointers: Value, mask: Value, align: int) -> None:
        """Store to a vector of addresses, first lane first."""
        name = f"llvm.masked.scatter.{suffix(value.type)}.{suffix(pointers.type)}"
        self.declare(f"void @{name}({value.type}, {pointers.type}, {mask.type})")
        address = f"{pointers.type} align {align} {pointers.name}"
        self.emit(f"call void @{name}({value}, {address}, {mask})")

    # ------------------------------------------------------------------------- control flow

    def label(self, name: str) -> None:
        """Begin a block."""
        self._out.append(f"{name}:")
        self.block = name

    def branch(self, to: str) -> None:
        """Jump."""
        self.emit(f"br label %{to}")

    def branch_if(self, c: Value, yes: str, no: str) -> None:
        """Jump by a condition."""
        self.emit(f"br {c}, label %{yes}, label %{no}")

    def ret(self) -> None:
        """Return from the function."""
        self.emit("ret void")

    @contextmanager
    def when(self, c: Value) -> Iterator[None]:
        """Run the block only if ``c``."""
        yes, after = self.fresh("then"), self.fresh("after")
        self.branch_if(c, yes, after)
        self.label(yes)
        yield
        self.branch(after)
        self.label(after)

    def unless(self, c: Value, value: Value, otherwise: Callable[[], Value]) -> Value:
        """``value``; if ``c``, which should be seldom, what ``otherwise`` emits."""
        seldom, after = self.fresh("seldom"), self.fresh("after")
        before, block = self.block, self.block
        if self.straight:
            before = self.fresh("usual")
            self._pieces |= {before, seldom, after}
            self.branch(before)
            self.label(before)
        self.branch_if(c, seldom, after)
        self.label(seldom)
        other = otherwise()
        last = self.block
        self.branch(after)
        self.label(after)
        if self.straight:
            self.block = block
        edges = f"[{value.name}, %{before}], [{other.name}, %{last}]"
        return self.op(value.type, f"phi {value.type} {edges}")

    @contextmanager
    def loop(self, lo: Value | int, hi: Value | int, step: int = 1) -> Iterator[Value]:
        """``for index in range(lo, hi, step)`` over i64."""
        with self.fold(lo, hi, step, ()) as fold:
            yield fold.index

    @contextmanager
    def fold(
        self, lo: Value | int, hi: Value | int, step: int, start: Sequence[Value]
    ) -> Iterator[Fold]:
        """A `loop` that carries values through its iterations.

        ``with b.fold(0, n, 1, [zero]) as f: f.update(b.add(f.values[0], x))``, then ``f.results``.
        The test stands at the end; a first test is left out when constants show that it holds.
        """
        known = isinstance(lo, int) and isinstance(hi, int)
        if isinstance(lo, int) and isinstance(hi, int) and lo < hi <= lo + step:
            once = Fold(i64(lo), tuple(start))
            yield once
            return
        first = i64(lo) if isinstance(lo, int) else lo
        last = i64(hi) if isinstance(hi, int) else hi
        head, after = self.fresh("loop"), self.fresh("done")
        certain = known and int(first.name) < int(last.name)
        if certain:
            self.branch(head)
        else:
            self.branch_if(self.compare("slt", first, last), head, after)
        before = self.block
        self.label(head)
        phis = self.hook()
        index = Value(f"%{self.fresh('i')}", "i64")
        fold = Fold(index, tuple(Value(f"%{self.fresh('c')}", v.type) for v in start))
        yield fold
        following = self.op("i64", f"add nsw {index}, {step}")
        more = self.compare("slt", following, last)
        latch = self.block
        self.branch_if(more, head, after)
        pairs = [(index, first, following)]
        pairs += list(zip(fold.values, start, fold.results, strict=True))
        for phi, entering, next_ in pairs:
            edges = f"[{entering.name}, %{before}], [{next_.name}, %{latch}]"
            phis.append(f"  {phi.name} = phi {phi.type} {edges}")
        self.label(after)
        if not certain:
            fold.results = tuple(
                self.op(a.type, f"phi {a.type} [{a.name}, %{before}], [{z.name}, %{latch}]")
                for a, z in zip(start, fold.results, strict=True)
            )


def _index(lane: int | Value) -> Value:
    return i64(lane) if isinstance(lane, int) else lane


def _flatten(place: Place, out: list[str]) -> None:
    for item in place:
        if isinstance(item, str):
            out.append(item)
        else:
            _flatten(item, out)
