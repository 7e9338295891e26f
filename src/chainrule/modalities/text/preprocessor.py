"""What is fitted on training texts: the tokenizer, n-grams, and the encoders of other columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Features, Finding, Preprocessor, Table
from ...data.tables.table import column_hint
from ...data.text import UNKNOWN, Codes, NaiveBayes, NGrams, Subwords, Tokenizer, padded
from ...errors import DataError, StateError
from ...records import check_shape, parsed

__all__ = ["LabelPreprocessor", "Odds", "Reader", "read_texts"]

FORMAT, VERSION = "chainrule.text", 1
SHAPE: Mapping[str, Any] = {
    "format": str, "version": int, "family": str, "tokenizer": dict, "length": int,
}  # fmt: skip
LABEL_SHAPE: Mapping[str, Any] = {**SHAPE, "texts": [str], "ngrams": list, "table": dict}
LONGEST = 1 << 20
#: features of a text that is read as a set of them
MOST_FEATURES = 1024
#: between the texts of several columns
BETWEEN = "\n"

Rows = npt.NDArray[np.int64]


def read_texts(table: Table, columns: Sequence[str], rows: Rows | None = None) -> list[str]:
    """The texts of ``columns``, of ``rows`` alone if there are any; a missing one is empty."""
    for column in columns:
        if column not in table.columns:
            raise DataError(
                f"the table has no column `{column}`, whose texts the model reads",
                where=table.name,
                help=column_hint(column, table.columns),
            )
    texts: list[str] = []
    for _, chunk in table.read(dict.fromkeys(columns, "text")):
        cells = zip(*(chunk[column] for column in columns), strict=True)
        texts += [BETWEEN.join(str(cell) for cell in row if cell is not None) for row in cells]
    return texts if rows is None else [texts[i] for i in rows.tolist()]


def wrong(where: str, why: str) -> StateError:
    """The error for a ``pipeline.json`` that is none of a run on texts."""
    return StateError(
        f"pipeline.json does not belong to a run on texts: {why}",
        where=where,
        help="it was changed or cut off; copy it again",
    )


@dataclass(frozen=True)
class Reader:
    """Texts as rows of numbers: at most ``length`` tokens of each, with ``pairs`` the n-grams of
    these, too, and with ``subwords`` the runs of letters in these. ``once``: each feature of a text
    once, in order of their numbers, so that of too many the rarest are left out."""

    tokenizer: Tokenizer
    length: int
    ngrams: NGrams
    pairs: bool = False
    subwords: Subwords | None = None
    once: bool = False

    @property
    def size(self) -> int:
        """How many numbers there are for the network."""
        return self.whole + (len(self.subwords.pieces) if self.subwords else 0)

    @property
    def whole(self) -> int:
        """Those of tokens and their n-grams, which come first."""
        return self.ngrams.features if self.pairs else self.tokenizer.size

    def tokens(self, texts: Sequence[str]) -> list[Codes]:
        """The tokens of each text, as many as are read; at least one, so that no row is empty."""
        nothing = np.array([UNKNOWN], np.int32)
        return [row[: self.length] if len(row) else nothing for row in self.tokenizer.encode(texts)]

    def features(self, texts: Sequence[str]) -> list[Codes]:
        """What the network reads of each text."""
        rows = self.counted(texts) if self.pairs else self.tokens(texts)
        if self.subwords is not None:
            inside = self.subwords.encode(self.words(texts))
            rows = [np.concatenate([row, own + self.whole])
                    for row, own in zip(rows, inside, strict=True)]  # fmt: skip
        return [np.unique(row)[:MOST_FEATURES] for row in rows] if self.once else rows

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of each text, as many as are read."""
        return [row[: self.length] for row in self.tokenizer.words(texts)]

    def counted(self, texts: Sequence[str]) -> list[Codes]:
        """Tokens and n-grams of each text, which naive Bayes counts."""
        return self.ngrams.encode(self.tokens(texts))

    def arrays(self, texts: Sequence[str], width: int = 0) -> npt.NDArray[np.int32]:
        """The same in rows of one ``width``, or of `width_for` the longest."""
        rows = self.features(texts)
        return padded(rows, width or self.width_for(max(map(len, rows), default=1)))

    @staticmethod
    def width_for(longest: int) -> int:
        """The next power of two, so that few programs serve all."""
        return 1 << (longest - 1).bit_length()

    def meaning(self, feature: int) -> str:
        """What a number stands for, for reading."""
        if self.subwords is not None and feature >= self.whole:
            return self.subwords.shown(feature - self.whole)
        tokens = self.ngrams.tokens_of(feature)
        joint = "" if self.tokenizer.kind in ("character", "byte-pair") else " "
        return joint.join(self.tokenizer.shown(token) for token in tokens)

    def to_document(self) -> dict[str, Any]:
        """What `from_document` reads."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "length": self.length,
            "tokenizer": self.tokenizer.to_document(),
            "ngrams": self.ngrams.to_document(),
            "pairs": self.pairs,
            "subwords": None if self.subwords is None else list(self.subwords.pieces),
            "once": self.once,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Reader:
        """StateError, naming ``where``, for what `to_document` did not give."""
        check_shape(document, SHAPE, where)
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise wrong(where, f"it is {document['format']!r} {document['version']!r}")
        if not 1 <= document["length"] <= LONGEST:
            raise wrong(where, f"its length is {document['length']}")
        tokenizer = Tokenizer.from_document(document["tokenizer"], where)
        ngrams = NGrams.from_document(document.get("ngrams", []), tokenizer.size, where)
        subwords = document.get("subwords")
        if subwords is not None and tokenizer.kind != "word":
            raise wrong(where, "its tokens are no words, but there are runs of letters in words")
        return cls(
            tokenizer, document["length"], ngrams, document.get("pairs") is True,
            None if subwords is None else Subwords.from_document(subwords, where),
            document.get("once") is True,
        )  # fmt: skip


@dataclass(frozen=True)
class Odds:
    """What naive Bayes says of texts, as inputs of a network: log-odds divided by ``scale``, their
    deviation over the training texts."""

    bayes: NaiveBayes
    scale: float = 1.0

    @property
    def columns(self) -> int:
        """One for two classes, else one for each."""
        return 1 if len(self.bayes.members) == 2 else len(self.bayes.members)

    def of(
        self, rows: Sequence[Codes], known: npt.NDArray[np.integer] | None = None
    ) -> npt.NDArray[np.float32]:
        """For rows of features, [rows, columns]; of training rows the classes are ``known``."""
        joint = self.bayes.joint(rows, known)
        if self.columns == 1:
            odds = joint[:, 1:] - joint[:, :1]
        else:
            odds = joint - joint.mean(axis=1, keepdims=True)
        return (odds / self.scale).astype(np.float32)

    def by_feature(self) -> npt.NDArray[np.float64]:
        """What one occurrence of each feature adds, [features, columns]."""
        log = self.bayes.feature_logs.T
        odds = log[:, 1:] - log[:, :1] if self.columns == 1 else log - log.mean(1, keepdims=True)
        return np.asarray(odds / self.scale)

    def shared(self) -> npt.NDArray[np.float64]:
        """The same, 0 for what a single text has: of that one it gives the class away."""
        several = self.bayes.counts.sum(axis=0) > 1
        return np.asarray(self.by_feature() * several[:, None])

    def to_document(self) -> dict[str, Any]:
        """What `from_document` reads."""
        return {
            "counts": self.bayes.counts.tolist(),
            "members": self.bayes.members.tolist(),
            "scale": self.scale,
        }

    @classmethod
    def from_document(cls, document: Any, classes: int, features: int, where: str) -> Odds:
        """StateError, naming ``where``, for what `to_document` did not give."""
        check_shape(document, {"counts": [[int]], "members": [int], "scale": float}, where)
        counts, members = document["counts"], document["members"]
        sized = len(members) == len(counts) == classes and all(len(c) == features for c in counts)
        every = [*members, *(n for row in counts for n in row)]
        if not sized or not all(0 <= n < 1 << 40 for n in every) or not document["scale"] > 0:
            raise wrong(where, "its counts do not fit the vocabulary and the classes")
        return cls(NaiveBayes(np.array(counts, np.int64), np.array(members, np.int64)),
                   float(document["scale"]))  # fmt: skip


@dataclass(frozen=True)
class LabelPreprocessor:
    """For texts with a label: the columns ``texts``, their ``reader``, the ``table`` of labels and
    other columns, the ``odds`` by naive Bayes, if they are an input, too, and the ``ratios`` of all
    features, if the network weighs these."""

    texts: tuple[str, ...]
    reader: Reader
    table: Preprocessor
    odds: Odds | None = None
    ratios: Odds | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        return self.reader.tokenizer

    @cached_property
    def has_others(self) -> bool:
        """Whether other columns are inputs, too."""
        return bool(self.table.encoders)

    def inputs(
        self,
        table: Table,
        rows: Rows | None = None,
        width: int = 0,
        known: npt.NDArray[np.integer] | None = None,
    ) -> tuple[tuple[npt.NDArray[Any], ...], tuple[Finding, ...]]:
        """The arguments of the network for rows, and what was unusual in them; the tokens of a text
        take ``width`` numbers, or as many as those of the longest. Of training rows the classes are
        ``known``."""
        texts = read_texts(table, self.texts, rows)
        parts: list[npt.NDArray[Any]] = [self.reader.arrays(texts, width)]
        if self.odds is not None:
            parts.append(self.odds.of(self.reader.counted(texts), known))
        findings: tuple[Finding, ...] = ()
        if self.has_others:
            features: Features = self.table.transform(table, rows)
            parts += [features.numeric] if features.names else []
            parts += [features.codes] if features.code_names else []
            findings = features.findings
        return tuple(parts), findings

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        document = {
            **self.reader.to_document(),
            "family": "classes",
            "texts": list(self.texts),
            "odds": None if self.odds is None else self.odds.to_document(),
            "ratios": None if self.ratios is None else self.ratios.to_document(),
            "table": json.loads(self.table.to_json()),
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> LabelPreprocessor:
        """StateError, naming ``where``, for what `to_json` did not write."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, LABEL_SHAPE, where)
        if not document["texts"]:
            raise wrong(where, "it names no column of texts")
        table = Preprocessor.from_json(json.dumps(document["table"]), where, alone=False)
        reader = Reader.from_document(document, where)
        if table.schema.target is None or set(document["texts"]) & {
            encoder.column for encoder in table.encoders
        }:
            raise wrong(where, "its columns contradict one another")
        counted = {"odds": reader.ngrams.features, "ratios": reader.size}
        known = {
            name: Odds.from_document(document[name], len(table.classes), features, where)
            for name, features in counted.items()
            if document.get(name) is not None
        }
        return cls(tuple(document["texts"]), reader, table, **known)
