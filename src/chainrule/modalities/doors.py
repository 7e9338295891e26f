"""The public doors, each once: they recognise what they are given."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..errors import ConfigError
from ..runs import loading
from ..runs.fitting import cross_validate_source, fit_source
from ..runs.folder import is_group
from ..runs.groups import Repeated, read_group_settings, resume_group
from ..runs.listeners import Listener, Talk
from ..runs.loading import read_facts
from ..runs.modality import Modality
from ..runs.predictor import Predictor
from ..runs.recognition import kind_of_run, kind_of_settings, kind_of_source
from ..runs.resuming import resume_run

__all__ = ["cross_validate", "fit", "load_run", "resume"]

AnyPredictor = Predictor[Any, Any, Any]


def fit(
    source: object,
    target: Any = None,
    *,
    task: str | None = None,
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
    **options: Any,
) -> AnyPredictor:
    """Learns from whatever ``source`` is, and judges itself on a part that it held out.

    A table (a path, a data frame, a dict of columns, a bundled one such as ``"heart"``) learns to
    predict its column ``target``; images (a folder, an IDX file, bytes with labels as ``target``)
    learn to be recognised. ``options`` are the further arguments of its kind: those of `fit_table`
    and `fit_images`, which also say what the others mean. What is None is decided by the defaults
    of ``run.toml`` or by the data; ``settings`` sets anything else: ``["train.average=ema"]``.

    The run folder goes to ``runs_dir`` (None: nothing is written). Equal data and ``seed`` give
    equal bits.

    Raises DataError or ConfigError for what cannot be learned from, StateError when the run folder
    cannot be written, TrainingError when training diverges. Ctrl-C saves the best weights so far
    with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    given = {
        "task": task, "split": split, "epochs": epochs, "batch_size": batch_size, "lr": lr,
        "optimizer": optimizer, "schedule": schedule, "patience": patience,
        "time_limit": time_limit, "seed": seed, "name": name, "runs_dir": runs_dir, **options,
    }  # fmt: skip
    kind, data, given = _recognised(source, target, given)
    return fit_source(kind, source, given, settings, data=data, verbose=verbose, listener=listener)


def cross_validate(
    source: object,
    target: Any = None,
    *,
    folds: int | None = 5,
    seeds: int | Sequence[int] | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    verbose: bool = True,
    listener: Listener | None = None,
    **options: Any,
) -> Repeated[AnyPredictor]:
    """Trains once for each of ``folds``, so that every example is a test example once (Stone 1974).

    The folds are stratified for classes and come from the seed. ``seeds`` repeats it with other
    seeds (so many from ``seed`` on, or a list), ``folds=None`` leaves the folds out. The other
    arguments are those of `fit`. The data is read once. Each training has a run folder, all below
    one in ``runs_dir``.

    Raises what `fit` raises, and ConfigError for an argument that this kind of data does not have.
    """
    kind, data, given = _recognised(source, target, {**options, "runs_dir": runs_dir})
    return cross_validate_source(
        kind, source, given, settings, data=data, folds=folds, seeds=seeds, verbose=verbose,
        listener=listener,
    )  # fmt: skip


def _recognised(
    source: object, target: Any, given: dict[str, Any]
) -> tuple[Modality[Any, Any], object, dict[str, Any]]:
    """The kind of a source, what is to be read (None: the source), and all arguments.

    A target that is no name, but one value for each example, goes with the source.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if target is None or isinstance(target, str):
        kind = kind_of_source(source)
        return kind, None, given if target is None else {**given, "target": target}
    pair = (source, target)
    return kind_of_source(pair), pair, given


def load_run(path: str | os.PathLike[str]) -> AnyPredictor:
    """The predictor of a run folder that ``fit`` or the command line wrote.

    Nothing in the folder is ever run. Raises StateError with file and place when the folder is not
    one, is unfinished, or when a file was changed, cut off or belongs to another run.
    """
    folder = user_path(path, "the run folder")
    facts = read_facts(folder)
    return loading.load_run(kind_of_run(facts), folder, facts)


def resume(
    run: str | os.PathLike[str],
    source: object = None,
    *,
    epochs: int | None = None,
    verbose: bool = True,
    listener: Listener | None = None,
) -> AnyPredictor | Repeated[AnyPredictor]:
    """Goes on with a run where its newest checkpoint was written; without one, from the start.

    The result has the bits of a training that never stopped. ``epochs`` is a new upper bound for
    all epochs, those before included; only with more of them can a run that is done go on.
    ``source`` is the data, if it came from Python or has moved. A group of runs that ``--seeds``,
    ``--folds`` or `cross_validate` made goes on with those that are not done.

    Raises StateError for a folder that is no run or is being written, for data that is not the same
    any more, and for a run that has nothing left to do; else what `fit` raises.
    """
    folder = user_path(run, "the run folder")
    heard = listener or (Talk() if verbose else Listener())
    if is_group(folder):
        return _resumed_group(folder, source, epochs, heard)
    done: AnyPredictor = resume_run(kind_of_run(read_facts(folder)), folder, source, epochs, heard)
    return done


def _resumed_group(
    group: Path, source: object, epochs: int | None, listener: Listener
) -> Repeated[AnyPredictor]:
    if epochs is not None:
        raise ConfigError(
            "the runs of a group keep their number of epochs",
            where=str(group),
            help="leave epochs out, or give one of the runs in the folder",
        )
    return resume_group(kind_of_settings([read_group_settings(group)]), group, source, listener)
