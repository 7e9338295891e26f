"""Texts with a label: opened as a table, split, and encoded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arguments import user_path
from ...data import Finding, Preprocessor, Table, divide, read_table, read_target
from ...data.tables.columns import with_column
from ...data.tables.fingerprint import fingerprint_of
from ...data.tables.plan import TablePlan
from ...data.tables.prepare import Division
from ...data.text import (
    CLASS,
    TEXT,
    Codes,
    NaiveBayes,
    NGrams,
    Tokenizer,
    bundled_text,
    folder_columns,
    is_texts,
    learn_ngrams,
    learn_subwords,
    learn_tokenizer,
    line_columns,
    text_columns,
)
from ...data.text.reading import ENDINGS, is_prose
from ...elementary import exp
from ...errors import ConfigError, DataError
from ...runs.modality import PARTS, PartName, is_pair
from ...runs.parts import PreparedParts
from ...tasks import Task
from ...tasks.labels import goal_of
from ...train import Padded, Scores
from .bounds import length_bounds
from .findings import text_findings
from .networks import NETWORKS
from .preprocessor import LabelPreprocessor, Odds, Reader, read_texts
from .settings import TextDataSettings, TextSettings

__all__ = ["OpenedLabels", "PreparedLabels", "open_labels", "table_of_texts"]

#: the longest n-grams that naive Bayes counts, where the network has none
PAIRS = 2
#: of several columns, a text is one with so many letters to a cell, in most rows another one
LETTERS, DIFFERENT = 20, 0.5


def table_of_texts(
    source: object,
    query: str | None = None,
    labelled: bool = False,
    names: tuple[str, str] = (TEXT, CLASS),
) -> tuple[Table, tuple[Finding, ...]]:
    """Texts as a table: from one, a folder, the lines of a text file, or a list in memory. In what
    is no table itself, ``names`` are those of the columns of texts and classes."""
    bundle = bundled_text(source)
    if bundle:
        return read_table(bundle.path, query=query, name=bundle.name), ()
    if isinstance(source, Table):
        return source, ()
    renamed = dict(zip((TEXT, CLASS), names, strict=True))

    def table_of(columns: Mapping[str, Any], name: str | None = None) -> Table:
        own = {renamed.get(column, column): values for column, values in columns.items()}
        return read_table(own, query=query, name=name)

    if is_pair(source):
        texts, labels = source
        if not is_texts(texts):
            return read_table(with_column(texts, names[1], labels), query=query), ()
        return table_of(with_column(text_columns(texts), CLASS, labels)), ()
    if is_texts(source):
        assert isinstance(source, list | tuple | np.ndarray)
        return table_of(text_columns(source)), ()
    if isinstance(source, str | os.PathLike):
        path = user_path(source, "the texts")
        if path.is_dir():
            columns, findings = folder_columns(path, labelled)
            return table_of(columns, path.name), findings
        if path.suffix.lower() in ENDINGS and not labelled:
            return table_of(line_columns(path), path.name), ()
    return read_table(source, query=query), ()


def open_labels(settings: TextSettings, source: object) -> OpenedLabels:
    """The texts of ``source``, with the settings completed: columns, name, absolute paths."""
    if isinstance(source, str) and not source:
        raise ConfigError(
            "there are no texts to learn from",
            help="pass a table, a folder with a subfolder for each class, or texts in memory",
        )
    data = settings.data
    if isinstance(source, str | os.PathLike):
        path = user_path(source, "the texts")
        if path.suffix.lower() in ENDINGS and path.is_file() and is_prose(path):
            raise ConfigError(
                f"{path.name} is a text without labels",
                help="--task language learns to continue it; classes need a table, or a folder "
                "with a subfolder for each",
            )
    table, findings = table_of_texts(source, data.query or None, labelled=True)
    bundle = bundled_text(source)
    if bundle:
        data = replace(data, target=data.target or bundle.target, text=data.text or bundle.text)
    target = _target(table, data, source)
    texts, inferred = _text_columns(table, data, target)
    data = replace(data, target=target, text=texts, path=bundle.name if bundle else data.path)
    if isinstance(source, str | os.PathLike) and not bundle:
        data = replace(data, path=str(user_path(source, "the texts").absolute()))
    name = Path(table.name).name.split(".")[0] or "texts"
    named = replace(settings, data=data).named(name).with_absolute_paths()
    return OpenedLabels(table, bundle.path if bundle else source, named, (*findings, *inferred))


def _target(table: Table, data: TextDataSettings, source: object) -> str:
    """The column to predict: named, or the only one that there is beside a folder's texts."""
    if data.target:
        table.index(data.target)
        return data.target
    if CLASS in table.columns and not isinstance(source, Table):
        return CLASS
    if is_pair(source):
        return table.columns[-1]
    raise ConfigError(
        "no target column was given",
        where=table.name,
        help=f"name the column to predict; the columns are {', '.join(table.columns[:12])}",
    )


