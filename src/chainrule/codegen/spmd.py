"""What all threads of a program share: the barrier, the control block, the floating-point mode."""

from __future__ import annotations

from .builder import Builder
from .target import Target
from .values import Value, const, i64

# Byte offsets in the control block; a cache line each, where threads meet.
# Arrivals are counted at its very start.
GENERATION, STOP, DONE, YIELD, SLEEP, LEAVE = 64, 128, 192, 256, 264, 320
WHERE, APART, BOX, TELL, FILE, LEADER, CLAIMS = 272, 280, 288, 296, 304, 384, 448
MAX_THREADS = 256
CLAIMED_CHAINS = 8  # of one phase, whose pieces idle threads may take
CLAIMS_OF_THREAD = 2 * 8 * CLAIMED_CHAINS  # bytes: words of this chain phase, and of the next
CONTROL_BYTES = CLAIMS + MAX_THREADS * CLAIMS_OF_THREAD

SPINS = 2000  # pauses before a waiting thread gives its processor away
YIELDS = 400  # yields before it sleeps
NAP = 50  # microseconds

FLUSH_X86 = 0x8040  # flush to zero, denormals are zero
FLUSH_ARM = 1 << 24

#: that another module has the barrier
BARRIER = "declare hidden void @barrier(ptr, i64, i64)"
_BARRIER = """\
define {linkage} void @barrier(ptr %ctl, i64 %tid, i64 %threads) noinline nounwind {{
entry:
  %alone = icmp ule i64 %threads, 1
  br i1 %alone, label %out, label %come
come:
  %leader = getelementptr i8, ptr %ctl, i64 {leader}
  %locator = getelementptr i8, ptr %ctl, i64 {where}
  %where = load ptr, ptr %locator, align 8
  %unknown = icmp eq ptr %where, null
  %follows = icmp ne i64 %tid, 0
  %silent = or i1 %unknown, %follows
  br i1 %silent, label %arrive, label %tell
tell:
  %here = call i32 %where()
  store atomic i32 %here, ptr %leader monotonic, align 4
  br label %arrive
arrive:
  %generation = getelementptr i8, ptr %ctl, i64 {generation}
  %old = load atomic i32, ptr %generation acquire, align 4
  %before = atomicrmw add ptr %ctl, i32 1 acq_rel
  %count = trunc i64 %threads to i32
  %others = sub i32 %count, 1
  %last = icmp eq i32 %before, %others
  br i1 %last, label %open, label %wait
open:
  store atomic i32 0, ptr %ctl monotonic, align 4
  %new = add i32 %old, 1
  store atomic i32 %new, ptr %generation release, align 4
  br label %out
wait:
  %tries = phi i32 [0, %arrive], [%more, %again]
  %now = load atomic i32, ptr %generation acquire, align 4
  %moved = icmp ne i32 %now, %old
  br i1 %moved, label %out, label %hold
hold:
  %more = add i32 %tries, 1
  %busy = icmp ult i32 %tries, {spins}
  br i1 %busy, label %spin, label %slow
spin:
  {pause}
  br label %again
slow:
  %first = icmp eq i32 %tries, {spins}
  %movable = xor i1 %unknown, true
  %look = and i1 %first, %movable
  br i1 %look, label %part, label %rest
part:
  %parter = getelementptr i8, ptr %ctl, i64 {apart}
  %apart = load ptr, ptr %parter, align 8
  %boxed = getelementptr i8, ptr %ctl, i64 {box}
  %box = load ptr, ptr %boxed, align 8
  %there = load atomic i32, ptr %leader monotonic, align 4
  call void %apart(ptr %box, i64 %tid, i32 %there)
  br label %rest
rest:
  %short = icmp ult i32 %tries, {naps}
  br i1 %short, label %give, label %sleep
give:
  %yielder = getelementptr i8, ptr %ctl, i64 {yielder}
  %yield = load ptr, ptr %yielder, align 8
  call void %yield()
  br label %again
sleep:
  %sleeper = getelementptr i8, ptr %ctl, i64 {sleeper}
  %nap = load ptr, ptr %sleeper, align 8
  call void %nap(i32 {nap})
  br label %again
again:
  br label %wait
out:
  ret void
}}
"""


