"""Trains a network on texts in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from ...runs.fitting import FitArguments, fit_kind
from .kind import TEXT
from .predictor import TextPredictor

__all__ = ["fit_text"]


def fit_text(
    source: object,
    target: Any = None,
    *,
    text: str | Sequence[str] | None = None,
    translate: str | None = None,
    parallel: str | os.PathLike[str] | None = None,
    task: str | None = None,
    query: str | None = None,
    columns: Mapping[str, str] | None = None,
    network: str | None = None,
    **common: Unpack[FitArguments],
) -> TextPredictor:
    """Trains a network on texts, and evaluates it on the part that was held out.

    ``source`` is a table with columns of texts (named by ``text``, or recognised) and a ``target``
    to predict, whose other columns are inputs, too; a folder with one folder of text files for each
    class; or a list of texts, with one label each as ``target``. ``network`` is one of
    ``chainrule.modalities.text.NETWORKS``.

    An argument that is None takes the default of ``run.toml`` or is decided by the data;
    ``settings`` sets anything else, for example ``["tokenizer.kind=byte-pair"]``. The run folder
    goes to ``runs_dir``; with None, nothing is written. The same data and ``seed`` give the same
    bits.

    The other arguments (``common``) are those of every kind of data, and so are the errors: see
    `chainrule.fit`.
    """
    text = (text,) if isinstance(text, str) else text
    labels = None
    if not isinstance(target, str):
        labels, target = target, None
    return fit_kind(TEXT, source, locals(), common, labels)
