"""The trainings of a group: each of them is new, resumed where it was interrupted, or done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import ChainruleError, ConfigError, StateError
from .carriers import Carrier
from .folder import runs_in
from .group_folder import GroupFolder, check_not_shared, read_group_settings
from .jobs import Job, Outcome, Workplace
from .listeners import Listener
from .loading import load_run, read_facts, read_settings
from .modality import Modality, Opened, Prepared
from .predictor import Predictor
from .preparation import open_data, prepare_data, runs_folder
from .resuming import resume_run
from .settings.document import RunSettings
from .settings.sources import gather
from .training import TrainingRun

__all__ = ["GroupMembers", "check_carried", "reopened"]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])


class GroupMembers(Generic[S, P]):
    """``planned`` are the settings of each training by its name, ``opened`` gives their data, which
    is read when the first of them needs it. ``predictors`` are those that are done. With a
    ``carrier``, what is new is done elsewhere, to the same bits; trainings are then asked for in
    the order of ``planned``."""

    def __init__(
        self,
        kind: Modality[S, P],
        group: GroupFolder,
        planned: Mapping[str, S],
        opened: Callable[[], Opened[S]],
        listener: Listener,
        source: object = None,
        carrier: Carrier | None = None,
    ) -> None:
        self.kind, self.group, self.planned, self.source = kind, group, planned, source
        self.listener = listener
        self.predictors: dict[str, P] = {}
        self._open = opened
        self._started = _started(kind, group.path) if group.path else {}
        self._carried = None if carrier is None else carrier.carry(*self._jobs(), listener.note)

    @cached_property
    def data(self) -> Opened[S]:
        return self._open()

    def prepared(self, name: str) -> Prepared[S]:
        """The data of a training."""
        settings = self.group.inside(self.planned[name])
        with self.listener.staged(f"preparing {name}"):
            return prepare_data(self.data, settings, runs_folder(settings))

    def limit(self, name: str, seconds: float) -> None:
        """Gives a training a time limit of its own; 0: it keeps the one it has."""
        if seconds:
            own = self.planned[name]
            limited = own.changed(train=own.train.changed(time_limit=seconds))
            self.planned = {**self.planned, name: limited}

    def train(self, name: str, *, aloud: bool = True) -> P:
        """The predictor of a training, which is trained if it has not been. ``aloud``: whether the
        listener hears what was found in the data."""
        self.listener.member(list(self.planned).index(name), len(self.planned), name)
        self.predictors[name] = self._train(name, aloud)
        self.group.update("running", self.predictors)
        return self.predictors[name]

    def _train(self, name: str, aloud: bool) -> P:
        run, status = self._started.get(name, (None, ""))
        if run is not None and status == "done":
            return load_run(self.kind, run, read_facts(run))
        if run is not None:
            return resume_run(self.kind, run, self.source, None, self.listener)
        if self._carried is not None:
            return self._arrived(name, next(self._carried))
        prepared = self.prepared(name)
        if aloud:
            self.listener.findings(prepared.findings)
        runs_dir = runs_folder(self.group.inside(self.planned[name]))
        return TrainingRun(self.kind, prepared, runs_dir, self.listener, named=True).run()

    def _jobs(self) -> tuple[Workplace, Iterator[Job]]:
        """All trainings that have not been started, as plain values."""
        planned = {n: own for n, own in self.planned.items() if n not in self._started}
        jobs = (
            Job(n, self.kind.name, self.group.inside(o).to_document()) for n, o in planned.items()
        )
        return Workplace(self.kind, self.source), jobs

    def _arrived(self, name: str, outcome: Outcome) -> P:
        """The predictor of a training that was done elsewhere; its folder is written here."""
        if outcome.error is not None:
            raise outcome.raised()
        run = outcome.write(Path(self.group.inside(self.planned[name]).output.runs_dir))
        predictor = load_run(self.kind, run, read_facts(run))
        self.listener.done(predictor, predictor.facts)
        return predictor

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Inside, an error or Ctrl-C is written to ``group.json``; afterwards nothing is under way
        elsewhere."""
        try:
            yield
        except (ChainruleError, KeyboardInterrupt) as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            self.group.update("interrupted" if interrupted else "failed", self.predictors)
            raise
        finally:
            if self._carried is not None:
                self._carried.close()


def check_carried(settings: RunSettings, carrier: Carrier | None) -> None:
    """ConfigError for trainings that a ``carrier`` is to do, if they cannot be brought back."""
    if carrier is not None and runs_folder(settings) is None:
        raise ConfigError("trainings elsewhere need a folder here", help="give runs_dir")


def reopened(
    kind: Modality[S, P],
    folder: Path,
    source: object,
    listener: Listener,
    plan: Callable[[S, Mapping[str, Any]], Mapping[str, S]],
) -> GroupMembers[S, P]:
    """The trainings of an interrupted group; ``plan`` makes their settings from those of the group
    and ``group.json``. StateError for a folder that is no group, or for data that is gone;
    ConfigError if workers share what this process trains."""
    check_not_shared()
    settings = gather([read_group_settings(folder)], kind.settings).settings
    group = GroupFolder.open(folder)
    if source is None and not settings.data.path:
        raise StateError(
            "the data of these runs came from Python",
            where=str(folder),
            help="pass it again: chainrule.resume(run, data)",
        )
    planned = plan(settings, group.facts)
    first = group.inside(next(iter(planned.values())))
    return GroupMembers(
        kind, group, planned, lambda: open_data(kind, first, source, folder), listener, source
    )


def _started(kind: Modality[Any, Any], group: Path) -> dict[str, tuple[Path, str]]:
    """The run folder and the status of each training that has started, by its name."""
    started = {}
    for run in runs_in(group):
        facts = read_facts(run)
        name = facts.get("settings", {}).get("name")
        if name is None:  # the first release did not write it
            name = read_settings(kind, run).name
        started[str(name)] = (run, str(facts["status"]))
    return started
