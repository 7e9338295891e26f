"""Data classes that share their methods, beside those of the standard library."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from chainrule import dataclass as module

T = TypeVar("T")
Made = dict[str, type[Any]]
SOURCE = Path(module.__file__).parent


def classes(dataclass: Callable[..., Any]) -> Made:
    """Classes of all forms that there are in the package, made by ``dataclass``."""

    @dataclass(frozen=True)
    class Point:
        """A base with defaults."""

        KIND: ClassVar[str] = "point"
        x: int
        y: float = 0.0
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)

    @dataclass(frozen=True)
    class Named(Point):
        """A default taken over, a field by keyword, one that is not given, one not shown."""

        y: float = 1.5
        name: str = dataclasses.field(default="none", kw_only=True)
        type: str = dataclasses.field(default="named", init=False)
        seen: dict[str, int] = dataclasses.field(default_factory=dict, init=False, repr=False)
        salt: int = dataclasses.field(default=7, hash=False)

        def __post_init__(self) -> None:
            self.seen[self.name] = self.x

    @dataclass
    class Open:
        """It changes, so it has no hash."""

        a: Any
        b: Any = None

    @dataclass(eq=False)
    class Same:
        """It equals itself alone."""

        a: Any

    @dataclass(frozen=True)
    class Own(Generic[T]):
        """It has methods of its own."""

        a: T

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

        def __repr__(self) -> str:
            return "own"

    @dataclass(frozen=True)
    class Empty:
        """Nothing."""

    @dataclass(frozen=True, slots=True)
    class Slots:
        """It has no ``__dict__``."""

        a: int

    made = (Point, Named, Open, Same, Own, Empty, Slots)
    return {each.__name__: each for each in made}


OURS, THEIRS = classes(module.dataclass), classes(dataclasses.dataclass)

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Point", (1,), {}), ("Point", (1, 2.0, ["t"]), {}), ("Point", (), {"y": 3.0, "x": 4}),
    ("Named", (1,), {}), ("Named", (1, 1.5, [], 8), {"name": "n"}), ("Open", (1,), {}),
    ("Open", ([float("nan")], "b"), {}), ("Same", (2,), {}), ("Own", (3,), {}), ("Empty", (), {}),
    ("Slots", (1,), {}),
    # Mistakes.
    ("Point", (), {}), ("Point", (1, 2, [], 4), {}), ("Point", (1,), {"z": 1}),
    ("Named", (1, 2.0, [], 4, "name"), {}), ("Named", (1,), {"type": "t"}),
    ("Point", (1,), {"x": 1}), ("Empty", (1,), {}),
]  # fmt: skip


@module.dataclass(frozen=True)
class Kept:
    """Where a pickle finds it."""

    a: int
    b: tuple[int, ...] = ()


def outcome(ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives, or the words of its error."""
    try:
        return ask()
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


def facts(made: Made, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
    """All that can be seen of an object without naming its class."""
    one = outcome(lambda: made[name](*args, **given))
    if isinstance(one, tuple):
        return list(one)
    other = made[name](*copy.deepcopy(args), **given)
    return [
        repr(one), one == other, one != other, one == (1,), one == made["Empty"](),
        outcome(lambda: hash(one) == hash(other)), dataclasses.asdict(one),
        outcome(lambda: setattr(one, "a", 1)), outcome(lambda: setattr(one, "x", 1)),
        outcome(lambda: delattr(one, "x")), one.__match_args__,
        [(f.name, f.default, f.init, f.kw_only) for f in dataclasses.fields(one)],
        outcome(lambda: repr(dataclasses.replace(one, x=9))), getattr(made[name], "y", None),
        getattr(one, "seen", None), list(getattr(one, "__dict__", ())),
        str(inspect.signature(made[name])),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "given"), CALLS)
def test_objects_are_as_those_of_the_standard_library(
    name: str, args: tuple[Any, ...], given: dict[str, Any]
) -> None:
    assert facts(OURS, name, args, given) == facts(THEIRS, name, args, given)


@pytest.mark.parametrize("outer", [module.dataclass, dataclasses.dataclass])
@pytest.mark.parametrize("inner", [module.dataclass, dataclasses.dataclass])
def test_both_inherit_from_both(inner: Callable[..., Any], outer: Callable[..., Any]) -> None:
    point = classes(inner)["Point"]

    @outer(frozen=True)
    class Deep(point):  # type: ignore[misc, valid-type]
        """One more field."""

        z: int = 3

    deep = Deep(1)
    assert (deep.x, deep.y, deep.tags, deep.z) == (1, 0.0, [], 3)
    assert deep == Deep(1, 0.0, ["not compared"])
    assert deep != Deep(1, z=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        deep.x = 2

    class Plain(point):  # type: ignore[misc, valid-type]
        """Not decorated: it may have more, but keeps what it is made of."""

    plain = Plain(1)
    plain.more = 1
    assert plain == Plain(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        plain.x = 2


def test_a_class_with_a_constructor_of_its_own_says_what_it_takes() -> None:
    class Heir(OURS["Point"]):  # type: ignore[misc]
        """Not decorated."""

        def __init__(self, other: int) -> None:
            super().__init__(other)

    assert str(inspect.signature(Heir)) == "(other: 'int') -> 'None'"
    assert Heir(3).x == 3


def test_an_object_can_be_copied_and_kept() -> None:
    kept = Kept(1, (2, 3))
    assert pickle.loads(pickle.dumps(kept)) == copy.copy(kept) == copy.deepcopy(kept) == kept


def test_an_object_that_holds_itself_can_be_shown() -> None:
    one = OURS["Open"](1)
    one.b = one
    assert repr(one).endswith("Open(a=1, b=...)")


def test_the_package_takes_its_data_classes_from_here() -> None:
    """One that the standard library makes costs each process that loads it."""
    others = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.name != "dataclass.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.module == "dataclasses" and not node.level
            and "dataclass" in [name.name for name in node.names])
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "dataclasses.dataclass")
    ]  # fmt: skip
    assert others == []
