"""The same training several times: other seeds, or other folds of the rows, and what they say
together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..arguments import user_path
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
from .loading import check_hash, group_facts, read_facts, text_of
from .predictor import Trained
from .settings.arguments import as_python
from .settings.document import Whole
from .settings.sources import Source, from_text

__all__ = ["Repeated", "Way", "go_on_with", "group_source", "members", "seed_list", "train_all"]

Summary = Mapping[str, Mapping[str, float]]

S = TypeVar("S", bound=Whole)
P = TypeVar("P", bound=Trained[Any, Any, Any])


@dataclass(frozen=True)
class Way(Generic[S, P]):
    """How one training of a kind is begun, loaded again, and gone on with; ``data`` names what it
    learns from, if nothing else does."""

    data: str
    read: Callable[[Source], S]
    fit: Callable[[S, object, Listener], P]
    load: Callable[[Path], P]
    resume: Callable[[Path, object, Listener], P]


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


def train_all(
    way: Way[S, P],
    settings: S,
    source: object,
    seeds: list[int] | None,
    folds: int | None,
    heard: Listener,
) -> Repeated[P]:
    """Every training of a new group, with settings whose paths hold from any folder."""
    planned = members(settings, seeds, folds)
    group = _Group.create(settings, way.data, list(planned), seeds, folds)

    def train(name: str) -> P:
        return way.fit(group.placed(planned[name]), source, heard)

    return _all_of(group, list(planned), train, heard)


def group_source(run: Path) -> Source:
    """What the ``run.toml`` of a group says. Raises StateError for a folder that is none."""
    _Group.open(run)
    file = run / "run.toml"
    return from_text(text_of(run, file.name), str(file))


def go_on_with(way: Way[S, P], run: Path, source: object, heard: Listener) -> Repeated[P]:
    """`resume_group` for trainings of one kind."""
    settings, group = way.read(group_source(run)), _Group.open(run)
    if source is None and not _any(settings).data.path:
        raise StateError(
            f"the {way.data} of these runs came from Python",
            where=str(run),
            help=f"give it: chainrule.resume(run, {way.data})",
        )
    planned = members(settings, group.facts["seeds"], group.facts["folds"])
    begun = _begun(way, run)

    def train(name: str) -> P:
        place, status = begun.get(name, (None, ""))
        if place is None:
            return way.fit(group.placed(planned[name]), source, heard)
        if status == "done":
            return way.load(place)
        return way.resume(place, source, heard)

    return _all_of(group, list(planned), train, heard)


def _begun(way: Way[S, P], group: Path) -> dict[str, tuple[Path, str]]:
    """The run folder and the status of each training that has begun, by its name."""
    found = {}
    for file in sorted(group.glob("*/run.json")):
        facts, place = read_facts(file.parent), file.parent / "run.toml"
        name = facts.get("settings", {}).get("name")
        if name is None:  # of the first release
            name = _any(way.read(from_text(text_of(file.parent, place.name), str(place)))).name
        found[str(name)] = (file.parent, str(facts["status"]))
    return found


def _all_of(
    group: _Group, names: Sequence[str], train: Callable[[str], P], heard: Listener
) -> Repeated[P]:
    """Every training of a group, one after the other, and what they say together."""
    found: dict[str, P] = {}
    try:
        for i, name in enumerate(names):
            heard.member(i, len(names), name)
            found[name] = train(name)
            group.update("running", found)
    except (ChainruleError, KeyboardInterrupt) as error:
        group.update("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", found)
        raise
    facts = group.update("done", found)
    heard.repeated(facts, group.path)
    return Repeated(tuple(found.values()), tuple(found), facts["summary"], group.path)


def seed_list(first: int, seeds: int | Sequence[int] | None) -> list[int] | None:
    """A number of seeds as a list of them, from ``first`` on."""
    seeds = as_python(seeds)
    if isinstance(seeds, int):
        seeds = range(first, first + seeds)
    return None if seeds is None else list(map(as_python, seeds))


def _any(settings: Whole) -> Any:
    """Settings of some kind: all have name, seed, data with path and fold, and output."""
    return settings


def members(settings: S, seeds: Sequence[int] | None, folds: int | None) -> dict[str, S]:
    """The settings of each training, by its name. Raises ConfigError for seeds or folds that cannot
    be."""
    base = _any(settings)
    chosen = [base.seed] if seeds is None else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError(f"seeds are {chosen}", help="give one or more, each once")
    if folds is not None and not (type(folds) is int and folds >= 2):
        raise ConfigError(f"folds is {folds!r}", help="folds is a whole number from 2")
    parts = [()] if folds is None else [(k, folds) for k in range(1, folds + 1)]
    found = {}
    for seed, fold in product(chosen, parts):
        names = [f"seed-{seed}"] if seeds is not None else []
        names += [f"fold-{fold[0]}"] if fold else []
        name = "-".join(names) or f"seed-{seed}"
        data = replace(base.data, fold=fold or base.data.fold)
        found[name] = replace(base, name=name, seed=seed, data=data)
    return found


@dataclass
class _Group:
    """The folder around the run folders, with a ``run.toml`` for all and its ``group.json``."""

    path: Path | None
    facts: dict[str, Any]

    @classmethod
    def create(
        cls,
        settings: Whole,
        data: str,
        names: list[str],
        seeds: list[int] | None,
        folds: int | None,
    ) -> _Group:
        started, chosen = now(), _any(settings)
        stem = chosen.name or Path(chosen.data.path).name.split(".")[0] or data
        facts = {"format": SEVERAL.format, "version": SEVERAL.version, "name": stem,
                 "planned": names, "seeds": seeds, "folds": folds,
                 "started": started.isoformat(timespec="microseconds")}  # fmt: skip
        if not chosen.output.runs_dir:
            return cls(None, facts)
        base = user_path(chosen.output.runs_dir, "output.runs_dir")
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
        chosen, place = _any(member), str(self.path) if self.path else ""
        placed: S = replace(chosen, output=replace(chosen.output, runs_dir=place))
        return placed

    def update(self, status: str, found: Mapping[str, Trained[Any, Any, Any]]) -> dict[str, Any]:
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
