"""Texts as columns of a table: folders of classes, lines of files, lists in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.findings import Finding
from chainrule.data.text.reading import list_texts, read_lines, read_text
from chainrule.data.text.tokenizer import clean
from chainrule.errors import DataError

__all__ = ["CLASS", "TEXT", "Columns", "folder_columns", "is_texts", "line_columns",
           "parallel_columns", "text_columns"]  # fmt: skip

#: what the columns of texts without a table are called
TEXT, CLASS = "text", "class"

Columns = dict[str, Any]


def is_texts(source: object) -> bool:
    """Whether this is a sequence of texts, such as a list or an array of them."""
    if isinstance(source, np.ndarray):
        return source.ndim == 1 and (
            source.dtype.kind == "U"
            or (source.dtype == object and len(source) > 0 and isinstance(source[0], str))
        )
    return (
        isinstance(source, Sequence)
        and not isinstance(source, str | bytes)
        and len(source) > 0
        and isinstance(source[0], str)
    )


def text_columns(texts: Sequence[str] | np.ndarray[Any, Any]) -> Columns:
    """The column of texts in memory. DataError for one that is no text."""
    for i, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            raise DataError(
                f"text {i} is {type(text).__name__}, not text",
                help="pass strings; None is an empty text",
            )
    return {TEXT: [None if text is None else clean(str(text)) for text in texts]}


def line_columns(path: str | os.PathLike[str]) -> Columns:
    """The lines of a file, each a text."""
    return {TEXT: read_lines(path)}


def folder_columns(folder: Path, labelled: bool) -> tuple[Columns, tuple[Finding, ...]]:
    """The texts of a folder with one folder for each class; the names of files if it has none."""
    listing = list_texts(folder, labelled)
    columns: Columns = {TEXT: [read_text(file).strip() for file in listing.files]}
    if labelled:
        if len(listing.classes) < 2:
            raise DataError(
                f"{folder} has no folders of classes"
                if not listing.classes
                else f"{folder} has one class, {listing.classes[0]}",
                help="put the texts of each class into a folder of its own",
            )
        columns[CLASS] = [listing.classes[label] for label in listing.labels]
    return columns, tuple(listing.findings)


def parallel_columns(
    source: str | os.PathLike[str], target: str | os.PathLike[str], names: tuple[str, str]
) -> Columns:
    """Two files whose lines are translations of one another. DataError, naming the first line that
    has no partner, for files of different lengths."""
    left, right = read_lines(source), read_lines(target)
    if len(left) != len(right):
        longer, line = (source, len(right)) if len(left) > len(right) else (target, len(left))
        raise DataError(
            f"{Path(source).name} has {len(left):,} lines and {Path(target).name} {len(right):,}",
            where=f"{longer}:{line + 1}",
            help="line by line, one must translate the other; this is the first without a partner",
        )
    return {names[0]: left, names[1]: right}
