"""`chainrule.scope`: the microscope at a model, or at a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..nn import Module
from ..optim import SGD, Optimizer
from ..train.batch_source import host_batch, spread_rows
from ..train.trainer import Trainer
from .names import columns
from .of_run import scope_of_run
from .scope import Scope
from .walk import Walker

__all__ = ["scope"]


def scope(
    model: Module | str | os.PathLike[str],
    x: Any = None,
    y: Any = None,
    loss: Any = None,
    optimizer: Optimizer | None = None,
    *,
    training: bool = False,
    names: Sequence[str] = (),
    row: Any = None,
    target: object = None,
) -> Scope:
    """Looks at one step of ``model`` on the rows ``x`` and ``y``: forward, loss, backward, update.

    Arguments:
        model:     a model; or the folder of a run, which knows its data, loss and optimizer.
        x, y:      a few rows, as `Trainer.fit` takes them; ``x[:1], y[:1]`` is one example. With
                   ``y=None`` there is the forward pass alone.
        loss:      a name, a loss of `nn`, or a function of outputs and target.
        optimizer: whose update is shown; without one, gradient descent with a rate of 0.01.
        training:  whether dropout drops, and batch normalisation uses these rows.
        names:     what the columns of ``x`` are called; those of a data frame are known.
        row:       with a run, a new example, as `scope_of_run` takes it, and its ``target``.

    Nothing is changed: weights, optimizer and random numbers are as before. Shown in a notebook, or
    printed, the result is the network; `Scope.layer`, `Scope.unit` and `Scope.weight` go deeper.

        s = cr.scope(model, x[:1], y[:1], "cross_entropy")
        print(s)
        print(s.unit("fc1", 3))

        cr.scope("runs/last", row={"age": 45, "heart_rate": 80}, target="yes")
    """
    if isinstance(model, str | os.PathLike):
        if x is not None or y is not None or loss is not None or optimizer is not None:
            raise ConfigError(
                "a run knows its data, its loss and its optimizer",
                help="pass a new example as row=...; x, y, loss and optimizer go with a model",
            )
        return scope_of_run(Path(model), row=row, target=target)
    if row is not None or target is not None:
        raise ConfigError("`row` and `target` go with a run", help="with a model, pass x and y")
    if x is None or loss is None:
        raise ConfigError("a model needs rows and a loss", help="scope(model, x, y, loss)")
    usual = optimizer if optimizer is not None else SGD(model.parameters(), lr=0.01)
    learner = Trainer(model, loss, usual)
    known = names or tuple(map(str, getattr(x, "columns", ())))
    walker = Walker(learner, training, (columns(known),) if known else ())
    if y is None:
        inputs = learner.data_check.inputs(x)
        batch = (*host_batch(inputs, spread_rows(inputs.rows, inputs.rows)), None)
    else:
        source = learner.data_check.examples((x, y), "data")
        batch = host_batch(source, spread_rows(source.rows, source.rows))
    return Scope(walker, batch)
