"""Which losses fit which task."""

from __future__ import annotations

from collections.abc import Mapping

from ..data import Task
from ..runs.settings.training import Loss

__all__ = ["LOSSES_OF_TASK"]

LOSSES_OF_TASK: Mapping[Task, tuple[Loss, ...]] = {
    "binary": ("bce_with_logits",),
    "multiclass": ("cross_entropy",),
    "regression": ("mse", "l1", "huber", "smooth_l1"),
}
