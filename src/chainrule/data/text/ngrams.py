"""Runs of tokens that occur often, as features of their own: "not good" is not "good"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.text.tokenizer import PADDING, UNKNOWN, Codes
from chainrule.errors import ConfigError, StateError
from chainrule.records import check_shape

__all__ = ["NGrams", "learn_ngrams", "padded"]

Keys = NDArray[np.int64]


def padded(rows: Sequence[Codes], length: int) -> NDArray[np.int32]:
    """Rows of one ``length``: longer ones cut, shorter ones filled with `PADDING`."""
    filled = np.full((len(rows), length), PADDING, np.int32)
    for row, codes in zip(filled, rows, strict=True):
        row[: min(len(codes), length)] = codes[:length]
    return filled


@dataclass(frozen=True)
class NGrams:
    """The n-grams of two and more tokens out of a vocabulary of ``size``.

    ``keys[i]`` holds those of i + 2 tokens a, b, ..., each as a size + b and so on, ascending. They
    are numbered behind the tokens.
    """

    size: int
    keys: tuple[Keys, ...] = ()

    @property
    def features(self) -> int:
        """How many numbers there are: tokens and n-grams."""
        return self.size + sum(map(len, self.keys))

    def encode(self, rows: Sequence[Codes]) -> list[Codes]:
        """The tokens of each row, then its n-grams."""
        if not self.keys or not rows:
            return list(rows)
        ends = np.cumsum([len(row) for row in rows])
        parts: list[list[Codes]] = [[row] for row in rows]
        first = self.size
        for keys, (found, places) in zip(self.keys, _all_keys(rows, self.size, len(self.keys)),
                                         strict=True):  # fmt: skip
            if len(keys):
                at = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
                known = keys[at] == found
                codes, owners = at[known] + first, np.searchsorted(ends, places[known], "right")
                cuts = np.searchsorted(owners, np.arange(1, len(rows)))
                for part, own in zip(parts, np.split(codes, cuts), strict=True):
                    part.append(own.astype(np.int32))
            first += len(keys)
        return [np.concatenate(part) for part in parts]

    def tokens_of(self, feature: int) -> tuple[int, ...]:
        """The tokens that a number stands for."""
        if feature < self.size:
            return (feature,)
        place = feature - self.size
        for more, keys in enumerate(self.keys):
            if place < len(keys):
                key, tokens = int(keys[place]), []
                for _ in range(more + 2):
                    key, token = divmod(key, self.size)
                    tokens.append(token)
                return tuple(reversed(tokens))
            place -= len(keys)
        raise ConfigError(f"there is no feature {feature}")

    def to_document(self) -> list[list[int]]:
        """What `from_document` reads."""
        return [keys.tolist() for keys in self.keys]

    @classmethod
    def from_document(cls, document: Any, size: int, where: str) -> NGrams:
        """From what `to_document` gave. StateError, naming ``where``, for anything else."""
        check_shape(document, [[int]], where)
        for more, keys in enumerate(document):
            ascending = all(a < b for a, b in pairwise(keys))
            if not ascending or (keys and not 0 <= keys[0] <= keys[-1] < size ** (more + 2)):
                raise StateError(
                    "the n-grams do not fit the vocabulary", where=where,
                    help="the file was changed or cut off; copy it again",
                )  # fmt: skip
        return cls(size, tuple(np.array(keys, np.int64) for keys in document))


def learn_ngrams(
    rows: Sequence[Codes], size: int, longest: int, *, rare: int = 2, most: int = 100_000
) -> NGrams:
    """The n-grams of two to ``longest`` tokens that occur at least ``rare`` times, of each length
    the ``most`` frequent."""
    if size ** max(longest, 1) >= 2**63:
        raise ConfigError(
            f"n-grams of {longest} tokens cannot be numbered for a vocabulary of {size}",
            help="use a smaller tokenizer.size, or shorter n-grams",
        )
    learned = []
    for found, _ in _all_keys(rows, size, longest - 1):
        keys, counts = np.unique(found, return_counts=True)
        keys, counts = keys[counts >= rare], counts[counts >= rare]
        kept = np.argsort(-counts, kind="stable")[:most]
        learned.append(np.sort(keys[kept]))
    return NGrams(size, tuple(learned))


def _all_keys(rows: Sequence[Codes], size: int, count: int) -> list[tuple[Keys, Keys]]:
    """For each length from two on, the key of each n-gram of known tokens, and where it begins in
    all rows laid end to end."""
    flat = np.concatenate([np.zeros(0, np.int64), *rows])
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    usable, keys, found = flat > UNKNOWN, flat, []
    for more in range(1, count + 1):
        keys = keys[:-1] * size + flat[more:]
        usable = usable[:-1] & (flat[more:] > UNKNOWN) & (owners[more:] == owners[: len(keys)])
        found.append((keys[usable], np.flatnonzero(usable)))
    return found
