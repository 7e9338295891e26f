"""Programs take arrays, return fresh arrays and keep their state, whole steps at a time."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pytest

from chainrule.codegen.target import emit_objects, host_target
from chainrule.errors import ChainruleError, DTypeError, ShapeError, StateError, VerifyError
from chainrule.ir.memory import aligned_copy, aligned_empty
from chainrule.runtime.description import ProgramMeta, Slot
from chainrule.runtime.link import link
from chainrule.runtime.processors import set_num_threads
from chainrule.runtime.program import NativeProgram
from effort import effort
from runtime import toy
from runtime.programs import F32, axpy_meta, axpy_program, counting_program

X = np.linspace(-1, 1, 16, dtype=np.float32)


def test_one_step() -> None:
    program, w = axpy_program()
    (loss,) = program(X, scalars=[2.0])
    np.testing.assert_array_equal(w, 2 * X)
    assert loss.shape == ()
    assert loss.dtype == np.float32
    assert loss == w[0] + w[15]
    assert program.steps_done == 1


def test_outputs_are_fresh() -> None:
    program, _ = axpy_program()
    x = np.arange(16, dtype=np.float32)
    losses = [program(x, scalars=[s])[0] for s in (1.0, 2.0, 3.0, 4.0, 5.0)]
    assert [float(v) for v in losses] == [15.0, 45.0, 90.0, 150.0, 225.0]


def test_views_and_other_layouts_are_taken() -> None:
    program, w = axpy_program()
    base = np.arange(64, dtype=np.float32)
    program(base[1:33:2], scalars=[1.0])
    np.testing.assert_array_equal(w, base[1:33:2])
    program(base[15::-1], scalars=np.array([1.0]))
    np.testing.assert_array_equal(w, base[1:33:2] + base[15::-1])


@pytest.mark.parametrize("stepped", [False, True])
def test_a_loop_equals_single_calls(stepped: bool) -> None:
    source = np.random.default_rng(0)
    xs = source.standard_normal((50, 16), np.float32)
    scales = source.standard_normal((50, 1))
    one, w_one = axpy_program(stepped)
    many, w_many = axpy_program(stepped)
    losses = [one(xs[s if stepped else 0], scalars=scales[s])[0] for s in range(50)]
    (column,) = many.run_many(50, xs if stepped else xs[0], scalars=scales)
    np.testing.assert_array_equal(column, np.array(losses))
    np.testing.assert_array_equal(w_many, w_one)
    assert many.steps_done == 50
    # Calls and loops may alternate.
    np.testing.assert_array_equal(many(xs[3], scalars=[0.5])[0], one(xs[3], scalars=[0.5])[0])
    again = many.run_many(2, xs[:2] if stepped else xs[0], scalars=scales[:2])[0]
    assert again.shape == (2,)


def test_a_loop_takes_rows_that_do_not_lie_in_order() -> None:
    xs = np.asfortranarray(np.arange(48, dtype=np.float32).reshape(3, 16))
    program, w = axpy_program(stepped=True)
    program.run_many(3, xs, scalars=np.ones((3, 1)))
    np.testing.assert_array_equal(w, xs.sum(0))


def test_wrong_arguments_are_named() -> None:
    program, w = axpy_program()
    with pytest.raises(ShapeError, match=r"arg x has shape \(15,\)"):
        program(X[:15], scalars=[1.0])
    with pytest.raises(DTypeError, match="arg x is float64"):
        program(X.astype(np.float64), scalars=[1.0])
    with pytest.raises(ShapeError, match="takes 1 arrays and 1 scalars, not 2 and 1"):
        program(X, X, scalars=[1.0])
    with pytest.raises(ShapeError, match="not 1 and 0"):
        program(X)
    with pytest.raises(ShapeError, match=r"scalars of shape \(2, 1\)"):
        program.run_many(3, X, scalars=np.ones((2, 1)))
    with pytest.raises(ShapeError, match="invalid number of steps: 0"):
        program.run_many(0, X, scalars=np.ones((0, 1)))
    stepped, _ = axpy_program(stepped=True)
    with pytest.raises(ShapeError, match=r"compiled for \(3, 16\)"):
        stepped.run_many(3, X, scalars=np.ones((3, 1)))
    assert not w.any()


def test_states_are_checked_when_bound() -> None:
    linked = link(toy.axpy(), ["run"])
    good = aligned_empty((16,), np.float32)

    def refused(w: np.ndarray, error: type[ChainruleError], match: str) -> None:
        with pytest.raises(error, match=match):
            NativeProgram(linked, axpy_meta(), {"w": w})

    refused(good[:8], ShapeError, r"state w has shape \(8,\)")
    refused(good.astype(np.float64), DTypeError, "state w is float64")
    refused(aligned_empty((17,), np.float32)[1:], StateError, "multiple of 64")
    refused(aligned_empty((32,), np.float32)[::2], StateError, "strides")
    good.flags.writeable = False
    refused(good, StateError, "read-only")
    with pytest.raises(StateError, match="needs state w"):
        NativeProgram(linked, axpy_meta())


def test_binding_other_memory() -> None:
    program, first = axpy_program()
    program(X, scalars=[1.0])
    second = aligned_empty((16,), np.float32)
    second.fill(10)
    program.bind({"w": second})
    program(X, scalars=[1.0])
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(second, np.float32(10) + X)


_COPY = """
define void @run(ptr %ctl, ptr %externals, ptr %arena, i64 %tid, i64 %threads, i64 %steps) {
  %to.at = getelementptr ptr, ptr %externals, i64 1
  %from = load ptr, ptr %externals
  %to = load ptr, ptr %to.at
  call void @llvm.memcpy.inline.p0.p0.i64(ptr %to, ptr %from, i64 BYTES, i1 false)
  %done = getelementptr i8, ptr %ctl, i64 192
  store i64 %steps, ptr %done
  ret void
}
declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)
"""


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("strides", [None, (1, 160)])
@pytest.mark.parametrize("shape", [(160, 3), (160, 200)])
def test_small_and_large_arrays_in_any_layout(
    shape: tuple[int, int], strides: tuple[int, int] | None, aligned: bool
) -> None:
    nbytes = shape[0] * shape[1] * 4
    code = emit_objects([_COPY.replace("BYTES", str(nbytes))], host_target())
    slots = (
        Slot("x", "arg", F32, shape, strides=strides, aligned=aligned),
        Slot("y", "output", F32, (nbytes // 4,)),
    )
    program = NativeProgram(link(code, ["run"]), ProgramMeta(slots, 0))
    base = np.random.default_rng(1).standard_normal((shape[0] + 1, shape[1] + 1), np.float32)
    order = "C" if strides is None else "F"
    results = []
    for x in (base[1:, 1:], np.asfortranarray(base[:-1, :-1]), aligned_copy(base[:-1, 1:])):
        (y,) = program(x)
        np.testing.assert_array_equal(y, x.ravel(order))
        results.append((y, y.copy()))
    for y, kept in results:
        np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_slices_on_any_number_of_threads_do_whole_steps(threads: int) -> None:
    set_num_threads(threads)
    program, count = counting_program(phases=2, spin=4000)
    program.run_many(2000)
    assert count[0] == 2000
    assert program.steps_done == 2000
    for _ in range(8):
        program()
    assert count[0] == 2008


def stopper_of(program: NativeProgram) -> threading.Thread:
    """A thread that stops the program's next call, once it has done a step."""
    program.forget_steps()

    def stop() -> None:
        while not program.steps_done:
            time.sleep(0.001)
        program.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def test_stop_ends_a_loop_between_two_steps() -> None:
    set_num_threads(3)
    program, count = counting_program(phases=2, spin=20_000)
    program.stop()  # nothing runs: no effect
    program.run_many(10)
    assert program.steps_done == 10
    stopper = stopper_of(program)
    program.run_many(10**9)  # which would take hours
    stopper.join()
    assert 0 < program.steps_done < 10**9
    assert count[0] == program.steps_done + 10


