"""The native code in which idle threads wait, as LLVM text.

A thread that waits in Python needs the interpreter's lock to wake: 12 us, or many milliseconds when
another Python thread is busy. A thread that waits here sees new work in a microsecond.

The box is memory in lines of 64 bytes, laid out by the constants below.

``park(box, tid)`` runs jobs until there was none for about 50 ms, or the box closes. ``lead(box,
entry, control, externals, arena, threads, steps)`` returns how many workers are away; with none, it
has run the job on all threads. ``lead_now`` runs it in any case: those who are away must be on
their way. A worker says that it is away and then looks at ``hold``; the leader sets ``hold`` and
then looks who is away: with sequential consistency one of the two sees the other.

``apart(box, tid, leader)`` is called by a worker that has waited for long at a barrier, ``leader``
being the processor of thread 0. If it is the worker's own, the system has put the two together and
would leave them so for some 10 ms, in which they take turns: the worker moves to its own place.
"""

from __future__ import annotations

from ..codegen import spmd
from ..codegen.target import Target

__all__ = [
    "CLOSING",
    "COLUMNS",
    "FUNCTIONS",
    "HOLD",
    "PLACES",
    "SLEEP",
    "SPINS",
    "SYSTEM",
    "YIELD",
    "away_word",
    "box_bytes",
    "parking_text",
]

# Byte offsets in the box.
HOLD = 0  # i32: a job is about to come, nobody leaves (the text calls it %box)
DONE = 64  # i32: workers that finished the job
CLOSING = 128  # i32: everybody leaves
ENTRY, CONTROL, EXTERNALS, ARENA = 192, 200, 208, 216  # the job: pointers
THREADS, STEPS = 224, 232  # the job: i64
YIELD, SLEEP = 256, 264  # pointers to functions that give the processor away, and that sleep
SPINS = 272  # i32: rounds before a waiting thread does either
PLACES, COLUMNS = 280, 288  # where threads belong: a table of i32 (pointer), its rows' length i64
#: pointers to sched_getcpu, sched_getaffinity, sched_setaffinity; null: threads stay
SYSTEM = 296
WORKERS = 320  # a line for each thread
# Byte offsets in a worker's line. Its start is called go, i32: a job is there.
AWAY = 4  # i32: the worker waits in Python
_LINE_BITS = 6

FUNCTIONS = ("park", "lead", "lead_now", "apart")

_YIELDS = 4000  # 1 to 2 ms when nobody else wants the processor
_SLEEPS = 450  # of 50 us, about 100 us each with the timer's slack
_NAP = 50


def box_bytes(threads: int) -> int:
    """The size of a box for at most ``threads`` threads."""
    return WORKERS + (threads + 1 << _LINE_BITS)


def away_word(tid: int) -> int:
    """The offset of the word that says whether worker ``tid`` waits in Python."""
    return WORKERS + (tid << _LINE_BITS) + AWAY


def parking_text(target: Target) -> str:
    """The module for ``target``."""
    pause, declaration = spmd.pause_text(target)
    return _TEXT.format(
        pause=pause,
        declaration=declaration,
        yields=_YIELDS,
        patience=_YIELDS + _SLEEPS,
        nap=_NAP,
        done=DONE,
        closing=CLOSING,
        entry=ENTRY,
        control=CONTROL,
        externals=EXTERNALS,
        arena=ARENA,
        threads=THREADS,
        steps=STEPS,
        yielder=YIELD,
        sleeper=SLEEP,
        spins=SPINS,
        places=PLACES,
        columns=COLUMNS,
        locator=SYSTEM,
        reader=SYSTEM + 8,
        writer=SYSTEM + 16,
        workers=WORKERS,
        away=AWAY,
        line_bits=_LINE_BITS,
        program_where=spmd.WHERE,
        program_apart=spmd.APART,
        program_box=spmd.BOX,
    )


