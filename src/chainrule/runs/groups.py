"""The same training several times: other seeds, or other folds of the rows, and what they say
together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import ChainruleError, ConfigError, StateError
from ..records import sealed, sha256_of
from ..train.checkpoints.weights_file import write_whole
from .folder import (
    GROUP,
    SEVERAL,
    json_text,
    new_folder,
    now,
    plain,
    publish,
    remove_remains,
    unwritable,
)
from .listeners import Listener, number
from .loading import check_hash, group_facts, load_run, read_facts, read_settings, text_of
from .modality import Modality, Opened
from .predictor import Predictor
from .resuming import resume_run
from .settings.arguments import as_python
from .settings.document import RunSettings
from .settings.sources import Source, from_text, gather
from .training import TrainingRun, opened, prepared_from, runs_folder

__all__ = ["Repeated", "group_settings", "members", "repeat", "resume_group", "seed_list"]

Summary = Mapping[str, Mapping[str, float]]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


@dataclass(frozen=True)
class Repeated(Generic[P]):
    """Several trainings: their ``predictors``, the ``names`` of each (``seed-3``, ``fold-2``),
    and for each metric of the test rows ``mean``, ``std``, ``min`` and ``max``.

    The standard deviation is that of a sample, with n - 1; NaN for a single training. ``run`` is
    the folder with the run folders, if there is one.
    """

    predictors: tuple[P, ...]
    names: tuple[str, ...]
    summary: Summary
    run: Path | None

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: s["mean"] for name, s in self.summary.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each metric."""
        return {name: s["std"] for name, s in self.summary.items()}

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {number(s['mean'])} ± {number(s['std'])}" for name, s in self.summary.items()
        )
        return f"Repeated({len(self.predictors)} runs; {shown})"


def repeat(
    kind: Modality[S, P],
    settings: S,
    source: object,
    seeds: int | Sequence[int] | None,
    folds: int | None,
    listener: Listener,
) -> Repeated[P]:
    """`training.fit` for each of ``seeds`` and each of ``folds``; the data is read once."""
    chosen = seed_list(settings.seed, seeds)
    members(settings, chosen, folds)  # mistakes in them come before those of the data
    data = opened(kind, settings, source, runs_folder(settings))
    planned = members(data.settings, chosen, folds)
    data.divide(next(iter(planned.values())))  # and these before anything is written
    group = _Group.create(data.settings, list(planned), chosen, folds)

    def train(name: str) -> P:
        return _member(kind, data, group.placed(planned[name]), listener)

    return _all_of(group, list(planned), train, listener)


def _member(kind: Modality[S, P], data: Opened[S], settings: S, listener: Listener) -> P:
    """One training of a group."""
    place = runs_folder(settings)
    prepared = prepared_from(data, settings, place)
    listener.findings(prepared.findings)
    return TrainingRun(kind, prepared, place, listener, named=True).run()


def group_settings(run: Path) -> Source:
    """What the ``run.toml`` of a group says. Raises StateError for a folder that is none."""
    _Group.open(run)
    file = run / "run.toml"
    return from_text(text_of(run, file.name), str(file))


def resume_group(
    kind: Modality[S, P], run: Path, source: object, listener: Listener
) -> Repeated[P]:
    """Goes on with several trainings that were ended: what `repeat` would have given.

    Those that are done are loaded, those that were ended go on from their newest checkpoint, the
    others begin. Raises StateError for a folder that is no group, or for data that is gone.
    """
    settings, group = gather([group_settings(run)], kind.settings).settings, _Group.open(run)
    if source is None and not settings.data.path:
        raise StateError(
            "the data of these runs came from Python",
            where=str(run),
            help="pass it again: chainrule.resume(run, data)",
        )
    planned = members(settings, group.facts["seeds"], group.facts["folds"])
    begun = _begun(kind, run)

    def train(name: str) -> P:
        place, status = begun.get(name, (None, ""))
        if place is None:
            member = group.placed(planned[name])
            return _member(kind, opened(kind, member, source, run), member, listener)
        if status == "done":
            return load_run(kind, place, read_facts(place))
        return resume_run(kind, place, source, None, listener)

    return _all_of(group, list(planned), train, listener)


def _begun(kind: Modality[S, P], group: Path) -> dict[str, tuple[Path, str]]:
    """The run folder and the status of each training that has begun, by its name."""
    begun = {}
    for file in sorted(group.glob("*/run.json")):
        facts = read_facts(file.parent)
        name = facts.get("settings", {}).get("name")
        if name is None:  # of the first release
            name = read_settings(kind, file.parent).name
        begun[str(name)] = (file.parent, str(facts["status"]))
    return begun


