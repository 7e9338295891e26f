"""Trains a predictor on recordings in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...runs.fitting import fit_source
from ...runs.listeners import Listener
from ...runs.settings.arguments import setting_arguments
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

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    arguments = setting_arguments(locals(), AUDIO.arguments)
    data = (source, labels) if labels is not None else source
    return fit_source(
        AUDIO, source, arguments, settings, data=data, verbose=verbose, listener=listener
    )
