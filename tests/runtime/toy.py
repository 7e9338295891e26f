"""Small programs in LLVM text that follow the contract of `run`, for tests of the runtime."""

from __future__ import annotations

import functools

from chainrule.codegen.target import emit_objects, host_target

# Each step: every thread adds 1 to its own word (64 bytes apart in the arena) in `phases` phases,
# with a barrier after each; before the barrier of the last phase thread 0 decides whether to leave.
# In each phase a thread also checks that nobody is a phase behind it: a broken barrier is counted
# in the word at arena + 32768. Slot 0 (a state of one i64) counts the steps.
_COUNTING = """
define internal void @barrier(ptr %ctl, i64 %threads) noinline {{
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %exit, label %arrive
arrive:
  %generation.at = getelementptr i8, ptr %ctl, i64 64
  %yield.at = getelementptr i8, ptr %ctl, i64 256
  %yield = load ptr, ptr %yield.at
  %generation = load atomic i32, ptr %generation.at acquire, align 4
  %before = atomicrmw add ptr %ctl, i32 1 acq_rel
  %number = add i32 %before, 1
  %threads32 = trunc i64 %threads to i32
  %last = icmp eq i32 %number, %threads32
  br i1 %last, label %open, label %wait
open:
  store atomic i32 0, ptr %ctl monotonic, align 4
  %next = add i32 %generation, 1
  store atomic i32 %next, ptr %generation.at release, align 4
  br label %exit
wait:
  %n = phi i32 [ 0, %arrive ], [ %n.next, %again ]
  %now = load atomic i32, ptr %generation.at acquire, align 4
  %opened = icmp ne i32 %now, %generation
  br i1 %opened, label %exit, label %idle
idle:
  %n.next = add i32 %n, 1
  %patient = icmp slt i32 %n, 2000
  br i1 %patient, label %again, label %rest
rest:
  call void %yield()
  br label %again
again:
  br label %wait
exit:
  ret void
}}

define internal void @work(ptr %arena, i64 %tid, i64 %threads, i64 %spin) noinline {{
entry:
  %offset = shl i64 %tid, 6
  %mine = getelementptr i8, ptr %arena, i64 %offset
  %old = load i64, ptr %mine
  %new = add i64 %old, 1
  store i64 %new, ptr %mine
  %neighbour = add i64 %tid, 1
  %other = urem i64 %neighbour, %threads
  %other.offset = shl i64 %other, 6
  %theirs = getelementptr i8, ptr %arena, i64 %other.offset
  %seen = load atomic i64, ptr %theirs monotonic, align 8
  %late = icmp slt i64 %seen, %old
  br i1 %late, label %broken, label %busy
broken:
  %errors = getelementptr i8, ptr %arena, i64 32768
  %count = atomicrmw add ptr %errors, i64 1 monotonic
  br label %busy
busy:
  %i = phi i64 [ 0, %entry ], [ 0, %broken ], [ %i.next, %turn ]
  %finished = icmp sge i64 %i, %spin
  br i1 %finished, label %exit, label %turn
turn:
  %i.next = add i64 %i, 1
  call void asm sideeffect "", ""()
  br label %busy
exit:
  ret void
}}

define void @run(ptr %ctl, ptr %externals, ptr %arena, i64 %tid, i64 %threads, i64 %steps) {{
entry:
  %stop.at = getelementptr i8, ptr %ctl, i64 128
  %done.at = getelementptr i8, ptr %ctl, i64 192
  %leave.at = getelementptr i8, ptr %ctl, i64 320
  %state = load ptr, ptr %externals
  %first = icmp eq i64 %tid, 0
  %share = sdiv i64 {spin}, %threads
  br label %step
step:
  %s = phi i64 [ 0, %entry ], [ %s.next, %more ]
  br label %phase
phase:
  %p = phi i64 [ 1, %step ], [ %p.next, %meet ]
  call void @work(ptr %arena, i64 %tid, i64 %threads, i64 %share)
  %final = icmp eq i64 %p, {phases}
  %decides = and i1 %final, %first
  br i1 %decides, label %decide, label %meet
decide:
  %counted = load i64, ptr %state
  %counted.next = add i64 %counted, 1
  store i64 %counted.next, ptr %state
  %done = add i64 %s, 1
  store atomic i64 %done, ptr %done.at monotonic, align 8
  %stop = load atomic i32, ptr %stop.at monotonic, align 4
  store atomic i32 %stop, ptr %leave.at monotonic, align 4
  br label %meet
meet:
  call void @barrier(ptr %ctl, i64 %threads)
  %p.next = add i64 %p, 1
  br i1 %final, label %after, label %phase
after:
  %s.next = add i64 %s, 1
  %enough = icmp eq i64 %s.next, %steps
  %leave = load atomic i32, ptr %leave.at monotonic, align 4
  %left = icmp ne i32 %leave, 0
  %over = or i1 %enough, %left
  br i1 %over, label %exit, label %more
more:
  br label %step
exit:
  ret void
}}
"""

