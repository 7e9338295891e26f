"""Pairs of texts to learn translation from: opened, divided, and made into rows of tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import user_path
from ...data import Finding, Split, Table, read_table
from ...data.tables.fingerprint import fingerprint_of
from ...data.text import (
    END,
    PADDING,
    START,
    Codes,
    NGrams,
    Tokenizer,
    TranslationMemory,
    learn_tokenizer,
    padded,
    parallel_columns,
)
from ...errors import ConfigError, DataError
from ...records import check_shape, parsed
from ...runs.modality import PARTS, PartName
from ...runs.parts import PreparedParts
from ...tasks import Translation
from ...tasks.translation import Translated, sacrebleu
from ...train import Padded, Scores
from .bounds import length_bounds
from .preprocessor import Reader, read_texts, wrong
from .settings import TextDataSettings, TextSettings

__all__ = ["OpenedPairs", "PairPreprocessor", "PreparedPairs", "open_pairs"]

#: what the columns of two parallel files are called
SOURCE, TARGET = "source", "target"
#: pairs without a partner that a finding names
NAMED = 3


@dataclass(frozen=True)
class PairPreprocessor:
    """One tokenizer for both languages; the columns ``source`` and ``target``."""

    source: str
    target: str
    reader: Reader

    @property
    def tokenizer(self) -> Tokenizer:
        return self.reader.tokenizer

    def sources(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Texts to translate, each with an end, as rows of one length."""
        end = np.array([END], np.int32)
        return padded(
            [np.concatenate([row, end]) for row in self.reader.tokens(texts)],
            self.reader.length + 1,
        )

    def targets(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """Translations between a start and an end, as rows of one length."""
        start, end = np.array([START], np.int32), np.array([END], np.int32)
        return padded(
            [np.concatenate([start, row, end]) for row in self.reader.tokens(texts)],
            self.reader.length + 2,
        )

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        document = {
            **self.reader.to_document(),
            "family": "translation",
            "source": self.source,
            "target": self.target,
        }
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> PairPreprocessor:
        """StateError, naming ``where``, for what `to_json` did not write."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, {"source": str, "target": str}, where)
        if document["source"] == document["target"]:
            raise wrong(where, "source and target are one column")
        reader = Reader.from_document(document, where)
        return cls(document["source"], document["target"], reader)


def table_of_pairs(
    source: object, data: TextDataSettings, query: str | None
) -> tuple[Table, TextDataSettings, tuple[Finding, ...]]:
    """A table of pairs, and which of its columns they are in: those that are named, or the two that
    there are."""
    if data.parallel:
        if not isinstance(source, str | os.PathLike):
            raise ConfigError("`data.parallel` goes with the path of a file", help="pass two paths")
        names = data.source or SOURCE, data.target or TARGET
        columns = parallel_columns(source, data.parallel, names)
        return read_table(columns, name=Path(source).name), replace(
            data, source=names[0], target=names[1]
        ), ()  # fmt: skip
    table = source if isinstance(source, Table) else read_table(source, query=query)
    named = [c for c in (data.source, data.target) if c]
    for column in named:
        table.index(column)
    others = [c for c in table.columns if c not in named]
    if len(named) < 2 and len(table.columns) != 2:
        raise ConfigError(
            "source and target of the translation were not given",
            where=table.name,
            help=f"name both columns: --source and --target; the columns are "
            f"{', '.join(table.columns[:12])}",
        )
    left = data.source or others.pop(0)
    right = data.target or others.pop(0)
    findings = () if named else (
        Finding("D605", "info", f"translated is from `{left}` to `{right}`",
                "the only two columns", "--source and --target change that"),
    )  # fmt: skip
    return table, replace(data, source=left, target=right), findings


def open_pairs(settings: TextSettings, source: object) -> OpenedPairs:
    """The pairs of ``source``. DataError for what is none, ConfigError without their scorer."""
    sacrebleu()  # before a training that could not be judged
    data = settings.data
    if isinstance(source, str) and not source:
        raise ConfigError("there are no pairs to learn from", help="pass a table, or two files")
    if data.text:
        raise ConfigError("translation has no --text", help="name its columns: --source, --target")
    table, data, findings = table_of_pairs(source, data, data.query or None)
    if isinstance(source, str | os.PathLike):
        data = replace(data, path=str(user_path(source, "the pairs").absolute()))
    columns = [read_texts(table, (column,)) for column in (data.source, data.target)]
    there = [bool(a.strip()) and bool(b.strip()) for a, b in zip(*columns, strict=True)]
    rows = np.flatnonzero(there)
    if not len(rows):
        raise DataError(
            f"no row has both a `{data.source}` and a `{data.target}`",
            where=table.name,
            help="each pair needs a text and its translation",
        )
    if len(rows) < len(there):
        missing = [str(i + 1) for i, both in enumerate(there) if not both]
        evidence = f"{len(missing)} of {len(there)}, such as row {', '.join(missing[:NAMED])}"
        message = "pairs without a source or a target are left out"
        findings = (*findings, Finding("D610", "warning", message, evidence))
    texts = tuple(tuple(column[i] for i in rows.tolist()) for column in columns)
    name = Path(table.name).name.split(".")[0] or "pairs"
    named = replace(settings, data=data).named(name).with_absolute_paths()
    whole = isinstance(source, str | os.PathLike) and not data.parallel
    fingerprint = fingerprint_of(source if whole else None, table)
    return OpenedPairs(table.name, (texts[0], texts[1]), fingerprint, named, findings)


@dataclass(frozen=True)
class OpenedPairs:
    """Sources and their translations."""

    name: str
    texts: tuple[tuple[str, ...], tuple[str, ...]]
    fingerprint: str
    settings: TextSettings
    findings: tuple[Finding, ...]

    def training_rows(self) -> int:
        return self.settings.data.training_rows(len(self.texts[0]))

    def divide(self, settings: TextSettings) -> Split:
        """Which pairs are for what; pairs with one source stay together, so that none is judged by
        a translation of a text that was trained on."""
        _, owners = np.unique(np.array(self.texts[0], object).astype(str), return_inverse=True)
        split = settings.data.divide(int(owners.max()) + 1, settings.split_seed, unit="source")
        parts = [np.flatnonzero(np.isin(owners, own))
                 for own in (split.train, split.val, split.test)]  # fmt: skip
        return Split(*parts)

    def prepare(self, settings: TextSettings, folder: Path | None) -> PreparedPairs:
        """Splits, and learns the tokenizer from the training pairs."""
        split = self.divide(settings)
        parts = {
            name: tuple([side[i] for i in own.tolist()] for side in self.texts)
            for name, own in zip(PARTS, (split.train, split.val, split.test), strict=True)
        }
        kind, size, lowercase = settings.tokens
        trained = [text for side in parts["train"] for text in side]
        tokenizer = learn_tokenizer(trained, kind, size, lowercase=lowercase)
        longest = max(map(len, tokenizer.encode(trained)))
        length = settings.length_for(longest)
        reader = Reader(tokenizer, length, NGrams(tokenizer.size))
        data = settings.data
        settings = settings.resolved(len(split.train), Translation, length)
        findings = self.findings
        if longest > length:
            message = f"of long texts, only the first {length} tokens are read"
            evidence = f"the longest has {longest}"
            advice = "tokenizer.length sets another length"
            findings = (*findings, Finding("D607", "warning", message, evidence, advice))
        preprocessor = PairPreprocessor(data.source, data.target, reader)
        return PreparedPairs(self, settings, preprocessor, parts, findings)


@dataclass(frozen=True)
class PreparedPairs(PreparedParts[TextSettings]):
    """``parts`` of the pairs: sources and translations."""

    opened: OpenedPairs
    settings: TextSettings
    preprocessor: PairPreprocessor
    parts: Mapping[PartName, tuple[list[str], ...]]
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The name of the data without folders and extensions."""
        return Path(self.opened.name).name.split(".")[0] or "pairs"

    @property
    def fingerprint(self) -> str:
        return self.opened.fingerprint

    @cached_property
    def _lengths(self) -> Mapping[PartName, npt.NDArray[np.int64]]:
        """How many tokens the longer one of each pair has."""
        return {
            name: np.maximum(
                (self.preprocessor.sources(self.parts[name][0]) != PADDING).sum(axis=1),
                (self.target(name) != PADDING).sum(axis=1),
            )
            for name in PARTS
        }

    @cached_property
    def _bounds(self) -> tuple[int, ...]:
        """The lengths that batches are read at, the same for all parts."""
        bounds = length_bounds(self._lengths["train"])
        return (*bounds[:-1], self.preprocessor.reader.length + 2)

    def source(self, part: PartName) -> Padded:
        target = self.target(part)
        sources = np.zeros_like(target)
        own = self.preprocessor.sources(self.parts[part][0])
        sources[:, : own.shape[1]] = own
        return Padded(
            (sources, target, target), self._lengths[part], self._bounds, (True, True, True)
        )

    def target(self, part: PartName) -> npt.NDArray[Any]:
        return self.preprocessor.targets(self.parts[part][1])

    def tokens(self, part: PartName) -> list[Codes]:
        """The tokens of the sources of a part."""
        return self.preprocessor.reader.tokens(self.parts[part][0])

    @property
    def truth(self) -> npt.NDArray[Any]:
        return np.array(self.parts["test"][1], object)

    def rivals(self) -> dict[str, Scores]:
        """What a translation memory says of the test part: the translation of the training source
        that is most like each."""
        memory = TranslationMemory(self.tokens("train"), self.preprocessor.tokenizer.size)
        known = self.parts["train"][1]
        texts = tuple(known[i] for i in memory.nearest(self.tokens("test")).tolist())
        return {"translation memory": Translated(np.zeros((len(texts), 0)), "identity", texts)}

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(self.parts[name][0]) for name in PARTS}

    def data_facts(self) -> dict[str, Any]:
        return {**super().data_facts(), "task": "translation"}

    def model_facts(self) -> dict[str, Any]:
        tokenizer = self.preprocessor.tokenizer
        return {
            "name": self.model_name,
            "tokens": f"{tokenizer.size:,} {tokenizer.kind} tokens",
            "length": self.preprocessor.reader.length,
        }
