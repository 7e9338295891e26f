"""No test depends on the mood of the machine: how long something took, or how much memory, is
never compared with a number, and with another time only as a ratio, so that a margin stands there.

Deadlines, which catch hangs, may be compared with the clock. Nor does a test set the clock of the
whole process, which any other thread may read meanwhile: it gives one module a clock of its own.
Nor does it depend on what ran before it.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"

#: functions and attributes whose values are seconds or bytes of this process
MEASURES = {
    "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
    "process_time_ns", "thread_time", "thread_time_ns", "getrusage", "get_traced_memory",
    "ru_maxrss", "ru_utime", "ru_stime",
}  # fmt: skip
#: functions whose value is of the kind of their arguments
TRANSPARENT = {"min", "max", "sum", "abs", "float", "int", "round", "median", "mean", "sorted"}


class Kinds:
    """Which names of a module hold what was measured; found by going through it until no more are.

    Functions count as what they return, lists as what they hold.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.measured: set[str] = set(MEASURES)
        size = 0
        while size < len(self.measured):
            size = len(self.measured)
            for node in ast.walk(tree):
                self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._bind(target, node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            added = node.func.attr == "append" and any(map(self.holds, node.args))
            if added and isinstance(node.func.value, ast.Name):
                self.measured.add(node.func.value.id)
        elif isinstance(node, ast.FunctionDef):
            returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value]
            if any(map(self.holds, returned)):
                self.measured.add(node.name)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, its in zip(target.elts, value.elts, strict=False):
                self._bind(each, its)
        elif isinstance(target, ast.Name) and value is not None and self.holds(value):
            self.measured.add(target.id)

    def holds(self, node: ast.AST) -> bool:
        """Whether a value has the unit of something that was measured."""
        match node:
            case ast.Name(id=name):
                return name in self.measured
            case ast.Attribute(value=value, attr=attr):
                return attr in MEASURES or self.holds(value)
            case ast.Subscript(value=value) | ast.Starred(value=value):
                return self.holds(value)
            case ast.Call(func=ast.Name(id=name), args=args) if name in TRANSPARENT:
                return any(map(self.holds, args))
            case ast.Call(func=function):
                return self.holds(function)
            case ast.BinOp(left=left, op=ast.Div() | ast.FloorDiv(), right=right):
                return self.holds(left) and not self.holds(right)
            case ast.BinOp(left=left, right=right):
                return self.holds(left) or self.holds(right)
            case ast.GeneratorExp(elt=element) | ast.ListComp(elt=element):
                return self.holds(element)
        return False

    def offences(self) -> Iterator[ast.Compare]:
        """Comparisons of what was measured with numbers, and of two measures without a margin."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                measured = [side for side in sides if self.holds(side)]
                bare = len(measured) > 1 and not any(map(is_clock, measured))
                if bare or (measured and any(map(is_number, sides))):
                    yield node


def is_clock(node: ast.AST) -> bool:
    """Whether it reads a clock and nothing else: what is compared with it is a deadline."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in MEASURES
    return False


def is_number(node: ast.AST) -> bool:
    try:
        return isinstance(ast.literal_eval(ast.unparse(node)), int | float)
    except (ValueError, SyntaxError):
        # 20e-6 * 2 is no literal, but a number; so is a constant of the module.
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
        constant = all(name.isupper() for name in names)
        return constant and not any(isinstance(n, ast.Call) for n in ast.walk(node))


