"""Learns a tokenizer from texts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from chainrule.data.text.library import library
from chainrule.data.text.tokenizer import SPECIALS, Tokenizer, TokenizerKind, build, clean
from chainrule.errors import ConfigError, DataError

__all__ = ["LEAST_BYTE_PAIRS", "learn_tokenizer"]

#: all bytes, so that nothing is unknown
LEAST_BYTE_PAIRS = 256 + len(SPECIALS)


def learn_tokenizer(
    texts: Iterable[str],
    kind: TokenizerKind,
    size: int,
    *,
    lowercase: bool = False,
    rare: int = 1,
) -> Tokenizer:
    """A tokenizer with a vocabulary of at most ``size`` numbers, of which words and characters have
    to occur ``rare`` times.

    The same texts, in the same order, give the same tokenizer. DataError for texts without any
    token; ConfigError for a vocabulary that cannot hold all bytes.
    """
    like = Tokenizer(kind, lowercase, ())
    cleaned = (clean(text) for text in texts)
    if kind == "character":
        learned = _characters(like, cleaned, size, rare)
    elif kind == "byte-pair":
        learned = _byte_pairs(like, cleaned, size)
    else:
        learned = (
            _words(like, cleaned, size, rare) if kind == "word" else _unigrams(like, cleaned, size)
        )
    if not learned.tokens:
        raise DataError(
            "the training texts are empty: there is nothing to make a vocabulary of",
            help="check the column or file that the texts come from",
        )
    return learned


def _characters(like: Tokenizer, texts: Iterable[str], size: int, rare: int) -> Tokenizer:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.lower() if like.lowercase else text)
    return Tokenizer(like.kind, like.lowercase, tuple(sorted(_frequent(counts, size, rare))))


def _frequent(counts: Counter[str], size: int, rare: int) -> list[str]:
    """The most frequent ones; of those that are equally frequent the first by their code points."""
    ranked = sorted((-count, token) for token, count in counts.items() if count >= rare)
    return [token for _, token in ranked[: max(size - len(SPECIALS), 0)]]


def _split(like: Tokenizer, texts: Iterable[str]) -> Iterator[list[str]]:
    machine = build(like, library().models.WordLevel({}, SPECIALS[1]))
    for text in texts:
        normal = machine.normalizer.normalize_str(text) if machine.normalizer else text
        yield [token for token, _ in machine.pre_tokenizer.pre_tokenize_str(normal)]


def _words(like: Tokenizer, texts: Iterable[str], size: int, rare: int) -> Tokenizer:
    counts: Counter[str] = Counter()
    for words in _split(like, texts):
        counts.update(words)
    return Tokenizer(like.kind, like.lowercase, tuple(_frequent(counts, size, rare)))


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


def _unigrams(like: Tokenizer, texts: Iterable[str], size: int) -> Tokenizer:
    package = library()
    trainer = package.trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        unk_token=SPECIALS[1],
        show_progress=False,
    )
    machine = _trained(like, package.models.Unigram(), trainer, texts)
    learned = json.loads(machine.to_str())["model"]["vocab"]
    pieces = [(piece, min(float(score), 0.0)) for piece, score in learned if piece not in SPECIALS]
    return Tokenizer(
        like.kind, like.lowercase, tuple(piece for piece, _ in pieces),
        scores=tuple(score for _, score in pieces),
    )  # fmt: skip


def _tokens_of(machine: Any) -> tuple[str, ...]:
    """The vocabulary in the order of its numbers, without special tokens."""
    numbered = machine.get_vocab(with_added_tokens=False)
    ordered = sorted(numbered, key=numbered.__getitem__)
    return tuple(token for token in ordered if token not in SPECIALS)


def _merges_of(machine: Any) -> tuple[tuple[str, str], ...]:
    merges = json.loads(machine.to_str())["model"]["merges"]
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return tuple((left, right) for left, right in pairs)
