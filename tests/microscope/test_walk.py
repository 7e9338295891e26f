"""A walk gives the numbers of the compiled step, and leaves no trace."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from adding import check_sums, sums_of
from chainrule import nn, optim
from chainrule.errors import ConfigError, DataError, GradientError
from chainrule.microscope import Scope, scope
from chainrule.microscope.requests import answer, answer_lines
from chainrule.microscope.walk import Walker
from chainrule.train import Trainer

rng = np.random.default_rng(2)
X = rng.normal(size=(6, 4)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0], np.int32)


class Branching(nn.Module):
    """A residual sum, a function between layers, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.norm = nn.LayerNorm(4)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        h = self.norm(self.again(self.again(x)) + self.first(x))
        return self.last(cr.tanh(h))


def test_the_numbers_are_those_of_a_training_step(natively: None) -> None:
    """Loss, gradients and the weights after the update, to the bit, with dropout and batch norm."""
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.1), clip=None)
    before = trainer.state()
    step = Walker(trainer, True).run((X, Y))
    again = Walker(trainer, True).run((X, Y))
    assert str(trainer.state()) == str(before)
    loss = cr.compile(keep_grads=True)(trainer.train_step)(X, Y)
    assert float(loss) == step.loss == again.loss
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), step.parameters[name].after)
        assert parameter.grad is not None
        np.testing.assert_array_equal(parameter.grad.numpy(), step.parameters[name].grad)


def test_a_forward_that_branches_is_shown_as_it_ran() -> None:
    looked = scope(Branching(), X, Y, "cross_entropy")
    assert looked.layers == ("again", "again#2", "first", "norm", "last")
    reads = {c.name: [r.text for r in c.call.reads] for c in looked.step.calls}
    assert reads["norm"] == ["add(again#2, first)"]
    assert reads["last"] == ["tanh(norm)"]
    assert "Residual sum" in str(looked.unit("norm"))
    weight = looked.weight("again.weight")
    assert "again#2 at" in str(weight)
    assert check_sums([*looked.walk(), weight, looked.input()]) > 5


def test_a_frozen_layer_and_one_that_is_not_reached() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            self.idle(x)
            return self.used(x)

    model = Unused()
    model.used.bias.requires_grad = False
    looked = scope(model, X, Y, "cross_entropy")
    assert "No gradient arrives" in str(looked.unit("idle", 0))
    assert "gets no gradient" in str(looked.weight("used.bias", 0))
    assert "stays as it is" in str(looked.weight("idle.weight", (0, 0)))


def test_a_layer_that_computes_more_is_not_explained_as_its_base() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Any) -> cr.Tensor:
            return super().forward(x) * 2.0

    looked = scope(nn.Sequential(Doubled(4, 2)), X, Y, "cross_entropy")
    text = str(looked.unit("0"))
    assert "By its slopes" in text
    assert "Weighted sum" not in text


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda s: s.layer("frist"), ConfigError, "did you mean 'first'"),
        (lambda s: s.unit("first", 9), ConfigError, "units are 0 to 3"),
        (lambda s: s.unit("first", at=(9, 0)), ConfigError, "its shape is"),
        (lambda s: s.weight("first.wieght"), ConfigError, "did you mean 'first.weight'"),
        (lambda s: s.weight("first.weight", (0, 7)), ConfigError, "has no index"),
        (lambda s: s.input(number=3), ConfigError, "no input 3"),
        (lambda s: s.what_if(inputs={(99, 0): 1.0}), ConfigError, "the input has no index"),
    ],
)
def test_what_is_not_there(change: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        change(scope(Branching(), X, Y, "cross_entropy"))


def test_bad_batches_and_losses() -> None:
    bad = X.copy()
    bad[2, 1] = np.nan
    with pytest.raises(DataError, match=r"(?s)nan.*row 2, column 1"):
        scope(Branching(), bad, Y, "cross_entropy")
    with pytest.raises(GradientError, match="single number"):
        scope(Branching(), X, Y, nn.CrossEntropyLoss(reduction="none"))
    model = Branching()
    with pytest.raises(ConfigError, match="evaluates the loss several times"):
        scope(model, X, Y, "cross_entropy", optim.LBFGS(model.parameters()))
    looked = scope(model, X, Y, "cross_entropy")
    with pytest.raises(DataError, match="the input holds inf"):
        looked.what_if(inputs={(0, 0): np.inf})


def test_what_if_shows_both_passes_and_changes_nothing() -> None:
    model = Branching()
    looked = scope(model, X, Y, "cross_entropy")
    before = model.state_dict()
    changed = looked.what_if(
        weights={("first.weight", (0, 0)): 3.0}, inputs={(0, 0): 1.5}, target={1: 0}
    )
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert changed.after.step.loss != looked.step.loss
    assert "Both passes" in str(changed)
    # What is split afterwards belongs to the changed weights, too.
    assert check_sums([changed.after.unit("first", at=(0, 0)), changed.after.unit("norm")])
    before["first.weight"][0, 0] = 3.0
    model.load_state_dict(before)
    x, y = X.copy(), Y.copy()
    x[0, 0], y[1] = 1.5, 0
    assert scope(model, x, y, "cross_entropy").step.loss == changed.after.step.loss


def test_the_check_notices_a_wrong_gradient() -> None:
    looked = scope(Branching(), X, Y, "cross_entropy")
    assert looked.check("first.weight", (0, 0)).digits >= 5
    wrong = Scope(looked.walker, (X, Y))
    grad = wrong.step.parameters["first.weight"].grad
    assert grad is not None
    grad[0, 0] *= 1.01
    found = wrong.check("first.weight", (0, 0))
    assert found.digits < 3
    assert "only" in found.table().words


def test_dropout_that_passes_on_is_counted_once() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 2))
    view = scope(model, X, Y, "cross_entropy").unit("0", 1)
    (upstream,) = (s for s in sums_of(view) if s.title.startswith("Upstream"))
    assert [t.label for t in upstream.terms] == ["2[0]", "2[1]"]


def test_requests_from_outside() -> None:
    looked = scope(Branching(), X, Y, "cross_entropy")
    told = answer(looked, {"view": "unit", "layer": "norm", "unit": 2})
    assert told["view"] == looked.unit("norm", 2).to_dict()
    assert [c["name"] for c in told["calls"]] == list(looked.layers)
    assert told["input"]["shape"] == [6, 4]
    change = {"inputs": [[[0, 1], 2.0]], "weights": [["last.bias", [0], 1.0]], "target": [[[0], 1]]}
    changed = answer(looked, {"view": "loss", "change": change})
    assert changed["loss"] != looked.step.loss
    assert changed["changes"]
    asked = io.StringIO('{"view": "loss"}\nnonsense\n{"view": "unit", "layer": "no"}\n')
    answered = io.StringIO()
    answer_lines(looked, asked, answered)
    first, second, third = map(json.loads, answered.getvalue().splitlines())
    assert first["view"]["title"] == "the loss"
    assert "not JSON" in second["error"]
    assert "no layer 'no'" in third["error"]


@pytest.mark.parametrize(
    "request_",
    [[], {}, {"view": "nothing"}, {"view": "unit"}, {"view": "loss", "unit": "1"},
     {"view": "loss", "change": {"inputs": [[0, "a"]]}}, {"view": "loss", "change": []}],
)  # fmt: skip
def test_requests_that_make_no_sense(request_: Any) -> None:
    with pytest.raises(ConfigError):
        answer(scope(Branching(), X, Y, "cross_entropy"), request_)
