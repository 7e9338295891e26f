"""Level 5: rewrites of the graph, in the order of `pipeline.PIPELINE`."""

from .pipeline import PIPELINE, Pass, optimize

__all__ = ["PIPELINE", "Pass", "optimize"]
