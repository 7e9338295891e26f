"""The learning-rate range test on a table."""

from __future__ import annotations

from ...train import RateSearch
from .readying import arrays_of, readied
from .settings import Settings

__all__ = ["find_lr"]


def find_lr(
    settings: Settings,
    source: object = None,
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
) -> RateSearch:
    """Trains ``steps`` updates while the rate rises from ``start`` to ``end``, as ``settings`` say;
    nothing is written. See `chainrule.train.diagnosis.lrfinder.find_rate`.

    Raises what `fit` raises before it trains, and ConfigError for a ramp that does not rise.
    """
    with readied(settings, source) as ready:
        chosen = ready.settings
        return ready.trainer().lr_find(
            arrays_of(ready.prepared.train),
            start=start,
            end=end,
            steps=steps,
            batch_size=chosen.train.batch,
            seed=chosen.seed,
        )
