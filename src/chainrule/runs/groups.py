"""The same training several times, with other seeds or other folds, and a summary of all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import ChainruleError, ConfigError, StateError
from ..phrasing import plain_number
from ..records import sealed, sha256_of
from ..train.checkpoints.weights_file import write_whole
from .carriers import Carrier
from .folder import GROUP_FILE, GROUP_KIND, json_text, now, runs_in
from .group_predictor import common_metrics
from .hidden_folder import (
    new_hidden_folder,
    publish,
    remove_abandoned_folders,
    slug,
    unwritable,
)
from .jobs import Job, Workplace
from .listeners import Listener
from .loading import (
    check_hash,
    load_run,
    read_facts,
    read_group_facts,
    read_settings,
    read_text,
)
from .modality import Modality, Opened, Prepared
from .predictor import Predictor
from .preparation import open_data, prepare_data, runs_folder, source_name
from .resuming import resume_run
from .settings.arguments import to_python
from .settings.document import RunSettings
from .settings.sources import Source, from_text, gather
from .training import TrainingRun

__all__ = ["Repeated", "list_seeds", "member_settings", "read_group_settings", "repeat",
           "resume_group"]  # fmt: skip

Summary = Mapping[str, Mapping[str, float]]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


@dataclass(frozen=True)
class Repeated(Generic[P]):
    """The result of several trainings: their ``predictors``, their ``names`` (``seed-3``,
    ``fold-2``), and ``mean``, ``std``, ``min`` and ``max`` of each metric on the test part.

    The standard deviation is that of a sample, with n - 1; NaN for a single training. ``run`` is
    the group's folder with the run folders in it, if there is one. ``together`` are the metrics of
    the mean of all on the part that all were tested on: empty with folds, and where the outputs of
    the networks have no mean.
    """

    predictors: tuple[P, ...]
    names: tuple[str, ...]
    summary: Summary
    run: Path | None
    together: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: s["mean"] for name, s in self.summary.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each metric."""
        return {name: s["std"] for name, s in self.summary.items()}

    def __repr__(self) -> str:
        metrics = ", ".join(
            f"{name} {plain_number(s['mean'])} ± {plain_number(s['std'])}"
            for name, s in self.summary.items()
        )
        return f"Repeated({len(self.predictors)} runs; {metrics})"


def repeat(
    kind: Modality[S, P],
    settings: S,
    source: object,
    seeds: int | Sequence[int] | None,
    folds: int | None,
    listener: Listener,
    carrier: Carrier | None = None,
) -> Repeated[P]:
    """`training.train` once for each seed and fold; the data is read once. With a ``carrier``,
    trainings are done elsewhere, to the same bits, and their folders written here."""
    seeds = list_seeds(settings.seed, seeds)
    # Mistakes in seeds and folds are raised before the data is read, those of the split before
    # anything is written.
    member_settings(settings, seeds, folds)
    with listener.staged(f"reading {source_name(settings)}"):
        data = open_data(kind, _with_one_split(settings, seeds), source, runs_folder(settings))
    planned = member_settings(data.settings, seeds, folds)
    data.divide(next(iter(planned.values())))
    if carrier is not None and runs_folder(settings) is None:
        raise ConfigError("trainings on other machines need a folder here", help="give runs_dir")
    group = _Group.create(data.settings, list(planned), seeds, folds)

    def train_here(name: str) -> P:
        return _train_member(kind, data, group.inside(planned[name]), listener)

    train_member: Callable[[str], P] = train_here
    if carrier is not None:
        members = {name: group.inside(member) for name, member in planned.items()}
        train_member = _carried(kind, source, members, carrier, listener)

    def prepared() -> Prepared[S]:
        return prepare_data(data, planned[next(iter(planned))], runs_folder(settings))

    return _train_all(group, planned, train_member, prepared, listener)


def _with_one_split(settings: S, seeds: Sequence[int] | None) -> S:
    """With seeds, all members are tested on the same part, unless each is to have its own split."""
    if seeds is None or getattr(settings.data, "split_seed", "") != "auto":
        return settings
    return settings.changed(data=settings.data.changed(split_seed=settings.seed))


def _train_member(kind: Modality[S, P], data: Opened[S], settings: S, listener: Listener) -> P:
    """One training of a group."""
    runs_dir = runs_folder(settings)
    with listener.staged(f"preparing {settings.name}"):
        prepared = prepare_data(data, settings, runs_dir)
    listener.findings(prepared.findings)
    return TrainingRun(kind, prepared, runs_dir, listener, named=True).run()


