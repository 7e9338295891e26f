"""Protocols of what a trainer is asked: each member has a reader, and small stand-ins will do."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule import nn, optim, train
from chainrule.train import learning
from chainrule.train.closure import ClosureStepper
from chainrule.train.examples import Examples

FOLDER = Path(train.__file__).parent


def readers(protocol: str) -> list[ast.Module]:
    """The modules that import ``protocol``."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.py")]
    return [
        tree
        for tree in trees
        if any(
            isinstance(node, ast.ImportFrom)
            and node.module == "learning"
            and protocol in {alias.name for alias in node.names}
            for node in tree.body
        )
    ]


def asked_of_learners(tree: ast.Module) -> set[str]:
    """The attributes that are read of, or written to, a learner."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("learner", "self._learner")
    }


def members(protocol: type) -> set[str]:
    """Those of its own that are public."""
    names = {*vars(protocol), *vars(protocol).get("__annotations__", ())}
    return {name for name in names if not name.startswith("_")}


def test_every_member_has_a_reader() -> None:
    classes = {name: getattr(learning, name) for name in learning.__all__}
    for name, protocol in classes.items():
        heirs = [other for other, cls in classes.items() if protocol in cls.__mro__]
        trees = [tree for heir in heirs for tree in readers(heir)]
        assert trees, f"nothing takes {name}"
        asked = set().union(*map(asked_of_learners, trees))
        assert members(protocol) <= asked, f"{name}: {members(protocol) - asked} has no reader"


def test_a_stand_in_is_enough_for_a_closure() -> None:
    class Line:
        """y = w x, by least squares."""

        def __init__(self) -> None:
            self.model = nn.Linear(1, 1, bias=False)
            self.optimizer: optim.Optimizer = optim.LBFGS(
                self.model.parameters(), line_search_fn="strong_wolfe"
            )

        def zero_grad(self) -> None:
            self.optimizer.zero_grad()

        def batch_loss(self, *arrays: cr.Tensor) -> cr.Tensor:
            x, y = arrays
            return (self.model(x) - y).square().mean()

        def penalized(self, loss: cr.Tensor) -> cr.Tensor:
            return loss

        def after_update(self) -> None: ...

    x = np.arange(1.0, 5.0, dtype=np.float32)[:, None]
    line = Line()
    rows = np.arange(4, dtype=np.int32)[None]
    losses = ClosureStepper(line).run(Examples((x, 3 * x)), np.repeat(rows, 3, axis=0))
    assert losses[0] > 1 > 1e-6 > losses[-1]
    assert abs(line.model.weight.item() - 3) < 1e-3