_TELL = """\
define internal void @tell(ptr %ctl, i64 %count) noinline nounwind {{
entry:
  %teller = getelementptr i8, ptr %ctl, i64 {tell}
  %write = load ptr, ptr %teller, align 8
  %unheard = icmp eq ptr %write, null
  br i1 %unheard, label %out, label %say
say:
  %named = getelementptr i8, ptr %ctl, i64 {file}
  %file = load i32, ptr %named, align 4
  %told = call i64 %write(i32 %file, ptr %ctl, i64 %count)
  br label %out
out:
  ret void
}}
"""


def pause_text(target: Target) -> tuple[str, str]:
    """The call that makes a spinning thread cheap for its neighbour, and what is to be declared."""
    if target.is_x86:
        return "call void @llvm.x86.sse2.pause()", "void @llvm.x86.sse2.pause()"
    if target.triple.startswith(("aarch64", "arm64")):
        return "call void @llvm.aarch64.hint(i32 1)", "void @llvm.aarch64.hint(i32)"
    return "fence seq_cst", "void @llvm.donothing()"


def barrier_text(target: Target, linkage: str) -> tuple[str, str]:
    """The function `@barrier(ctl, tid, threads)`, and the declaration it needs.

    Waiting threads spin, then yield, then sleep: with more threads than processors pure spinning
    would wait for the end of a time slice. Thread 0 tells where it runs, so that one that waits for
    long may see that it has been put on the same processor, and leave it.
    """
    pause, declaration = pause_text(target)
    text = _BARRIER.format(
        linkage=linkage,
        generation=GENERATION,
        spins=SPINS,
        naps=SPINS + YIELDS,
        yielder=YIELD,
        sleeper=SLEEP,
        nap=NAP,
        where=WHERE,
        apart=APART,
        box=BOX,
        leader=LEADER,
        pause=pause,
    )
    return text, f"declare {declaration}"


def tell_text() -> str:
    """The function `@tell(ctl, count)`: so many groups of outputs more are complete.

    Whoever listens reads as many bytes from a pipe, whatever they are; most of the time nobody
    does.
    """
    return _TELL.format(tell=TELL, file=FILE)


def flush_subnormals(b: Builder, target: Target) -> Value:
    """Switch to flushing subnormal numbers to zero; returns what `restore_mode` needs."""
    if not target.is_x86:
        old = b.intrinsic("aarch64.get.fpcr", "i64")
        _set_arm(b, b.bits("or", old, i64(FLUSH_ARM)))
        return old
    slot, scratch = b.op("ptr", "alloca i32, align 4"), b.op("ptr", "alloca i32, align 4")
    _control_x86(b, "stmxcsr", slot)
    old = b.load("i32", slot, 4)
    b.store(b.bits("or", old, const("i32", FLUSH_X86)), scratch, 4)
    _control_x86(b, "ldmxcsr", scratch)
    return slot


def restore_mode(b: Builder, target: Target, saved: Value) -> None:
    """Back to the caller's floating-point mode."""
    if target.is_x86:
        _control_x86(b, "ldmxcsr", saved)
    else:
        _set_arm(b, saved)


def _control_x86(b: Builder, name: str, slot: Value) -> None:
    b.declare(f"void @llvm.x86.sse.{name}(ptr)")
    b.emit(f"call void @llvm.x86.sse.{name}({slot})")


def _set_arm(b: Builder, value: Value) -> None:
    b.declare("void @llvm.aarch64.set.fpcr(i64)")
    b.emit(f"call void @llvm.aarch64.set.fpcr({value})")
