"""The text of two small nests: a change of it is meant, or a defect."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.codegen.target import target_for
from chainrule.ir.types import DType
from chainrule.schedule.buffers import Buffer
from chainrule.schedule.nest import Acc, Access, Affine, Apply, Const, Load, Nest, Reduce, Store
from codegen.native import nest_text

F32 = DType.f32
GOLDEN = Path(__file__).parent / "golden"


def relu_with_bias() -> Nest:
    """y[i, j] = max(x[i, j] + bias[j], 0) over 4 rows of 20, with a tail of 4 lanes."""
    x, bias, y = Buffer("x", F32, 80), Buffer("bias", F32, 20), Buffer("y", F32, 80)
    total = Apply(
        F32,
        "add",
        (Load(F32, Access(x, Affine(0, (20, 1)))), Load(F32, Access(bias, Affine(0, (0, 1))))),
    )
    value = Apply(F32, "max", (total, Const(F32, 0.0)))
    return Nest((4, 20), 2, (Store(Access(y, Affine(0, (20, 1))), value),), split=0)


def row_sums() -> Nest:
    """y[i] = sum over j of x[i, j]², 3 rows of 40."""
    x, y = Buffer("x", F32, 120), Buffer("y", F32, 3)
    element = Load(F32, Access(x, Affine(0, (40, 1))))
    source = Reduce("sum", Apply(F32, "mul", (element, element)))
    return Nest((3, 40), 1, (Store(Access(y, Affine(0, (1, 0))), Acc(F32)),), source, vector=1)


@pytest.mark.parametrize("make", [relu_with_bias, row_sums], ids=lambda f: f.__name__)
def test_text_is_as_before(make, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{make.__name__}.ll"
    text = nest_text(make(), target_for("haswell"))
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
