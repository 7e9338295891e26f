"""The public functions that train, load and resume, whatever the kind of data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..errors import ConfigError, DataError
from ..runs import loading
from ..runs.bagging import resume_bag
from ..runs.carriers import Carrier
from ..runs.fitting import cross_validate_source, fit_source
from ..runs.folder import is_group
from ..runs.group_folder import read_group_settings
from ..runs.group_predictor import load_group
from ..runs.groups import Repeated, resume_group
from ..runs.listeners import Listener, Talk
from ..runs.loading import read_facts, read_group_facts
from ..runs.modality import Modality
from ..runs.predictor import Predictor
from ..runs.recognition import kind_of_run, kind_of_settings, kind_of_source, named_kind
from ..runs.resuming import resume_run
from ..runs.settings.arguments import setting_arguments
from ..runs.settings.sources import from_environment, from_overrides

__all__ = ["cross_validate", "fit", "load_run", "recognise", "resume"]

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
    """Trains a network on ``source``, whose kind of data is recognised, and evaluates it on the
    part of the data that was held out.

    From a table (a path, a data frame, a dict of columns, or a bundled one such as ``"heart"``) it
    learns to predict the column ``target``, or one value for each row in memory; from images (a
    folder, an IDX file, or bytes with their labels as ``target``) it learns to classify them.
    ``options`` are the other arguments of `fit_table` or `fit_images`, where all of them are
    described. An argument that is None takes the default of ``run.toml`` or is decided by the data;
    ``settings`` sets anything else, for example ``["train.average=ema"]``.

    The run folder goes to ``runs_dir``; with None, nothing is written. The same data and ``seed``
    give the same bits.

    Raises DataError or ConfigError for data or settings that cannot be used, StateError if the run
    folder cannot be written, TrainingError if training diverges. Ctrl-C saves the best weights so
    far with the status ``interrupted`` and raises KeyboardInterrupt.
    """
    arguments = {**setting_arguments(locals()), "task": task, **options}
    kind, data, arguments = recognise(source, target, arguments, settings)
    return fit_source(
        kind, source, arguments, settings, data=data, verbose=verbose, listener=listener
    )


def cross_validate(
    source: object,
    target: Any = None,
    *,
    folds: int | None = 5,
    seeds: int | Sequence[int] | None = None,
    settings: Sequence[str] = (),
    runs_dir: str | os.PathLike[str] | None = "runs",
    carrier: Carrier | None = None,
    verbose: bool = True,
    listener: Listener | None = None,
    **options: Any,
) -> Repeated[AnyPredictor]:
    """Trains once per fold, so that every example is in the test set once (Stone 1974).

    The folds are stratified by class and depend on the seed. ``seeds`` repeats the training with
    other seeds: that many, starting at ``seed``, or those of a list. With ``folds=None``, only the
    seeds vary. The other arguments are those of `fit`. The data is read once. Each training gets a
    run folder inside a common folder in ``runs_dir``. A ``carrier``, such as
    `chainrule.distributed.ray`, trains several at a time, to the same bits.

    Raises what `fit` raises, and ConfigError for an argument that does not apply to this kind of
    data.
    """
    arguments = {**options, "runs_dir": runs_dir}
    kind, data, arguments = recognise(source, target, arguments, settings)
    return cross_validate_source(
        kind, source, arguments, settings, data=data, folds=folds, seeds=seeds, verbose=verbose,
        listener=listener, carrier=carrier,
    )  # fmt: skip


def recognise(
    source: object, target: Any, arguments: dict[str, Any], settings: Sequence[str]
) -> tuple[Modality[Any, Any], object, dict[str, Any]]:
    """The kind of a source, the data to read (None: the source itself), and all arguments.

    A target that is not a name but holds one value per example is read with the source. The
    ``settings`` may name the kind.
    """
    arguments = {name: value for name, value in arguments.items() if value is not None}
    sources = [from_environment(), from_overrides(settings, "settings")]

    def kind_of(data: object) -> Modality[Any, Any]:
        return named_kind(sources) or kind_of_source(data, arguments)

    if isinstance(target, list | tuple) and len(target) == 1 and isinstance(target[0], str):
        target = target[0]  # nothing can be learned from one row, so it is a name
    if target is None or isinstance(target, str):
        arguments |= {"target": target} if target is not None else {}
        return kind_of(source), None, arguments
    if isinstance(source, str | os.PathLike) and isinstance(target, list | tuple):
        raise ConfigError(
            f"{len(target)} targets were given: {', '.join(map(str, target[:8]))}",
            help="a model predicts one column: train one for each target",
        )
    pair = (source, target)
    try:
        return kind_of(pair), pair, arguments
    except DataError:
        kind = kind_of(source)
    raise ConfigError(
        f"the target is a {type(target).__name__}, but {kind.name} need its name",
        help="pass the name of what to predict, which is a part of the source",
    )


def load_run(path: str | os.PathLike[str]) -> AnyPredictor:
    """The predictor of a run folder, written by ``fit`` or the command line.

    A group of runs, made by ``--seeds``, ``--folds`` or `cross_validate`, is one predictor: it says
    what its networks say on average, of probabilities or numbers.

    Nothing in the folder is ever executed. Raises StateError, naming the file, if this is not a run
    folder, if the run is unfinished, or if a file was changed, cut off or belongs to another run.
    """
    folder = user_path(path, "the run folder")
    if is_group(folder):
        return load_group(folder)
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
    """Resumes a run from its newest checkpoint or, if it has none, from the start.

    The result has the bits of a training that never stopped. ``epochs`` is a new maximum for all
    epochs, including those already done; a finished run can only be resumed with more. ``source``
    is the data, if it came from Python or has moved. In a group of runs, made by ``--seeds``,
    ``--folds`` or `cross_validate`, every unfinished run is resumed.

    Raises StateError for a folder that is not a run or is being written, for data that has changed,
    and for a run with nothing left to do; otherwise what `fit` raises.
    """
    folder = user_path(run, "the run folder")
    listener = listener or (Talk() if verbose else Listener())
    if is_group(folder):
        return _resume_group(folder, source, epochs, listener)
    kind = kind_of_run(read_facts(folder))
    predictor: AnyPredictor = resume_run(kind, folder, source, epochs, listener)
    return predictor


def _resume_group(
    group: Path, source: object, epochs: int | None, listener: Listener
) -> AnyPredictor | Repeated[AnyPredictor]:
    if epochs is not None:
        raise ConfigError(
            "the runs of a group keep their number of epochs",
            where=str(group),
            help="leave epochs out, or give one of the runs in the folder",
        )
    kind = kind_of_settings([read_group_settings(group)])
    ensemble = "recipes" in read_group_facts(group)
    if ensemble:
        predictor: AnyPredictor = resume_bag(kind, group, source, listener)
        return predictor
    return resume_group(kind, group, source, listener)
