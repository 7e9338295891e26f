"""Tokenizers: texts become numbers, and numbers texts.

    "It is." ── normalise ──► "it is." ── split ──► it, is, . ── vocabulary ──► 17, 9, 5

A tokenizer is what it has learned, as plain lists; the machinery that uses them is built from these
when it is first needed. So what a run keeps of it is checked like any other record, and nothing in
it can do more than name pieces of text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from chainrule.data.text.library import library
from chainrule.errors import StateError
from chainrule.records import check_shape

__all__ = [
    "END",
    "KINDS",
    "PADDING",
    "SPECIALS",
    "START",
    "UNKNOWN",
    "Codes",
    "Tokenizer",
    "TokenizerKind",
    "build",
    "clean",
]  # fmt: skip

Codes = NDArray[np.int32]
TokenizerKind = Literal["word", "character", "byte-pair", "unigram"]
KINDS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)

#: the first numbers of every vocabulary; a null character is in no text
SPECIALS = ("\0padding", "\0unknown", "\0start", "\0end")
PADDING, UNKNOWN, START, END = range(len(SPECIALS))
#: how they are shown
SHOWN = ("[padding]", "[unknown]", "[start]", "[end]")

#: a word with its apostrophes, or a single mark; letters of all scripts, with what combines
WORD = r"\w+(?:['’]\w+)*|[^\w\s]"
SPACE = "▁"
SHAPE: Mapping[str, Any] = {
    "kind": str, "lowercase": bool, "tokens": [str], "merges": [[str]], "scores": [float],
}  # fmt: skip


def clean(text: str) -> str:
    """Text that every tokenizer takes: without null characters and halves of characters."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@dataclass(frozen=True)