def _carried(
    kind: Modality[S, P],
    source: object,
    members: Mapping[str, S],
    carrier: Carrier,
    listener: Listener,
) -> Callable[[str], P]:
    """What gives the trainings of a group, in their order, as a carrier brings them."""
    jobs = (Job(name, kind.name, member.to_document()) for name, member in members.items())
    outcomes = carrier.carry(Workplace(kind, source), jobs)

    def train_member(name: str) -> P:
        outcome = next(outcomes)
        if outcome.error is not None:
            raise outcome.raised()
        run = outcome.write(Path(members[name].output.runs_dir))
        predictor = load_run(kind, run, read_facts(run))
        listener.done(predictor, predictor.facts)
        return predictor

    return train_member


def read_group_settings(group: Path) -> Source:
    """The ``run.toml`` of a group. Raises StateError for a folder that is not a group."""
    _Group.open(group)
    file = group / "run.toml"
    return from_text(read_text(group, file.name), str(file))


def resume_group(
    kind: Modality[S, P], folder: Path, source: object, listener: Listener
) -> Repeated[P]:
    """Resumes a group that was interrupted; the result is what `repeat` would have given.

    Trainings that are done are loaded, those that were interrupted resume from their newest
    checkpoint, and the others start. Raises StateError for a folder that is not a group, or for
    data that is gone.
    """
    settings = gather([read_group_settings(folder)], kind.settings).settings
    group = _Group.open(folder)
    if source is None and not settings.data.path:
        raise StateError(
            "the data of these runs came from Python",
            where=str(folder),
            help="pass it again: chainrule.resume(run, data)",
        )
    planned = member_settings(settings, group.facts["seeds"], group.facts["folds"])
    started = _started_members(kind, folder)

    def train_member(name: str) -> P:
        run, status = started.get(name, (None, ""))
        if run is None:
            member = group.inside(planned[name])
            return _train_member(kind, open_data(kind, member, source, folder), member, listener)
        if status == "done":
            return load_run(kind, run, read_facts(run))
        return resume_run(kind, run, source, None, listener)

    def prepared() -> Prepared[S]:
        member = planned[next(iter(planned))]
        return prepare_data(open_data(kind, member, source, folder), member, folder)

    return _train_all(group, planned, train_member, prepared, listener)


def _started_members(kind: Modality[S, P], group: Path) -> dict[str, tuple[Path, str]]:
    """The run folder and the status of each training that has started, by its name."""
    started = {}
    for run in runs_in(group):
        facts = read_facts(run)
        name = facts.get("settings", {}).get("name")
        if name is None:  # the first release did not write it
            name = read_settings(kind, run).name
        started[str(name)] = (run, str(facts["status"]))
    return started


def _train_all(
    group: _Group,
    planned: Mapping[str, S],
    train_member: Callable[[str], P],
    prepared: Callable[[], Prepared[S]],
    listener: Listener,
) -> Repeated[P]:
    """Every training of a group, one after the other, their summary, and what all say together
    of the part that they were tested on, if that is the same for all."""
    predictors: dict[str, P] = {}
    splits = {(m.split_seed, m.data.fold) for m in planned.values()}
    try:
        for i, name in enumerate(planned):
            listener.member(i, len(planned), name)
            predictors[name] = train_member(name)
            group.update("running", predictors)
        if len(splits) == 1 and len(planned) > 1:
            members = list(predictors.values())
            if members[0].goal.averages and "together" not in group.facts:
                group.facts["together"] = common_metrics(members, prepared())
    except (ChainruleError, KeyboardInterrupt) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        group.update("interrupted" if interrupted else "failed", predictors)
        raise
    facts = group.update("done", predictors)
    listener.repeated(facts, group.path)
    return Repeated(
        tuple(predictors.values()), tuple(predictors), facts["summary"], group.path,
        facts.get("together", {}),
    )  # fmt: skip


def list_seeds(first: int, seeds: int | Sequence[int] | None) -> list[int] | None:
    """A number of seeds as a list: ``first``, ``first + 1``, ..."""
    seeds = to_python(seeds)
    if isinstance(seeds, int):
        seeds = range(first, first + seeds)
    return None if seeds is None else list(map(to_python, seeds))


