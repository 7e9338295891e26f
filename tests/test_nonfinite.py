"""A step that stops being finite says where: operation, layer, line, rows."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.frontend.compiled import CompiledFunction
from chainrule.ir.types import Array

X = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
Y = np.zeros((32, 1), np.float32)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.out = Growing()

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        result: cr.Tensor = self.out(self.hidden(x).relu())
        return result


class Growing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(8, 1)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return cr.exp(self.last(x))


def training(model: nn.Module) -> CompiledFunction[..., cr.Tensor]:
    opt = optim.SGD(model.parameters(), lr=0.1)

    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        opt.zero_grad()
        loss: cr.Tensor = ((model(x) - y) ** 2).mean()
        loss.backward()
        opt.step()
        return loss

    return cr.compile(step)


def net() -> Net:
    cr.manual_seed(0)
    model = Net()
    with cr.no_grad():
        model.out.last.weight.assign_(abs(model.out.last.weight))
        model.hidden.weight.assign_(abs(model.hidden.weight))
    return model


def with_row(row: int, value: float) -> Array:
    x = X.copy()
    x[row] = value
    return x


def test_a_finite_step_has_nothing_to_find() -> None:
    assert cr.find_nonfinite(training(net()), X, Y) is None


def test_an_overflow_names_operation_layer_line_and_row() -> None:
    model = net()
    before = model.state_dict()["hidden.weight"].copy()
    found = cr.find_nonfinite(training(model), with_row(17, 1e3), Y)
    assert found is not None
    assert (found.kind, found.part, found.op, found.rows) == ("inf", "forward", "exp", (17,))
    assert found.layer == "Growing `out`"
    line = Growing.forward.__code__.co_firstlineno + 1
    assert found.where.endswith(f"test_nonfinite.py:{line}")
    assert found.example.startswith("exp(")
    assert found.example.endswith("= inf")
    assert "in Growing `out` at" in str(found)
    assert "row 17 of the batch" in str(found)
    np.testing.assert_array_equal(model.state_dict()["hidden.weight"], before)


def test_rows_can_be_named_by_the_data() -> None:
    found = cr.find_nonfinite(training(net()), with_row(2, 1e3), Y)
    assert found is not None
    names = range(100, 132)
    assert found.rows_text(names) == ", row 2 of the batch (of the data: 102)"


def test_the_batch_itself() -> None:
    found = cr.find_nonfinite(training(net()), with_row(3, np.nan), Y)
    assert found is not None
    assert (found.kind, found.part, found.rows) == ("nan", "data", (3,))


def test_a_parameter_that_was_infinite_before() -> None:
    model = net()
    with cr.no_grad():
        model.hidden.weight.assign_(model.hidden.weight / 0)
    found = cr.find_nonfinite(training(model), X, Y)
    assert found is not None
    assert found.part == "state"
    assert found.state is model.hidden.weight


def test_the_gradient_of_a_root_at_zero_is_found_in_the_backward_pass() -> None:
    w = cr.tensor(np.zeros(3), requires_grad=True)

    @cr.compile
    def step(scale: cr.Tensor) -> cr.Tensor:
        w.grad = None
        loss = (w * scale).sqrt().sum()
        loss.backward()
        with cr.no_grad():
            w.assign_(w - cast(cr.Tensor, w.grad))
        return loss

    found = cr.find_nonfinite(step, np.ones(3, np.float32))
    assert found is not None
    assert (found.part, found.example) == ("backward", "0.5 / 0 = inf")


def test_infinities_that_are_masked_are_not_the_cause() -> None:
    @cr.compile
    def step(x: cr.Tensor) -> cr.Tensor:
        masked = cr.where(x > 0, cr.log(x), 0.0)  # log gives -inf and NaN where it is not used
        return masked.sum() + cr.exp(x * 100).sum()

    found = cr.find_nonfinite(step, np.array([-1.0, 0.0, 2.0], np.float32))
    assert found is not None
    assert (found.op, found.rows) == ("exp", (2,))


def test_a_plain_function_has_no_step_to_look_into() -> None:
    with pytest.raises(cr.CompileError, match="takes a compiled function, not function"):
        cr.find_nonfinite(lambda x: x, np.ones(3))  # type: ignore[arg-type]
