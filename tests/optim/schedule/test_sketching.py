"""Drawings of schedules."""

from __future__ import annotations

import pytest

from chainrule.errors import ConfigError
from chainrule.optim.schedule import Constant, Linear, Step, Warmup, sketch


def test_a_line_falls() -> None:
    assert sketch(Linear(0.5, 9), 10, width=10, height=5) == "\n".join(
        [
            " lr",
            "0.5 |***",
            "    |  ***",
            "    |    ***",
            "    |      ***",
            "  0 |        **",
            "    +----------",
            "     0  step  9",
        ]
    )


def test_a_jump_is_upright_and_every_axis_has_its_numbers() -> None:
    drawn = sketch(Warmup(Step(0.01, 40), 10), 1000, width=50, height=6).splitlines()
    assert drawn[1].startswith("0.01 |*")
    assert [line[6] for line in drawn[1:7]] == ["*"] * 6  # the warm-up, within one column
    assert drawn[6].startswith("   0 |")
    assert drawn[-1].split() == ["0", "step", "999"]
    assert max(map(len, drawn)) == len("0.01 |") + 50


def test_nothing_at_all() -> None:
    assert sketch(Constant(0.0), 3, height=2).splitlines()[1:3] == [" 0 |", " 0 |**********"]


@pytest.mark.parametrize("size", [{"steps": 0}, {"width": 3}, {"height": 1}])
def test_no_room(size: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        sketch(Constant(0.1), **{"steps": 10, **size})