class Tokenizer:
    """``tokens`` in the order of their numbers, behind those of `SPECIALS`.

    ``merges`` are the pairs that byte pairs are made of, in order; ``scores`` the log-probabilities
    of unigrams. Tokens of byte pairs stand for bytes, each written as one letter (Radford et al.,
    2019), so that no text is unknown.
    """

    kind: TokenizerKind
    lowercase: bool
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers there are, those of `SPECIALS` included."""
        return len(SPECIALS) + len(self.tokens)

    def encode(self, texts: Sequence[str]) -> list[Codes]:
        """The numbers of each text; what is not in the vocabulary is `UNKNOWN`."""
        cleaned = [clean(text) for text in texts]
        if self.kind == "character":
            return [self._letters_of(text) for text in cleaned]
        encoded = self._machine.encode_batch_fast(cleaned, add_special_tokens=False)
        return [np.array(each.ids, np.int32) for each in encoded]

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of each text, known or not, as the vocabulary spells them."""
        machine, rows = self._machine, []
        for text in texts:
            normal = machine.normalizer.normalize_str(clean(text))
            rows.append([word for word, _ in machine.pre_tokenizer.pre_tokenize_str(normal)])
        return rows

    def decode(self, codes: Sequence[int] | Codes) -> str:
        """The text of numbers; special ones say nothing."""
        tokens = [self.tokens[c - len(SPECIALS)] for c in map(int, codes) if c >= len(SPECIALS)]
        if self.kind == "character":
            return "".join(tokens)
        if self.kind == "word":
            return " ".join(tokens)
        if self.kind == "unigram":
            return "".join(tokens).replace(SPACE, " ").removeprefix(" ")
        return bytes(_BYTE_OF[letter] for letter in "".join(tokens)).decode("utf-8", "replace")

    def raw(self, code: int) -> bytes:
        """The bytes that one token adds to a text; joined, they are the text in UTF-8."""
        if code < len(SPECIALS):
            return b""
        token = self.tokens[code - len(SPECIALS)]
        if self.kind == "byte-pair":
            return bytes(_BYTE_OF[letter] for letter in token)
        text = f" {token}" if self.kind == "word" else token.replace(SPACE, " ")
        return text.encode("utf-8")

    def shown(self, code: int) -> str:
        """A token for reading."""
        return SHOWN[code] if code < len(SPECIALS) else self.decode([code]) or "\ufffd"

    @cached_property
    def characters(self) -> NDArray[np.int64]:
        """How many characters each token stands for; a character of several tokens counts once."""
        # The bytes of a letter but for its first begin with the bits 10.
        return np.array([
            sum(byte & 0xC0 != 0x80 for byte in self.raw(code)) for code in range(self.size)
        ])  # fmt: skip

    @cached_property
    def _code_points(self) -> NDArray[np.uint32]:
        return np.array([ord(token) for token in self.tokens], np.uint32)

    def _letters_of(self, text: str) -> Codes:
        letters = np.frombuffer(
            (text.lower() if self.lowercase else text).encode("utf-32-le"), "<u4"
        )
        known = self._code_points
        places = np.minimum(np.searchsorted(known, letters), len(known) - 1)
        codes = np.where(known[places] == letters, places + len(SPECIALS), UNKNOWN)
        return codes.astype(np.int32)

    @cached_property
    def _machine(self) -> Any:
        """The tokenizer of the library that has learned just this."""
        models = library().models
        pieces = [*SPECIALS, *self.tokens]
        if self.kind == "unigram":
            least = min(self.scores)
            scores = [least] * len(SPECIALS) + list(self.scores)
            return build(self, models.Unigram(list(zip(pieces, scores, strict=True)), UNKNOWN))
        numbered = {piece: code for code, piece in enumerate(pieces)}
        if self.kind == "word":
            return build(self, models.WordLevel(numbered, SPECIALS[UNKNOWN]))
        return build(self, models.BPE(numbered, list(self.merges)))

    def to_document(self) -> dict[str, Any]:
        """What `from_document` reads."""
        return {
            "kind": self.kind,
            "lowercase": self.lowercase,
            "tokens": list(self.tokens),
            "merges": [list(pair) for pair in self.merges],
            "scores": list(self.scores),
        }

    @classmethod
    def from_document(cls, document: Any, where: str) -> Tokenizer:
        """From what `to_document` gave. StateError, naming ``where``, for anything else."""
        check_shape(document, SHAPE, where)
        merges = tuple((pair[0], pair[-1]) for pair in document["merges"])
        tokens, scores = tuple(document["tokens"]), tuple(map(float, document["scores"]))
        problem = _problem(document["kind"], tokens, document["merges"], scores)
        if problem:
            raise StateError(
                f"the tokenizer cannot be read: {problem}",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return cls(document["kind"], document["lowercase"], tokens, merges, scores)


def _problem(
    kind: str, tokens: Sequence[str], merges: Sequence[Sequence[str]], scores: Sequence[float]
) -> str:
    """What is wrong with the pieces of a tokenizer; empty if nothing is."""
    known = set(tokens)
    if kind not in KINDS:
        return f"its kind is {kind!r}"
    if not tokens or len(known) < len(tokens) or "" in known or known & set(SPECIALS):
        return "a token is missing or occurs twice"
    if kind == "character" and (max(map(len, tokens)) > 1 or list(tokens) != sorted(tokens)):
        return "its characters are not single ones, in order"
    if kind == "byte-pair":
        if not _BYTE_OF.keys() <= known or not set().union(*tokens) <= _BYTE_OF.keys():
            return "its tokens do not stand for bytes"
        if not all(len(m) == 2 and {*m, m[0] + m[1]} <= known for m in merges):
            return "a merge makes no token"
    elif merges:
        return f"a tokenizer of the kind {kind} merges nothing"
    wanted = len(tokens) if kind == "unigram" else 0
    if len(scores) != wanted or not all(math.isfinite(score) and score <= 0 for score in scores):
        return "its scores are no log-probabilities"
    return ""


def build(like: Tokenizer, model: Any) -> Any:
    """A tokenizer of the library around one of its models, which normalises and splits as one like
    this does."""
    tokenizers = library()
    normalizers, split = tokenizers.normalizers, tokenizers.pre_tokenizers
    machine = tokenizers.Tokenizer(model)
    steps = [normalizers.NFC()] if like.kind != "byte-pair" else []
    steps += [normalizers.Lowercase()] if like.lowercase else []
    if steps:
        machine.normalizer = normalizers.Sequence(steps)
    machine.pre_tokenizer = {
        "word": lambda: split.Split(tokenizers.Regex(WORD), "removed", invert=True),
        "byte-pair": lambda: split.ByteLevel(add_prefix_space=False),
        "unigram": lambda: split.Metaspace(SPACE, prepend_scheme="always"),
    }[like.kind]()
    return machine


def _letters_of_bytes() -> dict[str, int]:
    """The byte that each letter stands for: printable ones for themselves, the others for letters
    from U+0100 on, in order (Radford et al., 2019)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(0x100 + i): b for i, b in enumerate(others)}


_BYTE_OF: Mapping[str, int] = _letters_of_bytes()