# w += scale * x (16 float32), loss = w[0] + w[15]; slots: x, w, scale (f64, a row each step), loss.
_AXPY = """
define void @run(ptr %ctl, ptr %externals, ptr %arena, i64 %tid, i64 %threads, i64 %steps) {
entry:
  %first = icmp eq i64 %tid, 0
  br i1 %first, label %begin, label %exit
begin:
  %x.at = getelementptr ptr, ptr %externals, i64 0
  %w.at = getelementptr ptr, ptr %externals, i64 1
  %scale.at = getelementptr ptr, ptr %externals, i64 2
  %loss.at = getelementptr ptr, ptr %externals, i64 3
  %done.at = getelementptr i8, ptr %ctl, i64 192
  %stop.at = getelementptr i8, ptr %ctl, i64 128
  %x0 = load ptr, ptr %x.at
  %w = load ptr, ptr %w.at
  %scales = load ptr, ptr %scale.at
  %losses = load ptr, ptr %loss.at
  br label %step
step:
  %s = phi i64 [ 0, %begin ], [ %s.next, %next ]
  %row = mul i64 %s, X_STRIDE
  %x = getelementptr float, ptr %x0, i64 %row
  %scale.now = getelementptr double, ptr %scales, i64 %s
  %scale64 = load double, ptr %scale.now
  %scale = fptrunc double %scale64 to float
  br label %loop
loop:
  %i = phi i64 [ 0, %step ], [ %i.next, %loop ]
  %xi.at = getelementptr float, ptr %x, i64 %i
  %wi.at = getelementptr float, ptr %w, i64 %i
  %xi = load float, ptr %xi.at, align 4
  %wi = load float, ptr %wi.at
  %product = fmul float %scale, %xi
  %sum = fadd float %wi, %product
  store float %sum, ptr %wi.at
  %i.next = add i64 %i, 1
  %whole = icmp eq i64 %i.next, 16
  br i1 %whole, label %close, label %loop
close:
  %w15.at = getelementptr float, ptr %w, i64 15
  %w0 = load float, ptr %w
  %w15 = load float, ptr %w15.at
  %loss = fadd float %w0, %w15
  %loss.now = getelementptr float, ptr %losses, i64 %s
  store float %loss, ptr %loss.now
  %s.next = add i64 %s, 1
  store i64 %s.next, ptr %done.at
  %stop = load atomic i32, ptr %stop.at monotonic, align 4
  %stopped = icmp ne i32 %stop, 0
  %enough = icmp eq i64 %s.next, %steps
  %over = or i1 %enough, %stopped
  br i1 %over, label %exit, label %next
next:
  br label %step
exit:
  ret void
}
"""

BROKEN_AT = 32768
ARENA_BYTES = BROKEN_AT + 64


@functools.cache
def counting(phases: int = 3, spin: int = 0) -> tuple[bytes, ...]:
    """A program of `phases` barriers a step; all threads together turn `spin` loops in a phase."""
    return emit_objects([_COUNTING.format(phases=phases, spin=spin)], host_target())


@functools.cache
def axpy(stepped: bool = False) -> tuple[bytes, ...]:
    """w += scale * x; with ``stepped``, each step takes the next 16 elements of x."""
    return emit_objects([_AXPY.replace("X_STRIDE", "16" if stepped else "0")], host_target())