def member_settings(settings: S, seeds: Sequence[int] | None, folds: int | None) -> dict[str, S]:
    """The settings of each training, by its name. Raises ConfigError for invalid seeds or folds."""
    each_seed = [settings.seed] if seeds is None else list(seeds)
    if not each_seed or len(set(each_seed)) < len(each_seed):
        raise ConfigError(f"seeds are {each_seed}", help="give one or more, each once")
    if folds is not None and not (type(folds) is int and folds >= 2):
        raise ConfigError(f"folds is {folds!r}", help="expected a whole number from 2")
    each_fold = [()] if folds is None else [(k, folds) for k in range(1, folds + 1)]
    planned = {}
    for seed, fold in product(each_seed, each_fold):
        parts = [f"seed-{seed}"] if seeds is not None else []
        parts += [f"fold-{fold[0]}"] if fold else []
        name = "-".join(parts) or f"seed-{seed}"
        data = settings.data.changed(fold=fold or settings.data.fold)
        planned[name] = settings.changed(name=name, seed=seed, data=data)
    return planned


@dataclass
class _Group:
    """The folder around the run folders, with one ``run.toml`` for all, and ``group.json``."""

    path: Path | None
    facts: dict[str, Any]

    @classmethod
    def create(
        cls,
        settings: RunSettings,
        names: list[str],
        seeds: list[int] | None,
        folds: int | None,
    ) -> _Group:
        started = now()
        stem = settings.name or Path(settings.data.path).name.split(".")[0] or "data"
        facts = {"format": GROUP_KIND.format, "version": GROUP_KIND.version, "name": stem,
                 "planned": names, "seeds": seeds, "folds": folds,
                 "started": started.isoformat(timespec="microseconds")}  # fmt: skip
        runs_dir = runs_folder(settings)
        if runs_dir is None:
            return cls(None, facts)
        try:
            runs_dir.mkdir(parents=True, exist_ok=True)
            remove_abandoned_folders(runs_dir)
            hidden = new_hidden_folder(
                runs_dir, f"{started:%Y%m%d-%H%M%S}-{slug(stem)}-x{len(names)}"
            )
        except OSError as error:
            raise unwritable(runs_dir, error) from None
        group = cls(hidden.path, facts)
        write_whole(hidden.path / "run.toml", settings.to_toml().encode("utf-8"))
        facts["files"] = {"run.toml": sha256_of(hidden.path / "run.toml")}
        group.update("running", {})
        group.path = publish(hidden)
        return group

    @classmethod
    def open(cls, path: Path) -> _Group:
        """One to resume. Raises StateError for a folder that is not a group, or a damaged one."""
        facts = read_group_facts(path)
        if not {"seeds", "folds"} <= set(facts) or not (path / "run.toml").is_file():
            raise StateError(
                "this group of runs does not say what was planned",
                where=str(path),
                help="an earlier version wrote it, or files are missing: resume the runs in it one "
                "by one",
            )
        if expected := facts.get("files", {}).get("run.toml"):
            check_hash(path, "run.toml", expected)
        return cls(path, facts)

    def inside(self, member: S) -> S:
        """The settings of a member, with its run folder inside this folder."""
        runs_dir = str(self.path) if self.path else ""
        return member.changed(output=member.output.changed(runs_dir=runs_dir))

    def update(
        self, status: str, predictors: Mapping[str, Predictor[Any, Any, Any]]
    ) -> dict[str, Any]:
        """Writes ``group.json`` with the results so far."""
        members = {name: {"run": p.run.name if p.run else "", "metrics": p.metrics}
                   for name, p in predictors.items()}  # fmt: skip
        self.facts |= {
            "status": status,
            "members": members,
            "summary": _summarize([p.metrics for p in predictors.values()]),
        }
        if self.path:
            self.facts["version"] = GROUP_KIND.version
            text = sealed(json_text(self.facts, indent=2) + "\n")
            write_whole(self.path / GROUP_FILE, text.encode("utf-8"))
        return self.facts


def _summarize(metrics: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    summary = {}
    for name in metrics[0] if metrics else ():
        values = [m[name] for m in metrics]
        # A metric that one training lacks (ROC-AUC of a part with one class) has no summary.
        known = values if all(map(math.isfinite, values)) else [math.nan]
        std = statistics.stdev(known) if len(known) > 1 else math.nan
        summary[name] = {"mean": statistics.fmean(known), "std": std, "min": min(known),
                         "max": max(known)}  # fmt: skip
    return summary
