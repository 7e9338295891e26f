"""Trains a network on texts in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...runs.fitting import fit_source
from ...runs.listeners import Listener
from ...runs.settings.arguments import setting_arguments
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
    split: tuple[float, float, float] | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    lr: float | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    patience: int | None = None,
    time_limit: float | None = None,
    seed: int | None = None,
    name: str | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
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

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    text = (text,) if isinstance(text, str) else text
    data: object = None
    if target is not None and not isinstance(target, str):
        data, target = (source, target), None
    arguments = setting_arguments(locals(), TEXT.arguments)
    return fit_source(
        TEXT, source, arguments, settings, data=data, verbose=verbose, listener=listener
    )
