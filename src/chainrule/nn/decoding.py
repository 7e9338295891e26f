"""From the scores of a network that was trained with CTC to labels: on the host, with NumPy.

Both functions take log-probabilities [steps, batch, classes], as `functional.ctc_loss` does, or
[steps, classes] of one row, and give one result for each row.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, DataError, ShapeError
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..ir.types import Array
from .module import as_tensor

__all__ = ["Transcript", "ctc_beam_search", "ctc_greedy_decode"]


class Transcript(NamedTuple):
    """Labels without blanks, and the logarithm of their probability."""

    labels: list[int]
    log_prob: float


def ctc_greedy_decode(
    log_probs: Any, input_lengths: Any = None, *, blank: int = 0
) -> list[Transcript]:
    """What the likeliest class of each step says: repetitions count once, blanks separate.

    The result is the likeliest path, which need not say the likeliest labels; ``log_prob`` is that
    of the path. Steps beyond ``input_lengths`` [batch] are not read.

    >>> import numpy as np
    >>> scores = np.log([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> ctc_greedy_decode(scores)[0].labels
    [1, 1]
    """
    found = []
    for scores in _rows(log_probs, input_lengths, blank):
        best = scores.argmax(1)
        first = np.ones(len(best), bool)
        first[1:] = best[1:] != best[:-1]
        labels = best[first & (best != blank)]
        found.append(Transcript(labels.tolist(), float(scores.max(1).sum()) if len(best) else 0.0))
    return found


def ctc_beam_search(
    log_probs: Any,
    input_lengths: Any = None,
    *,
    blank: int = 0,
    beam: int = 16,
    best: int = 1,
) -> list[list[Transcript]]:
    """The ``best`` labels of each row, likeliest first, by a search over beginnings of labels.

    All paths that say the same labels add up. After each step the ``beam`` likeliest beginnings
    are kept, so a probability may lack what was dropped; with a beam as wide as there are
    beginnings it is exact. Graves, 2012, "Sequence transduction with recurrent neural networks";
    Hannun et al., 2014, "First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs".

    >>> import numpy as np
    >>> scores = np.log([[0.6, 0.4], [0.6, 0.4]])  # the likeliest path is silent
    >>> for labels, log_prob in ctc_beam_search(scores, best=2)[0]:
    ...     print(labels, round(float(np.exp(log_prob)), 2))
    [1] 0.64
    [] 0.36
    """
    beam, best = whole("beam", beam), whole("best", best)
    if best > beam:
        raise ConfigError(
            f"best is {best}, and beam is {beam}",
            where=user_line(),
            help="a beam keeps at least as many beginnings as are wanted in the end",
        )
    return [
        _Search(scores.shape[1], blank, beam).run(scores)[:best]
        for scores in _rows(log_probs, input_lengths, blank)
    ]


class _Search:
    """Beginnings of labels, as a tree of which each node adds a label to another.

    Of each beginning in the beam: its node, and the log-probabilities that the paths so far say it
    and end with a blank, or with its last label.
    """

    def __init__(self, classes: int, blank: int, beam: int) -> None:
        self.classes, self.blank, self.beam = classes, blank, beam
        self.parents, self.labels = [-1], [blank]
        self.children: dict[tuple[int, int], int] = {}

    def run(self, scores: Array) -> list[Transcript]:
        """The beginnings after all steps, likeliest first."""
        nodes = np.zeros(1, np.int64)
        silent, spoken = np.zeros(1), np.full(1, -math.inf)
        for row in scores:
            nodes, silent, spoken = self._step(row, nodes, silent, spoken)
        total = np.logaddexp(silent, spoken)
        return [
            Transcript(self._spelled(int(nodes[i])), float(total[i]))
            for i in np.argsort(-total, kind="stable")
            if total[i] > -math.inf or len(total) == 1
        ]

    def _step(
        self, row: Array, nodes: Array, silent: Array, spoken: Array
    ) -> tuple[Array, Array, Array]:
        """The beam after one more step."""
        count, ids = len(nodes), np.arange(len(nodes))
        last = np.array([self.labels[n] for n in nodes])
        total = np.logaddexp(silent, spoken)
        longer = total[:, None] + row
        longer[ids, last] = silent + row[last]  # the same label again needs a blank between
        longer[:, self.blank] = -math.inf
        same = np.where(nodes == 0, -math.inf, spoken + row[last])
        self._merge(nodes, longer, same)
        candidates = np.concatenate([np.logaddexp(total + row[self.blank], same), longer.ravel()])
        kept = np.argsort(-candidates, kind="stable")[: self.beam]
        kept = kept[(candidates[kept] > -math.inf) | (kept == kept[0])]
        stay, new = kept[kept < count], kept[kept >= count] - count
        grown = [self._child(int(nodes[k // len(row)]), int(k % len(row))) for k in new]
        return (
            np.concatenate([nodes[stay], np.array(grown, np.int64)]),
            np.concatenate([total[stay] + row[self.blank], np.full(len(new), -math.inf)]),
            np.concatenate([same[stay], longer.ravel()[new]]),
        )

    def _merge(self, nodes: Array, longer: Array, same: Array) -> None:
        """Beginnings that are in the beam already are not made a second time."""
        position = {int(node): i for i, node in enumerate(nodes)}
        for i, node in enumerate(nodes):
            parent = position.get(self.parents[node])
            if parent is not None:
                label = self.labels[node]
                same[i] = np.logaddexp(same[i], longer[parent, label])
                longer[parent, label] = -math.inf

    def _child(self, node: int, label: int) -> int:
        """The node that adds ``label``."""
        found = self.children.setdefault((node, label), len(self.parents))
        if found == len(self.parents):
            self.parents.append(node)
            self.labels.append(label)
        return found

    def _spelled(self, node: int) -> list[int]:
        """All labels up to ``node``."""
        labels = []
        while node:
            labels.append(self.labels[node])
            node = self.parents[node]
        return labels[::-1]


def _rows(log_probs: Any, input_lengths: Any, blank: int) -> list[Array]:
    """The scores [steps, classes] of each row, in double, without what is padding."""
    scores = np.asarray(as_tensor(log_probs).numpy(), np.float64)
    if scores.ndim == 2:
        scores = scores[:, None]
    if scores.ndim != 3:
        raise ShapeError(
            f"log_probs have shape {scores.shape}",
            where=user_line(),
            help="pass [steps, batch, classes], or [steps, classes] of one row",
        )
    steps, rows, classes = scores.shape
    if not 0 <= blank < classes:
        raise DataError(
            f"blank is {blank}, but there are {classes} classes",
            where=user_line(),
            help=f"pass one from 0 to {classes - 1}",
        )
    wrong = np.argwhere(np.isnan(scores))
    if len(wrong):
        step, row, _ = wrong[0]
        raise DataError(
            f"log_probs are NaN in step {step} of row {row}",
            where=user_line(),
            help="look for where they arise with cr.find_nonfinite",
        )
    if input_lengths is None:
        return [scores[:, i] for i in range(rows)]
    lengths = np.asarray(as_tensor(input_lengths).numpy()).reshape(-1)
    if lengths.dtype.kind not in "iu" or lengths.shape != (rows,):
        raise ShapeError(
            f"input_lengths are {lengths.dtype.name}{list(lengths.shape)}, for {rows} rows",
            where=user_line(),
            help="pass one whole number for each row",
        )
    beyond = np.flatnonzero((lengths < 0) | (lengths > steps))
    if beyond.size:
        raise DataError(
            f"input_lengths[{beyond[0]}] is {lengths[beyond[0]]}, but there are {steps} steps",
            where=user_line(),
            help=f"pass lengths from 0 to {steps}",
        )
    return [scores[:n, i] for i, n in enumerate(lengths)]