def _text_columns(
    table: Table, data: TextDataSettings, target: str
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The columns with texts, and what there is to say of columns that were only recognised."""
    if data.text:
        for column in data.text:
            table.index(column)
        return data.text, ()
    stats = {c: table.stats(c) for c in table.columns if c != target}
    written = {c: own for c, own in stats.items() if own.storage == "text" and own.present}
    lengths = {c: own.text_length / own.present for c, own in written.items()}
    if len(written) > 1:
        lengths = {
            c: n for c, n in lengths.items()
            if n > LETTERS and written[c].distinct > DIFFERENT * written[c].present
        }  # fmt: skip
    if not lengths:
        raise ConfigError(
            "no column looks like text",
            where=table.name,
            help="name it with --text (data.text); the columns are "
            f"{', '.join(table.columns[:12])}",
        )
    texts = tuple(lengths)
    evidence = ", ".join(f"{c}: {n:.0f} letters on average" for c, n in lengths.items())
    finding = Finding("D605", "info", f"texts are read from {', '.join(texts)}", evidence)
    return texts, (finding,) if len(table.columns) > 2 else ()


@dataclass(frozen=True)
class OpenedLabels:
    """A table with texts and where it came from; ``settings`` name its columns."""

    table: Table
    origin: object
    settings: TextSettings
    findings: tuple[Finding, ...]

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.origin, self.table)

    def training_rows(self) -> int:
        return self.settings.data.training_rows(self.table.n_rows)

    def divide(self, settings: TextSettings) -> Division:
        """Which rows are for what; other columns are inputs unless ``data.others`` says no."""
        data = settings.data
        ignored = {c for c, kind in data.columns.items() if kind == "ignored"} | set(data.text)
        if not data.others:
            ignored |= {c for c in self.table.columns if c != data.target}
        kinds = {c: k for c, k in data.columns.items() if k != "ignored"}
        task = data.task
        assert task != "language"
        assert task != "translation"
        plan = TablePlan(
            task=None if task == "auto" else task, kinds=kinds, ignore=sorted(ignored),
            fractions=data.split, fold=(data.fold[0], data.fold[1]) if data.fold else None,
            seed=settings.split_seed, alone=False,
        )  # fmt: skip
        return divide(self.table, data.target, plan)

    def prepare(self, settings: TextSettings, folder: Path | None) -> PreparedLabels:
        """Splits, learns the tokenizer from the training texts, and encodes."""
        division, data = self.divide(settings), settings.data
        rows = {
            name: division.usable[part]
            for name, part in zip(PARTS, (division.parts.train, division.parts.val,
                                          division.parts.test), strict=True)
        }  # fmt: skip
        texts = {name: read_texts(self.table, data.text, own) for name, own in rows.items()}
        kind, size, lowercase = settings.tokens
        tokenizer = learn_tokenizer(texts["train"], kind, size, lowercase=lowercase)
        lengths = [len(row) for row in tokenizer.encode(texts["train"])]
        length = settings.length_for(max(lengths))
        table = Preprocessor.fit(division.table, division.schema, rows["train"])
        goal = goal_of(table)
        settings = settings.resolved(len(rows["train"]), type(goal), length)
        preprocessor = LabelPreprocessor(
            data.text, reader_of(settings, tokenizer, texts["train"]), table
        )
        if goal.labels:
            codes = np.searchsorted(division.usable, rows["train"])
            known = table.encode_target(division.values[codes]).astype(np.int32)
            preprocessor = counted(settings, preprocessor, texts["train"], known)
        findings = (
            *self.findings, *division.findings, *table.findings,
            *text_findings(texts, lengths, length),
        )  # fmt: skip
        return PreparedLabels(self, settings, preprocessor, division, rows, texts, goal, findings)


def reader_of(settings: TextSettings, tokenizer: Tokenizer, texts: list[str]) -> Reader:
    """What reads texts for the network of ``settings``, learned from those of the training part."""
    network, own, length = (
        NETWORKS[settings.model.name],
        settings.tokenizer,
        settings.tokenizer.length,
    )
    assert not isinstance(length, str)
    pairs = network.features and own.ngrams > 1
    reader = Reader(tokenizer, length, NGrams(tokenizer.size), pairs, once=network.weighs)
    longest = own.ngrams if pairs else PAIRS
    ngrams = learn_ngrams(reader.tokens(texts), tokenizer.size, longest)
    subwords = learn_subwords(reader.words(texts)) if own.subwords is True else None
    return replace(reader, ngrams=ngrams, subwords=subwords)


def counted(
    settings: TextSettings,
    preprocessor: LabelPreprocessor,
    texts: list[str],
    classes: npt.NDArray[np.int32],
) -> LabelPreprocessor:
    """With what naive Bayes has counted in the training texts, as far as the network uses it."""
    reader, count = preprocessor.reader, len(preprocessor.table.classes)
    if NETWORKS[settings.model.name].weighs:
        bayes = NaiveBayes.fit(reader.features(texts), classes, count, reader.size)
        return replace(preprocessor, ratios=Odds(bayes))
    if not settings.data.odds:
        return preprocessor
    rows = reader.counted(texts)
    bayes = NaiveBayes.fit(rows, classes, count, reader.ngrams.features)
    raw = Odds(bayes).of(rows, classes)
    scale = max(float(np.sqrt(np.mean(np.square(raw, dtype=np.float64)))), 1e-6)
    return replace(preprocessor, odds=Odds(bayes, scale))


@dataclass(frozen=True)
class PreparedLabels(PreparedParts[TextSettings]):
    """``rows`` of the table and their ``texts``, by part."""

    opened: OpenedLabels
    settings: TextSettings
    preprocessor: LabelPreprocessor
    division: Division
    rows: Mapping[PartName, npt.NDArray[np.int64]]
    texts: Mapping[PartName, list[str]]
    goal: Task
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The name of the data without folders and extensions."""
        return Path(self.opened.table.name).name.split(".")[0] or "texts"

    @property
    def fingerprint(self) -> str:
        return self.opened.fingerprint

    @cached_property
    def _lengths(self) -> Mapping[PartName, npt.NDArray[np.int64]]:
        """How many numbers each text takes."""
        reader = self.preprocessor.reader
        return {
            name: np.array([len(row) for row in reader.features(texts)], np.int64)
            for name, texts in self.texts.items()
        }

    @cached_property
    def _bounds(self) -> tuple[int, ...]:
        """The lengths that batches are read at, the same for all parts."""
        bounds = length_bounds(self._lengths["train"])
        return (*bounds[:-1], max(int(own.max()) for own in self._lengths.values()))

    def inputs(self, name: PartName) -> tuple[npt.NDArray[Any], ...]:
        """The arguments of the network for the texts of a part."""
        table, rows = self.division.table, self.rows[name]
        known = self.target(name) if name == "train" else None
        return self.preprocessor.inputs(table, rows, self._bounds[-1], known)[0]

    def source(self, part: PartName) -> Padded:
        target = self.target(part)
        if self.goal.outputs == 1:  # as the losses of one output take it
            target = target.astype(np.float32)[:, None]
        arrays = (*self.inputs(part), target)
        cut = (True, *[False] * (len(arrays) - 1))
        return Padded(arrays, self._lengths[part], self._bounds, cut)

    def target(self, part: PartName) -> npt.NDArray[Any]:
        places = np.searchsorted(self.division.usable, self.rows[part])
        return self.preprocessor.table.encode_target(self.division.values[places])

    @property
    def truth(self) -> npt.NDArray[Any]:
        """In float64, where the target that is trained on may be rounded."""
        places = np.searchsorted(self.division.usable, self.rows["test"])
        return np.asarray(self.division.values[places])

    def tokens(self, part: PartName) -> list[Codes]:
        """The tokens of the texts of a part."""
        return self.preprocessor.reader.tokens(self.texts[part])

    def rivals(self) -> dict[str, Scores]:
        """What naive Bayes says of the test part, by words and pairs; nothing without classes."""
        if not self.goal.labels:
            return {}
        reader, count = self.preprocessor.reader, len(self.goal.labels)
        rows, classes = reader.counted(self.texts["train"]), self.target("train")
        bayes = NaiveBayes.fit(rows, classes, count, reader.ngrams.features)
        said = bayes.log_probabilities(reader.counted(self.texts["test"]))
        one = self.goal.outputs == 1
        scores = Scores(exp(said[:, 1:]), "probability") if one else Scores(said, "exp")
        return {"naive Bayes": scores}

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(self.rows[name]) for name in PARTS}

    def data_facts(self) -> dict[str, Any]:
        table = self.opened.table
        return {"rows": table.n_rows, "columns": len(table.columns), "task": self.goal.name}

    def model_facts(self) -> dict[str, Any]:
        tokenizer = self.preprocessor.tokenizer
        return {
            "name": self.model_name,
            "tokens": f"{tokenizer.size:,} {tokenizer.kind} tokens",
            "length": self.preprocessor.reader.length,
            "inputs": self.preprocessor.reader.size,
        }


def labelled_truth(
    table: Table, preprocessor: Preprocessor
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The rows of a table that have a label, and these. DataError if there is none."""
    target = preprocessor.schema.target
    if target is None:
        raise DataError("the preprocessor was fitted without a target")
    return read_target(table, target, preprocessor.schema.missing)
