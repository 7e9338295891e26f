"""The gradient of the mean loss over many rows, as large as the weights and no larger."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError
from ...frontend import Tensor, no_grad
from ...frontend.apply import from_array
from ...ir.memory import aligned_copy
from ..batch_source import calls
from ..evaluation import EVALUATION_ROWS
from ..learning import Summable
from ..order import Order
from ..weights import unweighted

__all__ = ["gradient_norm", "gradients"]


def gradient_norm(learner: Summable, data: Any = None) -> float:
    """‖∇(mean loss + penalty)‖ over all rows of ``data``, in evaluation mode.

    ``data`` None is the training data of the run. Sums are float32, their squares float64.
    """
    gradient_of = gradients(learner, data)
    squares = [float(np.sum(np.square(g, dtype=np.float64))) for g in gradient_of.values()]
    return float(np.sqrt(sum(squares)))


def gradients(learner: Summable, data: Any = None) -> dict[Tensor, npt.NDArray[Any]]:
    """∇(mean loss + penalty) over all rows of ``data``, in evaluation mode, for each parameter
    of the optimizer; float64 means of float32 sums. One that the loss does not reach has zeros.

    ``data`` None is the training data of the run.
    """
    if data is None and learner.run is None:
        raise ConfigError("no training data yet", help="pass it: gradient_norm((X, y))")
    source = (
        learner.data_check.labelled(data, "data") if learner.run is None or data is not None
        else learner.run.train
    )  # fmt: skip
    sums = {
        p: from_array(aligned_copy(np.zeros(p.shape, np.float32))) for p in learner.parameters()
    }
    summed = learner.accumulation.summed

    def add_gradients(*arrays: Tensor) -> Tensor:
        *inputs, target = arrays
        learner.zero_grad()
        loss = learner.loss(learner.forward(*inputs), target)
        learner.penalized(loss).backward()
        with no_grad():
            for p, total in sums.items():
                if p.grad is not None:
                    rows = unweighted(target)[0].shape[0]
                    total.assign_(total + p.grad * (1.0 if summed else rows))
        return loss

    most = min(EVALUATION_ROWS, source.evaluation_rows or EVALUATION_ROWS)
    order = Order.of(source.rows, most, 0, shuffle=False)
    stepper = learner.stepper_of(add_gradients)
    with learner.evaluation_mode():
        for block in order.batches(0):
            for piece in calls(source, block):
                stepper.run(source, piece)
    count = 1 if summed else source.rows
    return {p: np.asarray(t.numpy(), np.float64) / count for p, t in sums.items()}
