"""The search: trials, the best of them trained as a run, and the page about it all.

    settings, space ── trials (Carrier) ──► study.db ── best.toml ──► a run folder, tuning.html

Trials see training and validation data. The test part is looked at by the run that the best
settings make, and by nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, StateError, TrainingError
from ..runs.carriers import Carrier
from ..runs.folder import is_run, json_text
from ..runs.hidden_folder import slug
from ..runs.jobs import Job, Outcome, Workplace
from ..runs.loading import load_run, read_facts
from ..runs.predictor import Predictor
from ..runs.preparation import runs_folder
from ..runs.resuming import resume_run
from ..runs.settings.document import RunSettings
from ..runs.training import TrainingRun
from ..train.checkpoints.weights_file import write_whole
from .listeners import TuningListener
from .page import tuning_page
from .result import Tuned, best_of
from .search import Search
from .store import Store
from .suggesting import Trial, bounds_for, quiet_optuna, suggest

__all__ = ["Limits", "Tuner"]

BEST, FACTS, PAGE = "best.toml", "tuning.json", "tuning.html"
AnyPredictor = Predictor[Any, Any, Any]


@dataclass(frozen=True)
class Limits:
    """When no more trials begin: after so many of them, or ``seconds`` (None: no limit)."""

    trials: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        if type(self.trials) is not int or self.trials < 1:
            raise ConfigError(f"trials is {self.trials!r}", help="expected a whole number from 1")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"time is {self.seconds!r}", help='expected a time such as "10m"')


class Tuner:
    """One search in its folder ``<runs_dir>/<name>-tune``, which goes on where it ended."""

    def __init__(
        self, search: Search, limits: Limits, carrier: Carrier, listener: TuningListener
    ) -> None:
        self.limits = limits
        self.carrier, self.listener = carrier, listener
        settings = search.prepared.settings
        runs_dir = runs_folder(settings)
        if runs_dir is None:
            raise ConfigError("a search needs a folder", help="give runs_dir")
        if search.kind.bagged(settings):
            raise ConfigError(
                "an ensemble of folds cannot be tuned",
                help="tune one network with preset good, or set ensemble.folds to 0",
            )
        self.name = settings.name or slug(search.prepared.name) or "data"
        self.folder = runs_dir / f"{slug(self.name)}-tune"
        self.search = search.decided(listener)
        self.parameters = self.search.space.parameters()

    def run(self) -> Tuned:
        """Searches, and trains the best settings. Ctrl-C ends it with all that has been saved;
        TrainingError if no trial has come to an end."""
        identity, rises = self.search.identity, self.search.rises
        with (
            quiet_optuna(),
            closing(Store(self.folder, identity, self.parameters, rises)) as store,
        ):
            trials = self._search(store)
            best = best_of(trials, rises)
            if best is None:
                errors = [trial.error for trial in trials if trial.error]
                raise TrainingError(
                    f"none of {len(trials)} trials has come to an end",
                    where=str(self.folder),
                    help=f"the first said: {errors[0]}" if errors else "allow more trials",
                )
            settings = self._best_settings(best)
            write_whole(self.folder / BEST, settings.to_toml().encode())
            self.listener.begin_best(self.search, best)
            try:
                predictor = self._winner(settings)
            except KeyboardInterrupt:
                self._written(trials, None)
                raise
            tuned = self._written(trials, predictor)
        self.listener.tuned(tuned)
        return tuned

    # ------------------------------------------------------------------------------- trials

    def _search(self, store: Store) -> list[Trial]:
        """All trials; those that have ended before are not done again."""
        told = [store.trials[i] for i in range(len(store.trials)) if i in store.trials]
        self.listener.begin_search(self.folder, self.limits.trials, len(told))
        asked: dict[int, Mapping[str, Any]] = {}
        jobs = self._jobs(told, asked, time.monotonic())
        try:
            carried = self.carrier.carry(self._workplace(), jobs, self.listener.note)
            with closing(carried) as outcomes:
                for outcome in outcomes:
                    index = len(told)
                    trial = Trial.of(index, asked.pop(index), outcome)
                    self._refuse_hopeless(index, outcome)
                    store.add(trial)
                    told.append(trial)
                    self.listener.trial(self.search, trial, best_of(told, self.search.rises),
                                        self.limits.trials)  # fmt: skip
        except KeyboardInterrupt:
            self._written(told, None)
            self.listener.interrupted_search(self.folder, len(told), self.limits.trials)
            raise
        return told

    def _jobs(
        self, told: Sequence[Trial], asked: dict[int, Mapping[str, Any]], started: float
    ) -> Iterator[Job]:
        """The trials to come. What each tries, and what cuts it short, rests on those that had
        ended at the latest when it began; which these are does not depend on the time they took."""
        search, base = self.search, self.search.prepared.settings
        for index in range(len(told), self.limits.trials):
            spent = time.monotonic() - started
            if index and self.limits.seconds is not None and spent >= self.limits.seconds:
                return
            known = told[: max(0, index - self.carrier.places + 1)]
            asked[index] = (
                suggest(self.parameters, known, index, search.seed, search.rises)
                if index
                else search.space.parameters_of(base)
            )
            bounds = bounds_for(known, base.train.epochs, search.rises)
            self.listener.stage(f"trial {index + 1} of {self.limits.trials}")
            document = search.space.document(asked[index])
            yield Job(f"trial {index + 1}", search.kind.name, document, bounds)

    def _workplace(self) -> Workplace:
        workplace = Workplace(self.search.kind, self.search.source)
        workplace.keep(self.search.prepared)
        return workplace

    def _refuse_hopeless(self, index: int, outcome: Outcome) -> None:
        """Settings that are wrong as they are, or a machine that fails, are no trial that failed;
        a training that diverges is one."""
        if outcome.error is None:
            return
        error = outcome.raised()
        if isinstance(error, StateError) or (index == 0 and not isinstance(error, TrainingError)):
            raise error

    # ------------------------------------------------------------------------------- the best

    def _best_settings(self, trial: Trial) -> RunSettings:
        settings = self.search.space.settings(trial.chosen)
        return settings.changed(name=f"{self.name}-tuned")

    def _winner(self, settings: RunSettings) -> AnyPredictor:
        """The run of the best settings: a new one, unless there is one already."""
        kind, runs_dir = self.search.kind, self.folder.parent
        for run in sorted(runs_dir.glob(f"*-{slug(settings.name)}-????"), reverse=True):
            facts = _facts_of(run)
            if facts.get("settings") != settings.to_document():
                continue
            done = facts["status"] == "done"
            known: AnyPredictor = (
                load_run(kind, run, facts)
                if done
                else resume_run(kind, run, self.search.source, None, self.listener)
            )
            return known
        prepared = self._workplace().prepared(settings, runs_dir)
        new = TrainingRun(kind, prepared, runs_dir, self.listener, named=True)
        trained: AnyPredictor = new.run()
        return trained

    def _written(self, trials: Sequence[Trial], predictor: AnyPredictor | None) -> Tuned:
        """The result, in the folder."""
        tuned = Tuned.of(self.search, self.folder, trials, predictor)
        write_whole(self.folder / FACTS, (json_text(tuned.to_dict(), indent=2) + "\n").encode())
        write_whole(self.folder / PAGE, tuning_page(tuned).encode())
        return tuned


def _facts_of(run: Path) -> Mapping[str, Any]:
    """The ``run.json`` of a folder; nothing where it cannot be read."""
    try:
        return read_facts(run) if is_run(run) else {}
    except StateError:
        return {}
