"""What is learned, by name: losses, metrics, decoding, the guess to beat, all of it in words."""

from collections.abc import Mapping

from ..runs.task import Task
from .classification import Binary, Multiclass
from .regression import Regression

__all__ = ["TASKS", "Binary", "Multiclass", "Regression", "Task"]

#: by the name that ``run.json`` and ``data.task`` have for it
TASKS: Mapping[str, type[Task]] = {task.name: task for task in (Binary, Multiclass, Regression)}
