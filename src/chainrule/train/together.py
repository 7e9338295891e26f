"""A training that several workers share: what they compare first, and agree on as it goes.

Numbers are equal for all, because sums are. What depends on clocks and signals is not: how many
steps one call has, when a training has taken too long, whether it was interrupted. Worker 0 decides
on that, or whoever heard a signal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..version import __version__
from .batch_source import BatchSource
from .checkpoints.encoding import decoded, encoded
from .checkpoints.weights_file import packed, unpacked
from .divided import Divided, OwnRows
from .examples import Examples
from .learning import Restorable
from .order import Order
from .parted import PartedStepper
from .parts import Division, Parts
from .run import Run
from .state import gathered, put_back
from .stepper import Stepper
from .workers import Workers

__all__ = ["Together", "check_alike", "check_parts", "flat"]

#: bytes of an array of which a digest is made; of larger ones it is of as many, spread over all
DIGESTED, BLOCK = 64 << 20, 1 << 16
#: what `gathered` gives only within a training
PLACE = ("settings", "place", "stop", "callbacks")


@dataclass(frozen=True)
class Together:
    """A training's workers; None: it is alone."""

    workers: Workers | None = None

    @classmethod
    def of(cls, workers: Workers | None) -> Together:
        """With ``workers``, if there are several."""
        return cls(workers if workers is not None and workers.size > 1 else None)

    def share(self, stepper: Stepper, parts: Parts, order: Order) -> None:
        """Each computes its parts of a batch from here on. ConfigError if they are too few."""
        if self.workers is not None:
            check_parts(self.workers, parts, order.rows, order.batch)
        if isinstance(stepper, PartedStepper):
            stepper.workers = self.workers

    def divided(self, data: Any, mine: BatchSource, measured: bool) -> BatchSource:
        """``mine``; where ``data`` are rows of this worker alone, those of all workers.

        ConfigError if the training data is to be ``measured``, which nobody has.
        """
        if self.workers is None or not isinstance(data, OwnRows):
            return mine
        if measured:
            raise ConfigError(
                "metrics of rows that are divided among workers need validation data",
                help="pass validation=, the same for all workers, or leave out the metrics",
            )
        if not isinstance(mine, Examples):
            raise ConfigError(
                "rows that workers have of their own must be arrays",
                help="pass OwnRows((X, y)); a source has to be the same for all workers",
            )
        rows = [(a.shape[1:], a.dtype.str) for a in mine.arrays]
        check_alike(self.workers, {"what a row of the training data is": repr(rows)})
        return Divided(mine, self.workers.gather(mine.rows), self.workers)

    @property
    def alone(self) -> bool:
        """Whether nobody else has to be asked."""
        return self.workers is None

    @property
    def leads(self) -> bool:
        """Whether this worker writes and speaks."""
        return self.workers is None or self.workers.rank == 0

    def agreed(self, value: Any) -> Any:
        """What worker 0 passes."""
        return value if self.workers is None else self.workers.broadcast(value)

    def any_signal(self, pending: int) -> int:
        """The signal that waits for any worker; 0: none."""
        return pending if self.workers is None else max(self.workers.gather(pending))

    def begin(self, learner: Restorable, run: Run, state: Mapping[str, Any] | None) -> Any:
        """All begin where worker 0 does, which goes on from ``state`` or from the beginning; what
        it goes on from.

        ConfigError if workers differ in what they train, or with what.
        """
        if self.workers is None:
            return state
        check_alike(self.workers, facts_of(learner, run))
        sent = gathered(learner, None) | {k: v for k, v in (state or {}).items() if k in PLACE}
        tree, arrays = encoded(sent)
        tree = json.loads(self.workers.broadcast_bytes(json.dumps(tree).encode()))
        received = decoded(tree, unpacked(self.workers.broadcast_bytes(packed(arrays))))
        if not self.leads:
            put_back(learner, received, run)
        return received if "place" in received else None


def check_alike(workers: Workers, facts: Mapping[str, Any]) -> None:
    """ConfigError, by all workers, that names what differs between any of them and worker 0."""
    every = workers.gather(dict(facts))
    for rank, theirs in enumerate(every):
        names = [n for n in {**every[0], **theirs} if every[0].get(n) != theirs.get(n)]
        if names:
            first = names[0]
            raise ConfigError(
                f"worker {rank} and worker 0 differ in {', '.join(names)}: "
                f"{theirs.get(first)!r} and {every[0].get(first)!r}",
                help="start all workers with the same command, release, settings and data",
            )


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested ``document`` with one entry for each value, ``train.lr``."""
    values: dict[str, Any] = {}
    for name, value in document.items():
        inside = isinstance(value, Mapping)
        values |= flat(value, f"{prefix}{name}.") if inside else {prefix + name: value}
    return values


def check_parts(workers: Workers, parts: Parts, rows: int, batch: int) -> None:
    """ConfigError if there is not a part of each batch for each worker."""
    count = Division.of(batch, batch, parts).count
    if workers.size <= count:
        return
    if parts == 1:
        advice = 'divide batches: parts="auto" (in run.toml, train.parts)'
    elif batch < workers.size:
        advice = f"start at most {count} workers, or use larger batches"
    else:
        advice = (
            f"start at most {count} workers, or use more parts (parts; in run.toml, train.parts)"
        )
    raise ConfigError(
        f"{workers.size} workers, but "
        + (f"a batch of {batch} rows has " if batch < rows else f"all {rows} rows make a batch of ")
        + f"{count} part{'s' * (count > 1)}",
        help=advice,
    )


def facts_of(learner: Restorable, run: Run) -> dict[str, Any]:
    """What must be the same for all workers, in words."""
    shapes = [(n, p.shape) for n, p in learner.model.named_parameters()]
    groups = [
        {k: v for k, v in group.items() if isinstance(v, int | float | str | bool)}
        for group in learner.optimizer.param_groups
    ]
    facts = {
        "the release": __version__,
        "the model": _digest(repr((type(learner.model).__name__, shapes)).encode()),
        "the optimizer": _digest(repr((type(learner.optimizer).__name__, groups)).encode()),
        "epochs": run.epochs,
        **run.settings(learner.accumulation),
        "the training data": digest_of(run.train),
    }
    if run.validation is not None:
        facts["the validation data"] = digest_of(run.validation)
    return facts


def digest_of(source: BatchSource) -> str:
    """Of what a source reads. Rows of their own are different for all workers."""
    digest = hashlib.blake2b(repr((source.rows, source.recipe)).encode(), digest_size=8)
    for array in () if isinstance(source, Divided) else source.arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        stride = -(-len(content) // DIGESTED) * BLOCK
        for start in range(0, len(content), stride):
            digest.update(content[start : start + BLOCK].data)
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
