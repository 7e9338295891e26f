"""Trains a predictor on recordings in one call."""

from __future__ import annotations

import os
from typing import Unpack

from ...runs.fitting import FitArguments, fit_kind
from .kind import AUDIO
from .predictor import AudioPredictor

__all__ = ["fit_audio"]


def fit_audio(
    source: object,
    labels: object = None,
    *,
    task: str | None = None,
    target: str | None = None,
    test: str | os.PathLike[str] | None = None,
    speaker: str | None = None,
    rate: int | None = None,
    length: float | None = None,
    network: str | None = None,
    **common: Unpack[FitArguments],
) -> AudioPredictor:
    """Trains a network to tell recordings apart, or to write down what is said in them, and
    evaluates it on held-out recordings.

    ``source`` is a folder with one subfolder per class, a sequence of arrays (int16, or floats from
    -1 to 1) with ``labels``, or ``"digits-spoken"``. ``split`` holds the fractions of training,
    validation and test recordings, which are stratified by class; ``test`` names separate test
    recordings instead. ``speaker`` is a regular expression that finds the speaker in a path: then
    no speaker is in two parts, and the test says how well strangers are understood. With
    ``task="transcription"``, ``source`` is a csv or tsv file with a column of files and one of what
    is said in them, ``target``: see ``read_transcripts``.

    ``network`` is one of ``chainrule.modalities.audio.NETWORKS``. An argument that is None takes
    the default of ``run.toml`` or is decided by the recordings; ``settings`` sets anything else,
    for example ``["augment.noise=0.5", "features.bands=80"]``. The run folder goes to ``runs_dir``;
    with None, nothing is written. The same recordings and ``seed`` give the same bits.

    The other arguments (``common``) are those of every kind of data, and so are the errors: see
    `chainrule.fit`.
    """
    return fit_kind(AUDIO, source, locals(), common, labels)
