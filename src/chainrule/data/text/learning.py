"""Learns a tokenizer from texts."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.data.gathering import ALONE, Gathering
from chainrule.data.text.library import library
from chainrule.data.text.pieces import own_pieces
from chainrule.data.text.tokenizer import SPECIALS, Tokenizer, TokenizerKind, build, clean
from chainrule.errors import ConfigError, DataError

__all__ = ["LEAST_BYTE_PAIRS", "learn_tokenizer"]

#: of unigrams: how many pieces there are at first, for each that is wanted; how many stay in a
#: round; how often an unused letter counts
SURPLUS, SHRINK, UNUSED = 4, 0.75, 0.5
#: all bytes, so that nothing is unknown
LEAST_BYTE_PAIRS = 256 + len(SPECIALS)


def learn_tokenizer(
    texts: Sequence[str],
    kind: TokenizerKind,
    size: int,
    *,
    lowercase: bool = False,
    rare: int = 1,
    gathering: Gathering = ALONE,
) -> Tokenizer:
    """A tokenizer with a vocabulary of at most ``size`` numbers, of which words and characters have
    to occur ``rare`` times.

    The same texts, in the same order, give the same tokenizer. Of several processes that have them
    each counts a share, but for byte pairs, which the library counts itself. DataError for texts
    without any token; ConfigError for a vocabulary that cannot hold all bytes.
    """
    like = Tokenizer(kind, lowercase, ())
    if kind == "byte-pair":
        learned = _byte_pairs(like, map(clean, texts), size)
    else:
        counts: Counter[str] = Counter()
        split = _splitter(like)
        for piece, _ in own_pieces(texts, gathering):
            counts.update(split(clean(piece)))
        counts = gathering.counted(counts)
        if kind == "unigram":
            learned = _unigrams(like, counts, size)
        else:
            tokens = _frequent(counts, size, rare)
            # characters are looked up by halving
            learned = replace(like, tokens=tuple(sorted(tokens) if kind == "character" else tokens))
    if not any(texts) or not learned.tokens:
        raise DataError(
            "the training texts are empty: there is nothing to make a vocabulary of",
            help="check the column or file that the texts come from",
        )
    return learned


def _splitter(like: Tokenizer) -> Callable[[str], Iterable[str]]:
    """What takes a text apart, into characters or words."""
    if like.kind == "character":
        return str.lower if like.lowercase else str
    machine = build(like, library().models.WordLevel({}, SPECIALS[1]))

    def words(text: str) -> Iterable[str]:
        normal = machine.normalizer.normalize_str(text)
        return [token for token, _ in machine.pre_tokenizer.pre_tokenize_str(normal)]

    return words


def _frequent(counts: Counter[str], size: int, rare: int) -> list[str]:
    """The most frequent ones; of those that are equally frequent the first by their code points."""
    ranked = sorted((-count, token) for token, count in counts.items() if count >= rare)
    return [token for _, token in ranked[: max(size - len(SPECIALS), 0)]]


def _trained(like: Tokenizer, model: Any, trainer: Any, texts: Iterable[str]) -> Any:
    machine = build(like, model)
    machine.train_from_iterator(texts, trainer)
    return machine


def _byte_pairs(like: Tokenizer, texts: Iterable[str], size: int) -> Tokenizer:
    if size < LEAST_BYTE_PAIRS:
        raise ConfigError(
            f"a vocabulary of {size} cannot hold all bytes",
            help=f"byte pairs need a size of {LEAST_BYTE_PAIRS} or more (tokenizer.size)",
        )
    package = library()
    trainer = package.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=package.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    machine = _trained(like, package.models.BPE(), trainer, texts)
    return Tokenizer(like.kind, like.lowercase, _tokens_of(machine), merges=_merges_of(machine))


def _unigrams(like: Tokenizer, counted: Mapping[str, int], size: int) -> Tokenizer:
    """Pieces that make the texts most probable (Kudo, 2018), by likeliest splits alone: many pieces
    to begin with, of which the least used go, round by round.

    The trainer of the library gives other pieces in every process, so the first pieces are byte
    pairs of letters, and only the splitting is the library's.
    """
    package = library()
    words, counts = list(counted), list(counted.values())
    if not words:
        return like
    letters: Counter[str] = Counter()
    for word, count in counted.items():
        letters.update(dict.fromkeys(word, count))
    kept = set(_frequent(letters, size, 1))
    room = max(size - len(SPECIALS), len(kept))
    machine = build(like, package.models.BPE())
    trainer = package.trainers.BpeTrainer(
        vocab_size=SURPLUS * size, special_tokens=list(SPECIALS), show_progress=False
    )
    machine.train_from_iterator((w for w, n in counted.items() for _ in range(n)), trainer)
    pieces = [*kept, *(token for token in _tokens_of(machine) if len(token) > 1)]
    scores = {piece: -math.log(len(pieces)) for piece in pieces}
    while True:
        pieces = sorted(scores, key=lambda piece: (-scores[piece], piece))
        uses = _uses(pieces, scores, words, counts)
        last = len(pieces) <= room
        if not last:
            least = max(room, int(SHRINK * len(pieces)))
            ranked = sorted(pieces, key=lambda piece: (piece not in kept, -uses[piece], piece))
            pieces = ranked[:least]
        total = sum(max(uses[piece], UNUSED) for piece in pieces)
        scores = {piece: math.log(max(uses[piece], UNUSED) / total) for piece in pieces}
        if last:
            break
    ordered = sorted(scores, key=lambda piece: (-scores[piece], piece))
    return Tokenizer(
        like.kind, like.lowercase, tuple(ordered), scores=tuple(scores[p] for p in ordered)
    )


def _uses(
    pieces: Sequence[str], scores: Mapping[str, float], words: Sequence[str], counts: Sequence[int]
) -> dict[str, float]:
    """How often each piece is in the likeliest splits of all words."""
    package = library()
    least = min(scores.values()) - 10.0
    scored = [(SPECIALS[1], least), *((piece, scores[piece]) for piece in pieces)]
    machine = package.Tokenizer(package.models.Unigram(scored, 0))
    uses = np.zeros(len(scored))
    for word, count in zip(machine.encode_batch_fast(list(words)), counts, strict=True):
        for code in word.ids:
            uses[code] += float(count)
    return dict(zip(pieces, uses[1:].tolist(), strict=True))


def _tokens_of(machine: Any) -> tuple[str, ...]:
    """The vocabulary in the order of its numbers, without special tokens."""
    numbered = machine.get_vocab(with_added_tokens=False)
    ordered = sorted(numbered, key=numbered.__getitem__)
    return tuple(token for token in ordered if token not in SPECIALS)


def _merges_of(machine: Any) -> tuple[tuple[str, str], ...]:
    merges = json.loads(machine.to_str())["model"]["merges"]
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return tuple((left, right) for left, right in pairs)