def offences_of(text: str) -> list[int]:
    """The lines of a test that compare measures with numbers, those of programs in it included."""
    if not any(name in text for name in MEASURES):
        return []
    tree = ast.parse(text)
    lines = [node.lineno for node in Kinds(tree).offences()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value:
            try:
                program = ast.parse(node.value)
            except SyntaxError:
                continue
            lines += [node.lineno + found.lineno - 1 for found in Kinds(program).offences()]
    return lines


@pytest.mark.parametrize(
    "text",
    [
        "begin = time.monotonic()\nassert time.monotonic() - begin < 5",
        "assert 0.3 > float(seen) - time.perf_counter()",
        "times.append(perf_counter() - begin)\nassert min(times) / 100 < 20e-6 * 2",
        "def least():\n    return min(time.process_time() for _ in x)\nassert least() < LIMIT",
        "a, b = 1, resource.getrusage(who).ru_maxrss\nassert b - 7 < -1",
        "def quickest():\n    return perf_counter() - x\na = quickest()\nassert a < quickest()",
        "_LOOP = '''\nimport time\nassert time.monotonic() - x < 5\n'''",
    ],
)
def test_what_is_refused(text: str) -> None:
    assert len(offences_of(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "deadline = time.monotonic() + 60\nwhile time.monotonic() < deadline:\n    pass",
        "a = time.monotonic() - b\nassert a / time.process_time() < 0.5",
        "assert quickest_of_one() / quickest_of_other() < 3",
        "while process.poll() is None and time.monotonic() < deadline:\n    pass",
    ],
)
def test_what_is_allowed(text: str) -> None:
    assert offences_of(text) == []


def test_no_test_compares_time_or_memory_with_a_number() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        if path != Path(__file__)
        for line in offences_of(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n  " + "\n  ".join(found)


def clocks_set(text: str) -> list[int]:
    """The lines of a test that put something in the place of a function of the module ``time``."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("setattr", "patch"))
        and node.args
        and re.search(r"\btime['\".,) ]+\w*(monotonic|perf_counter|time|sleep)", named(node))
    ]


def named(call: ast.Call) -> str:
    """The first two arguments of a call, as they are written."""
    return ", ".join(map(ast.unparse, call.args[:2]))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("monkeypatch.setattr('a.b.time.monotonic', lambda: 1.0)", 1),
        ("monkeypatch.setattr(time, 'perf_counter', lambda: 1.0)", 1),
        ("patch.setattr(stopping.time, 'sleep', None)", 1),
        ("monkeypatch.setattr('a.b.time', clock)", 0),
        ("monkeypatch.setattr(Observer, '_time_has_come', asked_for)", 0),
    ],
)
def test_what_sets_the_clock_of_the_process(text: str, count: int) -> None:
    assert len(clocks_set(text)) == count


def test_no_test_sets_the_clock_of_the_process() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in clocks_set(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n  " + "\n  ".join(found)


def test_children_are_forked_in_one_place() -> None:
    """Where they are killed if they hang. The process that runs the tests has many threads, some of
    libraries, which a child lacks and may wait for: what is more than a moment's work belongs in a
    process of its own.
    """
    forking = [path.relative_to(TESTS).as_posix() for path in sorted(TESTS.rglob("*.py"))
               if re.search(r"\bos\.fork\(", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert forking == ["forks.py"]


#: what a page shows at this moment, which may be one too early
GLANCE = (
    r"\bpage\b[^\n]*\.(count|inner_text|all_inner_texts|text_content|title|is_visible|input_value"
    r"|get_attribute)\("
)


def test_what_a_page_shows_is_waited_for() -> None:
    found = [
        f"{path.relative_to(TESTS)}: {match.group()}"
        for path in sorted((TESTS / "dash").rglob("*.py"))
        for match in re.finditer(GLANCE, path.read_text(encoding="utf-8"))
    ]
    assert not found, "use `expect` of Playwright, or `drawn_text`:\n  " + "\n  ".join(found)


def borrowed_modules(text: str) -> list[str]:
    """Modules that are reached as ``cr.a.b``, and are there only if another file imported them."""
    found = []
    for node in ast.walk(ast.parse(text)):
        written = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"cr(\.\w+)+", written):
            parent, _, name = f"chainrule{written[2:]}".rpartition(".")
            if is_package(parent) and importlib.util.find_spec(f"{parent}.{name}"):
                offered = getattr(importlib.import_module(parent), "__all__", ())
                found += [] if name in offered else [written]
    return found


def is_package(name: str) -> bool:
    return SOURCE.joinpath(*name.split("."), "__init__.py").exists()


def test_a_module_that_only_others_import() -> None:
    assert borrowed_modules("cr.modalities.tables.kind.TABLES") == [
        "cr.modalities.tables.kind", "cr.modalities.tables",
    ]  # fmt: skip
    assert not borrowed_modules("cr.nn.Linear(1, 2).weight, cr.distributed.mpi()")


def test_each_test_imports_what_it_uses() -> None:
    """So that it passes alone as well as after others, on which its modules would depend."""
    found = [
        f"{path.relative_to(TESTS)}: {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in borrowed_modules(path.read_text(encoding="utf-8"))
    ]
    assert not found, "import them by name:\n  " + "\n  ".join(found)
