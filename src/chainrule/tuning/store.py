"""The database of trials: SQLite, as Optuna keeps it, in the folder of the search.

Only trials that have ended are in it. What is half done when a process is killed is done again.
"""

from __future__ import annotations

import fcntl
import functools
import os
import sqlite3
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..runs.space import Parameter
from .library import SQLAlchemyError, optuna
from .suggesting import Trial, distributions, frozen_trial, thawed_trial

__all__ = ["DATABASE", "Store"]

DATABASE = "study.db"
STUDY = "tune"
IDENTITY = "chainrule.tune"
DATABASE_ERRORS = (optuna.exceptions.OptunaError, SQLAlchemyError, OSError)
#: what two searches must agree on, in words, and what to do if they do not
DIFFERENT = {
    "data": "of other data",
    "settings": "around other settings",
    "space": "of another space",
    "objective": "for another objective",
    "seed": "with another seed",
}


class Store:
    """The trials of one search, in ``folder``, which one process at a time may use.

    ``identity`` is what the search is of, by the keys of `DIFFERENT`. StateError for a database of
    another search, or what is no database, and while another process has it.
    """

    def __init__(
        self, folder: Path, identity: Mapping[str, Any], parameters: Mapping[str, Parameter],
        rises: bool,
    ) -> None:  # fmt: skip
        self.folder, self._known = folder, distributions(parameters)
        self._unlock = weakref.finalize(self, os.close, _lock(folder))
        try:
            self._study = self._open(rises)
            known = self._study.user_attrs.get(IDENTITY)
            frozen = self._study.get_trials(deepcopy=False)
            self._check(known, identity, bool(frozen))
            if known is None:
                self._study.set_user_attr(IDENTITY, dict(identity))
        except DATABASE_ERRORS as error:
            self.close()
            raise StateError(
                f"the database of trials cannot be used: {str(error).splitlines()[0]}",
                where=str(folder / DATABASE),
                help="remove it to begin again, or choose another name (--name)",
            ) from None
        except StateError:
            self.close()
            raise
        trials = [trial for f in frozen if (trial := thawed_trial(f)) is not None]
        #: those that have ended, by number
        self.trials = {trial.index: trial for trial in trials}

    def _open(self, rises: bool) -> optuna.Study:
        # By a function, because a path may hold what means something in an address.
        connect = functools.partial(
            sqlite3.connect, self.folder / DATABASE, check_same_thread=False
        )
        self._storage = optuna.storages.RDBStorage(
            f"sqlite:///{DATABASE}", engine_kwargs={"creator": connect}
        )
        return optuna.create_study(
            storage=self._storage, study_name=STUDY, load_if_exists=True,
            direction="maximize" if rises else "minimize",
        )  # fmt: skip

    def close(self) -> None:
        """Lets other processes have it."""
        storage = getattr(self, "_storage", None)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        self._unlock()

    def _check(self, known: Any, identity: Mapping[str, Any], filled: bool) -> None:
        where = str(self.folder / DATABASE)
        if known is None and not filled:
            return
        if not isinstance(known, Mapping):
            raise StateError(
                "this database of trials is not from chainrule tune",
                where=where,
                help="choose another name for the search (--name)",
            )
        for key, words in DIFFERENT.items():
            if known.get(key) != identity[key]:
                raise StateError(
                    f"the database holds trials {words}",
                    where=where,
                    help="choose another name for this search (--name), or remove the folder",
                )

    def add(self, trial: Trial) -> None:
        """Keeps a trial for good. StateError if it cannot be written."""
        try:
            self._study.add_trial(frozen_trial(trial, self._known))
        except DATABASE_ERRORS as error:
            raise StateError(
                f"the trial cannot be saved: {str(error).splitlines()[0]}",
                where=str(self.folder / DATABASE),
                help="make room, and run the same command again",
            ) from None
        self.trials[trial.index] = trial


def _lock(folder: Path) -> int:
    """The file that locks the folder while it is open. StateError if another process has it, or it
    cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StateError(
            f"the folder cannot be written: {error.strerror or error}",
            where=str(folder),
            help="choose another folder with --runs-dir, or make room",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StateError(
            "another process is working on this search",
            where=str(folder),
            help="wait until it ends, or choose another name (--name)",
        ) from None
    return lock
