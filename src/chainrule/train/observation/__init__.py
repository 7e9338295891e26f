"""Looking into a training: what each layer does in sampled steps, measured by the step itself."""

from .observation import Histogram, LayerStatistics, Observation
from .observer import Observer
from .plan import LEVELS, Level, Observe

__all__ = ["LEVELS", "Histogram", "LayerStatistics", "Level", "Observation", "Observe", "Observer"]