# `rest` waits a little, the longer the more often it was called: n counts the calls of this wait.
_TEXT = """
declare {declaration}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define internal void @rest(ptr %box, i64 %n) noinline nounwind {{
  %spins.at = getelementptr i8, ptr %box, i64 {spins}
  %spins32 = load i32, ptr %spins.at
  %spins = sext i32 %spins32 to i64
  %spinning = icmp slt i64 %n, %spins
  br i1 %spinning, label %spin, label %slow
spin:
  {pause}
  ret void
slow:
  %yields = add i64 %spins, {yields}
  %yielding = icmp slt i64 %n, %yields
  br i1 %yielding, label %yield, label %sleep
yield:
  %yield.at = getelementptr i8, ptr %box, i64 {yielder}
  %yield.fn = load ptr, ptr %yield.at
  call void %yield.fn()
  ret void
sleep:
  %sleep.at = getelementptr i8, ptr %box, i64 {sleeper}
  %sleep.fn = load ptr, ptr %sleep.at
  call void %sleep.fn(i32 {nap})
  ret void
}}

define void @apart(ptr %box, i64 %tid, i32 %leader) noinline nounwind {{
entry:
  %all = alloca [128 x i8], align 16
  %one = alloca [128 x i8], align 16
  %locator = getelementptr i8, ptr %box, i64 {locator}
  %where = load ptr, ptr %locator
  %here = call i32 %where()
  %together = icmp eq i32 %here, %leader
  %follows = icmp ne i64 %tid, 0
  %mine = and i1 %together, %follows
  br i1 %mine, label %look, label %out

look:                                             ; where do I belong?
  %columns.at = getelementptr i8, ptr %box, i64 {columns}
  %columns = load i64, ptr %columns.at
  %column = zext i32 %here to i64
  %listed = icmp ult i64 %column, %columns
  br i1 %listed, label %find, label %out
find:
  %table.at = getelementptr i8, ptr %box, i64 {places}
  %table = load ptr, ptr %table.at
  %row = mul i64 %tid, %columns
  %entry.number = add i64 %row, %column
  %entry.at = getelementptr i32, ptr %table, i64 %entry.number
  %place = load i32, ptr %entry.at
  %outside = icmp ugt i32 %place, 1023
  %there = icmp eq i32 %place, %here
  %stay = or i1 %outside, %there
  br i1 %stay, label %out, label %ask

ask:                                              ; may I be there?
  %reader.at = getelementptr i8, ptr %box, i64 {reader}
  %reader = load ptr, ptr %reader.at
  %failed = call i32 %reader(i32 0, i64 128, ptr %all)
  %known = icmp eq i32 %failed, 0
  br i1 %known, label %check, label %out
check:
  %byte = lshr i32 %place, 3
  %shift = and i32 %place, 7
  %bit32 = shl i32 1, %shift
  %bit = trunc i32 %bit32 to i8
  %old.at = getelementptr i8, ptr %all, i32 %byte
  %old = load i8, ptr %old.at
  %allowed = and i8 %old, %bit
  %usable = icmp ne i8 %allowed, 0
  br i1 %usable, label %move, label %out

move:                                             ; go there, and leave the choice as it was
  call void @llvm.memset.p0.i64(ptr %one, i8 0, i64 128, i1 false)
  %new.at = getelementptr i8, ptr %one, i32 %byte
  store i8 %bit, ptr %new.at
  %writer.at = getelementptr i8, ptr %box, i64 {writer}
  %writer = load ptr, ptr %writer.at
  %moved = call i32 %writer(i32 0, i64 128, ptr %one)
  %freed = call i32 %writer(i32 0, i64 128, ptr %all)
  br label %out
out:
  ret void
}}

define void @park(ptr %box, i64 %tid) nounwind {{
entry:
  %done = getelementptr i8, ptr %box, i64 {done}
  %closing = getelementptr i8, ptr %box, i64 {closing}
  %entry.at = getelementptr i8, ptr %box, i64 {entry}
  %control.at = getelementptr i8, ptr %box, i64 {control}
  %externals.at = getelementptr i8, ptr %box, i64 {externals}
  %arena.at = getelementptr i8, ptr %box, i64 {arena}
  %threads.at = getelementptr i8, ptr %box, i64 {threads}
  %steps.at = getelementptr i8, ptr %box, i64 {steps}
  %spins.at = getelementptr i8, ptr %box, i64 {spins}
  %spins32 = load i32, ptr %spins.at
  %spins = sext i32 %spins32 to i64
  %limit = add i64 %spins, {patience}
  %lines = getelementptr i8, ptr %box, i64 {workers}
  %offset = shl i64 %tid, {line_bits}
  %go = getelementptr i8, ptr %lines, i64 %offset
  %away = getelementptr i8, ptr %go, i64 {away}
  br label %back

back:                                             ; also: somebody is about to post, so stay
  store atomic i32 0, ptr %away seq_cst, align 4
  br label %wait

wait:
  %n = phi i64 [ 0, %back ], [ %n.next, %idle ], [ 0, %work ]
  %go.now = load atomic i32, ptr %go acquire, align 4
  %posted = icmp ne i32 %go.now, 0
  br i1 %posted, label %work, label %look

look:
  %closing.now = load atomic i32, ptr %closing acquire, align 4
  %closed = icmp ne i32 %closing.now, 0
  br i1 %closed, label %end, label %count

count:
  %tired = icmp sge i64 %n, %limit
  br i1 %tired, label %leave, label %idle

idle:
  call void @rest(ptr %box, i64 %n)
  %n.next = add i64 %n, 1
  br label %wait

leave:
  store atomic i32 1, ptr %away seq_cst, align 4
  %hold.now = load atomic i32, ptr %box seq_cst, align 4
  %held = icmp ne i32 %hold.now, 0
  br i1 %held, label %back, label %gone

work:
  store atomic i32 0, ptr %go monotonic, align 4
  %fn = load ptr, ptr %entry.at
  %control = load ptr, ptr %control.at
  %externals = load ptr, ptr %externals.at
  %arena = load ptr, ptr %arena.at
  %threads = load i64, ptr %threads.at
  %steps = load i64, ptr %steps.at
  call void %fn(ptr %control, ptr %externals, ptr %arena, i64 %tid, i64 %threads, i64 %steps)
  %before = atomicrmw add ptr %done, i32 1 release
  br label %wait

end:
  store atomic i32 1, ptr %away seq_cst, align 4
  br label %gone
gone:
  ret void
}}

define i64 @lead(ptr %box, ptr %fn, ptr %control, ptr %externals, ptr %arena, i64 %threads,
                 i64 %steps) nounwind {{
entry:
  %lines = getelementptr i8, ptr %box, i64 {workers}
  store atomic i32 1, ptr %box seq_cst, align 4
  br label %loop
loop:
  %tid = phi i64 [ 1, %entry ], [ %tid.next, %body ]
  %sum = phi i64 [ 0, %entry ], [ %sum.next, %body ]
  %more = icmp slt i64 %tid, %threads
  br i1 %more, label %body, label %decide
body:
  %offset = shl i64 %tid, {line_bits}
  %go = getelementptr i8, ptr %lines, i64 %offset
  %away = getelementptr i8, ptr %go, i64 {away}
  %away.now = load atomic i32, ptr %away seq_cst, align 4
  %one = sext i32 %away.now to i64
  %sum.next = add i64 %sum, %one
  %tid.next = add i64 %tid, 1
  br label %loop
decide:
  %complete = icmp eq i64 %sum, 0
  br i1 %complete, label %run, label %exit
run:
  call void @lead_now(ptr %box, ptr %fn, ptr %control, ptr %externals, ptr %arena, i64 %threads,
                      i64 %steps)
  ret i64 0
exit:
  ret i64 %sum
}}

define void @lead_now(ptr %box, ptr %fn, ptr %control, ptr %externals, ptr %arena, i64 %threads,
                      i64 %steps) nounwind {{
entry:
  %done = getelementptr i8, ptr %box, i64 {done}
  %entry.at = getelementptr i8, ptr %box, i64 {entry}
  %control.at = getelementptr i8, ptr %box, i64 {control}
  %externals.at = getelementptr i8, ptr %box, i64 {externals}
  %arena.at = getelementptr i8, ptr %box, i64 {arena}
  %threads.at = getelementptr i8, ptr %box, i64 {threads}
  %steps.at = getelementptr i8, ptr %box, i64 {steps}
  %lines = getelementptr i8, ptr %box, i64 {workers}
  store ptr %fn, ptr %entry.at
  store ptr %control, ptr %control.at
  store ptr %externals, ptr %externals.at
  store ptr %arena, ptr %arena.at
  store i64 %threads, ptr %threads.at
  store i64 %steps, ptr %steps.at
  store atomic i32 0, ptr %done monotonic, align 4
  %locator = getelementptr i8, ptr %box, i64 {locator}
  %where = load ptr, ptr %locator
  %where.at = getelementptr i8, ptr %control, i64 {program_where}
  %apart.at = getelementptr i8, ptr %control, i64 {program_apart}
  %box.at = getelementptr i8, ptr %control, i64 {program_box}
  store ptr %where, ptr %where.at
  store ptr @apart, ptr %apart.at
  store ptr %box, ptr %box.at
  br label %loop
loop:
  %tid = phi i64 [ 1, %entry ], [ %tid.next, %body ]
  %more = icmp slt i64 %tid, %threads
  br i1 %more, label %body, label %run
body:
  %offset = shl i64 %tid, {line_bits}
  %go = getelementptr i8, ptr %lines, i64 %offset
  store atomic i32 1, ptr %go release, align 4
  %tid.next = add i64 %tid, 1
  br label %loop
run:
  call void %fn(ptr %control, ptr %externals, ptr %arena, i64 0, i64 %threads, i64 %steps)
  %workers64 = sub i64 %threads, 1
  %workers = trunc i64 %workers64 to i32
  br label %wait
wait:
  %n = phi i64 [ 0, %run ], [ %n.next, %idle ]
  %finished = load atomic i32, ptr %done acquire, align 4
  %complete = icmp sge i32 %finished, %workers
  br i1 %complete, label %exit, label %idle
idle:
  call void @rest(ptr %box, i64 %n)
  %n.next = add i64 %n, 1
  br label %wait
exit:
  store atomic i32 0, ptr %box release, align 4
  ret void
}}
"""