def test_rows_of_steps_not_done_are_left_out() -> None:
    program, w = axpy_program()
    steps = 200_000_000 // 16
    rates = np.ones((steps, 1))
    stopper = stopper_of(program)
    (losses,) = program.run_many(steps, X * 0 + 1, scalars=rates)
    stopper.join()
    assert len(losses) == program.steps_done
    assert losses[-1] == 2 * w[0]


def test_calls_from_several_threads_are_serialised() -> None:
    set_num_threads(2)
    program, count = counting_program(phases=2)
    callers = [
        threading.Thread(target=lambda: [program.run_many(7) for _ in range(50)]) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert count[0] == 4 * 50 * 7


def test_programs_are_collected() -> None:
    program, _ = axpy_program()
    program(X, scalars=[1.0])
    linked, gone = weakref.ref(program._linked), weakref.ref(program)
    del program
    gc.collect()
    assert gone() is None
    assert linked() is None


def test_a_closed_program_says_so() -> None:
    program, _ = axpy_program()
    for _ in range(5):
        program(X, scalars=[1.0])
    program.close()
    program.close()
    with pytest.raises(StateError, match="was closed"):
        program(X, scalars=[1.0])


_WRITE_PAST = """
define void @run(ptr %ctl, ptr %externals, ptr %arena, i64 %tid, i64 %threads, i64 %steps) {
  %to = load ptr, ptr %externals
  %value = load float, ptr %arena
  store float %value, ptr %to
  %past = getelementptr i8, ptr %arena, i64 64
  store i8 1, ptr %past
  %done = getelementptr i8, ptr %ctl, i64 192
  store i64 %steps, ptr %done
  ret void
}
"""


def test_a_guarded_program_shows_bad_reads_and_writes() -> None:
    linked = link(emit_objects([_WRITE_PAST], host_target()), ["run"])
    out = Slot("y", "output", F32, ())
    guarded = NativeProgram(linked, ProgramMeta((out,), 64), guarded=True)
    with pytest.raises(VerifyError, match="past the end"):
        guarded()
    (value,) = NativeProgram(linked, ProgramMeta((out,), 128), guarded=True)()
    assert np.isnan(value)


def test_a_tiny_call_takes_microseconds() -> None:
    """About twice as long as the unit."""
    program, _ = axpy_program()
    assert effort(lambda: program(X, scalars=(1.0,))) < 8
