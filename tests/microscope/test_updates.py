"""Updates in the optimizer's own terms, and losses in theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from adding import check_sums, sums_of
from chainrule import nn, optim
from chainrule.microscope import Scope
from chainrule.microscope.walk import Walker
from chainrule.train import Trainer

rng = np.random.default_rng(4)
X = rng.normal(size=(5, 3)).astype(np.float32)
Y = rng.normal(size=(5, 2)).astype(np.float32)

IN_TERMS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "dampening": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adam-l2": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1),
    "amsgrad": lambda p: optim.AMSGrad(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "scheduled": lambda p: optim.AdamW(p, lr=optim.schedule.Exponential(0.01, 0.9)),
}
IN_WORDS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "lookahead": lambda p: optim.Lookahead(optim.SGD(p, lr=0.1)),
    "maximize": lambda p: optim.SGD(p, lr=0.1, maximize=True),
}


def trained(make: Callable[[Any], optim.Optimizer], **settings: Any) -> Scope:
    """After three steps, so that there is a state."""
    cr.manual_seed(1)
    model = nn.Linear(3, 2)
    trainer = Trainer(model, "mse", make(list(model.parameters())), **settings)
    step = cr.compile(trainer.train_step)
    for _ in range(3):
        step(X, Y)
    return Scope(Walker(trainer, False), (X, Y))


@pytest.mark.parametrize("name", IN_TERMS)
def test_the_terms_lead_to_the_weight_after_the_update(name: str) -> None:
    view = trained(IN_TERMS[name]).weight("weight", (1, 2))
    updates = [part for part in sums_of(view) if part.title == "The update"]
    assert len(updates) == 1, str(view)
    assert check_sums([view]) == 2


@pytest.mark.parametrize("name", IN_WORDS)
def test_of_other_optimizers_the_state_is_shown(name: str) -> None:
    text = str(trained(IN_WORDS[name]).weight("weight", (1, 2)))
    assert "its state of this weight" in text


def test_clipping_and_penalties_are_said() -> None:
    def clip(parameters: list[cr.Tensor]) -> None:
        optim.clip.clip_grad_norm_(parameters, 0.01)

    text = str(trained(IN_TERMS["sgd"], clip=clip).weight("weight"))
    assert "clipped: the gradient" in text
    view = trained(IN_TERMS["sgd"], penalty=optim.penalty.Penalty(0.0, 0.1)).weight("weight")
    assert "penalty of the weights" in str(view)
    assert check_sums([view]) == 2


BINARY = (rng.random((5, 2)) > 0.5).astype(np.float32)
LOSSES: dict[str, tuple[Any, Any, bool]] = {
    "mse": ("mse", Y, True),
    "l1": ("l1", Y, True),
    "cross_entropy": ("cross_entropy", np.array([0, 1, 1, 0, 1], np.int32), True),
    "bce_with_logits": ("bce_with_logits", BINARY, True),
    "sum": (nn.MSELoss(reduction="sum"), Y, True),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), np.zeros(5, np.int32), False),
    "huber": ("huber", Y, False),
    "own": (lambda y, t: ((y - t) ** 4).mean(), Y, False),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_in_its_terms(name: str) -> None:
    loss, target, known = LOSSES[name]
    view = cr.scope(nn.Linear(3, 2), X, target, loss).loss()
    assert bool(check_sums([view])) == known
    for table in (p for p in view.parts if getattr(p, "heads", ())[-1:] == ("dL/dz",)):
        for *_, ours, engine in table.rows:  # type: ignore[union-attr]
            assert ours == pytest.approx(engine, rel=1e-4, abs=1e-7)
    assert "Here the backward pass begins" in str(view)


def test_a_sigmoid_and_its_loss() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())
    assert check_sums([cr.scope(model, X, BINARY, "bce").loss()]) == 1
