"""The folder around the runs of a group: one ``run.toml`` for all, and ``group.json``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from ..errors import ConfigError, StateError
from ..records import sha256_of
from ..train.checkpoints.weights_file import write_whole
from ..train.workers import present
from .folder import GROUP_KIND, now, write_group_facts
from .hidden_folder import (
    new_hidden_folder,
    publish,
    remove_abandoned_folders,
    slug,
    unwritable,
)
from .loading import check_hash, read_group_facts, read_text
from .predictor import Predictor
from .preparation import runs_folder
from .settings.document import RunSettings
from .settings.sources import Source, from_text

__all__ = ["GroupFolder", "check_not_shared", "read_group_settings"]

S = TypeVar("S", bound=RunSettings)


@dataclass
class GroupFolder:
    """``facts`` are those of ``group.json``; ``path`` is None if nothing is written."""

    path: Path | None
    facts: dict[str, Any]

    @classmethod
    def create(cls, settings: RunSettings, names: list[str], **planned: Any) -> Self:
        """A new one for runs called ``names``; what else was ``planned`` is kept for `resume`.
        ConfigError if workers share what this process trains."""
        check_not_shared()
        started = now()
        stem = settings.name or Path(settings.data.path).name.split(".")[0] or "data"
        facts = {"format": GROUP_KIND.format, "version": GROUP_KIND.version, "name": stem,
                 "planned": names, **planned,
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
        try:
            write_whole(hidden.path / "run.toml", settings.to_toml().encode("utf-8"))
            facts["files"] = {"run.toml": sha256_of(hidden.path / "run.toml")}
            group.update("running", {})
            group.path = publish(hidden)
        except BaseException:
            hidden.close()
            raise
        return group

    @classmethod
    def open(cls, path: Path) -> Self:
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
            write_group_facts(self.path, self.facts)
        return self.facts


def check_not_shared() -> None:
    """ConfigError if workers share what this process trains: that is one training at a time."""
    if present() is not None:
        raise ConfigError(
            "several trainings cannot be shared among workers of MPI",
            help="leave out mpiexec; --jobs and --ray have several trainings at a time",
        )


def read_group_settings(group: Path) -> Source:
    """The ``run.toml`` of a group. Raises StateError for a folder that is not a group."""
    GroupFolder.open(group)
    file = group / "run.toml"
    return from_text(read_text(group, file.name), str(file))


def _summarize(metrics: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    summary = {}
    names = metrics[0] if metrics else {}
    for name in (name for name in names if all(name in m for m in metrics)):
        values = [m[name] for m in metrics]
        # A metric that one training lacks (ROC-AUC of a part with one class) has no summary.
        known = values if all(map(math.isfinite, values)) else [math.nan]
        std = statistics.stdev(known) if len(known) > 1 else math.nan
        summary[name] = {"mean": statistics.fmean(known), "std": std, "min": min(known),
                         "max": max(known)}  # fmt: skip
    return summary
