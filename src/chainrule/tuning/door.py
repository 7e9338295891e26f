"""``chainrule.tune``: from the arguments of a function to a search."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..durations import interval
from ..errors import ConfigError
from ..modalities.doors import recognise
from ..runs.carriers import Carrier, carrier_for
from ..runs.fitting import settings_from_arguments
from ..runs.modality import Modality
from ..runs.recognition import kind_of_settings
from ..runs.settings.document import RunSettings
from ..runs.settings.sources import from_environment, from_file, from_overrides, gather
from .listeners import TuningListener, TuningTalk
from .result import Tuned
from .search import open_search
from .tuner import Limits, Tuner
from .user_space import NO_SPACE, UserSpace, file_space, python_space, run_space

__all__ = ["TRIALS", "seconds_of", "tune"]

TRIALS = 30


def tune(
    source: object,
    target: Any = None,
    *,
    trials: int = TRIALS,
    time: str | float | None = None,
    metric: str | None = None,
    jobs: int = 1,
    seed: int | None = None,
    space: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] = "runs",
    carrier: Carrier | None = None,
    verbose: bool = True,
    listener: TuningListener | None = None,
    **options: Any,
) -> Tuned:
    """Searches for better settings, and trains the best ones.

    ``source``, ``target``, ``settings`` and ``options`` are those of `fit`; ``source`` may be a
    ``run.toml``, too. The first of ``trials`` has the settings as they are; others vary what
    ``space`` says, a file or the table ``[tune]`` of the ``run.toml`` as a mapping, and else what
    the kind of data varies. After ``time`` (seconds, or ``"10m"``) no more of them begin. They are
    judged by the loss on validation data, or by ``metric``, and cut short if they are worse than
    most were by the same epoch; none looks at the test part. The search goes on where it ended if
    it is called again, whatever ended it: equal arguments give equal trials. ``jobs`` of them
    are trained at a time, in processes of their own, or by a ``carrier``, such as
    `chainrule.distributed.ray`.

    All is written to ``<runs_dir>/<name>-tune``; the run of the best settings is beside it.

    Raises what `fit` raises; StateError for trials of another search in that folder, ConfigError
    without the package Optuna, TrainingError if no trial has come to an end.
    """
    arguments = {"runs_dir": runs_dir, "metric": metric, "seed": seed, **options}
    own = _space_of(space)
    if isinstance(source, str | os.PathLike) and Path(source).suffix == ".toml":
        if target is not None or set(options):
            given = ["target"] if target is not None else list(options)
            raise ConfigError(
                f"{given[0]} cannot be combined with a run.toml", help="pass it by settings=[...]"
            )
        kind, chosen = _from_file(Path(source), arguments, settings)
        data = None
        own = run_space(Path(source)) if space is None else own
    else:
        kind, data, arguments = recognise(source, target, arguments, settings)
        chosen = settings_from_arguments(kind, source, arguments, settings)
        data = source if data is None else data
    told = listener or (TuningTalk(arguments=kind.arguments) if verbose else TuningListener())
    limits = Limits(trials, seconds_of(time))
    carrier = carrier or carrier_for(jobs)
    return Tuner(open_search(kind, chosen, data, told, own), limits, carrier, told).run()


def _from_file(
    path: Path, arguments: Mapping[str, Any], settings: Sequence[str]
) -> tuple[Modality[Any, Any], RunSettings]:
    """The kind and the settings of a ``run.toml``."""
    keys = {"runs_dir": "output.runs_dir", "metric": "train.metric", "seed": "seed"}
    given = [f"{keys[k]}={v}" for k, v in arguments.items() if v is not None]
    sources = [from_file(path), from_environment(), from_overrides([*given, *settings], "settings")]
    kind = kind_of_settings(sources)
    return kind, gather(sources, kind.settings).settings


def _space_of(space: str | os.PathLike[str] | Mapping[str, Any] | None) -> UserSpace:
    if space is None:
        return NO_SPACE
    return python_space(space) if isinstance(space, Mapping) else file_space(Path(space))


def seconds_of(time: str | float | None) -> float | None:
    """A time as seconds. ConfigError for what is none."""
    if time is None or not isinstance(time, str):
        return time
    seconds = interval(time.strip())
    if seconds is None:
        raise ConfigError(
            f"the time is {time!r}",
            help='give one such as "90s", "10m" or "1.5h"; a column '
            "of time stamps is named by data.time",
        )
    return seconds