def _all_of(
    group: _Group, names: Sequence[str], train: Callable[[str], P], listener: Listener
) -> Repeated[P]:
    """Every training of a group, one after the other, and what they say together."""
    found: dict[str, P] = {}
    try:
        for i, name in enumerate(names):
            listener.member(i, len(names), name)
            found[name] = train(name)
            group.update("running", found)
    except (ChainruleError, KeyboardInterrupt) as error:
        group.update("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", found)
        raise
    facts = group.update("done", found)
    listener.repeated(facts, group.path)
    return Repeated(tuple(found.values()), tuple(found), facts["summary"], group.path)


def seed_list(first: int, seeds: int | Sequence[int] | None) -> list[int] | None:
    """A number of seeds as a list of them, from ``first`` on."""
    seeds = as_python(seeds)
    if isinstance(seeds, int):
        seeds = range(first, first + seeds)
    return None if seeds is None else list(map(as_python, seeds))


def members(settings: S, seeds: Sequence[int] | None, folds: int | None) -> dict[str, S]:
    """The settings of each training, by its name. Raises ConfigError for seeds or folds that cannot
    be."""
    chosen = [settings.seed] if seeds is None else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError(f"seeds are {chosen}", help="give one or more, each once")
    if folds is not None and not (type(folds) is int and folds >= 2):
        raise ConfigError(f"folds is {folds!r}", help="folds is a whole number from 2")
    parts = [()] if folds is None else [(k, folds) for k in range(1, folds + 1)]
    planned = {}
    for seed, fold in product(chosen, parts):
        names = [f"seed-{seed}"] if seeds is not None else []
        names += [f"fold-{fold[0]}"] if fold else []
        name = "-".join(names) or f"seed-{seed}"
        data = settings.data.changed(fold=fold or settings.data.fold)
        planned[name] = settings.changed(name=name, seed=seed, data=data)
    return planned


@dataclass
class _Group:
    """The folder around the run folders, with a ``run.toml`` for all and its ``group.json``."""

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
        facts = {"format": SEVERAL.format, "version": SEVERAL.version, "name": stem,
                 "planned": names, "seeds": seeds, "folds": folds,
                 "started": started.isoformat(timespec="microseconds")}  # fmt: skip
        base = runs_folder(settings)
        if base is None:
            return cls(None, facts)
        try:
            base.mkdir(parents=True, exist_ok=True)
            remove_remains(base)
            new = new_folder(base, f"{started:%Y%m%d-%H%M%S}-{plain(stem)}-x{len(names)}")
        except OSError as error:
            raise unwritable(base, error) from None
        group = cls(new.path, facts)
        write_whole(new.path / "run.toml", settings.to_toml().encode("utf-8"))
        facts["files"] = {"run.toml": sha256_of(new.path / "run.toml")}
        group.update("running", {})
        group.path = publish(new)
        return group

    @classmethod
    def open(cls, path: Path) -> _Group:
        """One that goes on. Raises StateError for a folder that is none, or a damaged one."""
        facts = group_facts(path)
        if not {"seeds", "folds"} <= set(facts) or not (path / "run.toml").is_file():
            raise StateError(
                "this group of runs does not say what was planned",
                where=str(path),
                help="an earlier version wrote it, or files are missing: go on with the runs in "
                "it, each by itself",
            )
        if wanted := facts.get("files", {}).get("run.toml"):
            check_hash(path, "run.toml", wanted)
        return cls(path, facts)

    def placed(self, member: S) -> S:
        """The settings of a member, whose run folder lies in this one."""
        place = str(self.path) if self.path else ""
        return member.changed(output=member.output.changed(runs_dir=place))

    def update(self, status: str, found: Mapping[str, Predictor[Any, Any, Any]]) -> dict[str, Any]:
        """Writes what there is by now."""
        members = {name: {"run": p.run.name if p.run else "", "metrics": p.metrics}
                   for name, p in found.items()}  # fmt: skip
        self.facts |= {
            "status": status,
            "members": members,
            "summary": _summary([p.metrics for p in found.values()]),
        }
        if self.path:
            self.facts["version"] = SEVERAL.version
            text = sealed(json_text(self.facts, indent=2) + "\n")
            write_whole(self.path / GROUP, text.encode("utf-8"))
        return self.facts


def _summary(metrics: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in metrics[0] if metrics else ():
        values = [m[name] for m in metrics]
        # A metric that one training lacks (ROC-AUC of a part with one class) has no summary.
        known = values if all(map(math.isfinite, values)) else [math.nan]
        std = statistics.stdev(known) if len(known) > 1 else math.nan
        found[name] = {"mean": statistics.fmean(known), "std": std, "min": min(known),
                       "max": max(known)}  # fmt: skip
    return found
