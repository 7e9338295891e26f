"""Objects become callable code, and what is no object becomes an error."""

from __future__ import annotations

import ctypes
import gc
import random
import subprocess
import sys
import weakref

import pytest

from chainrule.codegen.target import emit_objects, host_target
from chainrule.errors import CompileError
from chainrule.runtime.link import link

_ANSWER = """
@table = internal constant [2 x i64] [i64 41, i64 43], align 64
define i64 @answer(i64 %i) {
  %at = getelementptr i64, ptr @table, i64 %i
  %v = load i64, ptr %at
  %r = sub i64 %v, 1
  ret i64 %r
}
define i64 @twice(i64 %x) {
  %r = add i64 %x, %x
  ret i64 %r
}
"""


@pytest.fixture(scope="module")
def answer() -> tuple[bytes, ...]:
    return emit_objects([_ANSWER], host_target())


def call(address: int, argument: int) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(argument))


def test_symbols_are_found_and_constants_reached(answer: tuple[bytes, ...]) -> None:
    linked = link(answer, ["answer", "twice"])
    assert call(linked.addresses["answer"], 1) == 42
    assert call(linked.addresses["twice"], -7) == -14


def test_code_outlives_garbage_collection_while_its_owner_lives(answer: tuple[bytes, ...]) -> None:
    linked = link(answer, ["answer"])
    for _ in range(20):
        link(answer, ["answer"])
    gc.collect()
    assert call(linked.addresses["answer"], 0) == 40


def test_close_frees_once(answer: tuple[bytes, ...]) -> None:
    linked = link(answer, ["answer"])
    assert not linked.closed
    linked.close()
    linked.close()
    assert linked.closed


def test_an_owner_without_references_goes_at_once(answer: tuple[bytes, ...]) -> None:
    linked = link(answer, ["answer"])
    gone = weakref.ref(linked)
    del linked
    assert gone() is None


def test_every_truncation_is_an_error(answer: tuple[bytes, ...]) -> None:
    [content] = answer
    for length in range(0, len(content), 7):
        with pytest.raises(CompileError, match="cannot be loaded"):
            link([content[:length]], ["answer"])


def test_random_bytes_are_an_error() -> None:
    source = random.Random(0)
    for length in (0, 1, 4, 64, 1000, 5000):
        with pytest.raises(CompileError, match="cannot be loaded"):
            link([source.randbytes(length)], ["answer"])


def test_a_missing_symbol_is_an_error(answer: tuple[bytes, ...]) -> None:
    with pytest.raises(CompileError, match="nowhere"):
        link(answer, ["answer", "nowhere"])


def test_a_reference_to_outside_is_an_error() -> None:
    text = "declare void @outside()\ndefine void @f() {\n call void @outside()\n ret void\n}"
    with pytest.raises(CompileError, match="cannot be loaded"):
        link(emit_objects([text], host_target()), ["f"])


def test_objects_call_one_another() -> None:
    one = "declare hidden i64 @inner(i64)\ndefine i64 @f(i64 %x) {\n"
    one += " %r = call i64 @inner(i64 %x)\n ret i64 %r\n}"
    two = "@add = internal constant i64 5\ndefine hidden i64 @inner(i64 %x) {\n"
    two += " %c = load i64, ptr @add\n %r = add i64 %x, %c\n ret i64 %r\n}"
    linked = link(emit_objects([one, two], host_target()), ["f"])
    assert call(linked.addresses["f"], 2) == 7


_MANY = """
from chainrule.runtime.link import link
from runtime.toy import counting
import ctypes
objects = counting()
def held():  # not the peak, which a process takes over from the one that starts it
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
def growth(kept):
    begin = held()
    for _ in range(160):
        linked = link(objects, ["run"])
        if kept is not None:
            kept.append(linked)
    return held() - begin
growth(None)
print(growth(None), growth([]))
"""


def test_many_links_do_not_grow_memory(python_path: dict[str, str]) -> None:
    """Next to as many that are kept."""
    done = subprocess.run(
        [sys.executable, "-c", _MANY], capture_output=True, text=True, env=python_path, check=True
    )
    dropped, kept = map(int, done.stdout.split())
    assert 4 * dropped < kept
