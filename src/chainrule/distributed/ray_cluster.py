"""Many trainings on a Ray cluster: each is a task, and what it leaves comes back as bytes.

    Job ── task on some node ── Outcome (run folder as bytes) ──► this process writes it

So nodes need not share a disk with this machine; they do read the data, from the same path. Ray
does a task again whose process or node is lost, and what a lost node has not handed over. Its
dashboard and its statistics of use are off.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import socket
import threading
from collections.abc import Generator, Iterable, Mapping
from types import ModuleType
from typing import Any

from .. import driver  # noqa: F401 - so that steps are compiled, in workers too
from ..errors import ConfigError, StateError
from ..runs.carriers import Note, in_order, unheard
from ..runs.jobs import Job, Outcome, Workplace
from ..runs.registry import lookup
from ..runtime.processors import set_num_threads

__all__ = ["RayCluster", "ray"]

#: times that a training is done again whose process or node is lost
AGAIN = 3
#: seconds in which a cluster has to answer
ANSWER = 10.0
CONNECTED = 25.0
#: seconds after which a process that waits for an outcome looks for nodes that are gone
LOOK = 1.0


def ray(address: str | None = None, *, jobs: int | None = None) -> RayCluster:
    """A cluster that carries trainings: ``chainrule.tune(..., carrier=distributed.ray())``.

    ``address`` is the ``HOST:PORT`` of a cluster that runs, ``"auto"`` finds one on this machine;
    without it, a new one on this machine is used as long as this process lasts. ``jobs`` are
    trained at a time, by default as many as it has processors. Raises ConfigError without the
    package Ray or for an address that is none, StateError if nothing answers there.
    """
    return RayCluster(address, jobs=jobs)


class RayCluster:
    """Carries trainings as Ray tasks, one processor each; see `ray`."""

    def __init__(self, address: str | None = None, *, jobs: int | None = None) -> None:
        self._ray = _library()
        _connect(self._ray, address)
        processors = int(self._ray.cluster_resources().get("CPU", 1))
        self.places = jobs or max(1, processors)

    def carry(
        self, workplace: Workplace, jobs: Iterable[Job], note: Note = unheard
    ) -> Generator[Outcome]:
        """See `runs.carriers.Carrier`."""
        source = None if workplace.source is None else self._ray.put(workplace.source)
        # Spread over nodes: so they share caches and memory with few others.
        settings = {"num_cpus": 1, "max_retries": AGAIN, "scheduling_strategy": "SPREAD"}
        task = self._ray.remote(**settings)(perform)
        running: dict[str, Any] = {}
        nodes = _Nodes(self._ray, note)

        def start(job: Job) -> Job:
            # In a list, so that a node fetches the data once for all of its tasks.
            running[job.name] = task.remote(job.to_dict(), [source] if source else [])
            return job

        def finish(job: Job) -> Outcome:
            return self._outcome(job, running.pop(job.name), nodes)

        try:
            yield from in_order(jobs, self.places, start, finish)
        finally:
            for left in running.values():
                self._ray.cancel(left, force=True)

    def _outcome(self, job: Job, task: Any, nodes: _Nodes) -> Outcome:
        failures = self._ray.exceptions
        try:
            nodes.look()
            while not (told := self._answer(task)):
                nodes.look()
        except failures.RayTaskError as error:
            raise StateError(
                f"{job.name} failed on the cluster: {str(error.cause).splitlines()[0]}",
                where=type(error.cause).__name__,
                help="install the same release of Chainrule, and what it needs, on all machines",
            ) from None
        except failures.RayError as error:
            raise StateError(
                f"{job.name} was lost {AGAIN + 1} times: {type(error).__name__}",
                help="its machines may have run out of memory, or the cluster has ended; the same "
                "command, or chainrule resume, goes on",
            ) from None
        return Outcome(**told)

    def _answer(self, task: Any) -> Mapping[str, Any]:
        """What a task gave; empty if it is under way. Raises what made it fail."""
        try:
            answer: Mapping[str, Any] = self._ray.get(task, timeout=LOOK)
        except self._ray.exceptions.GetTimeoutError:
            return {}
        return answer


class _Nodes:
    """The nodes of a cluster: says which are gone, and if none is left that can train."""

    def __init__(self, library: ModuleType, note: Note) -> None:
        self._ray, self._note = library, note
        self._present = self._alive()
        self._idle = False

    def _alive(self) -> dict[str, str]:
        """The name of each node by its number."""
        return {
            node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            for node in self._ray.nodes()
            if node["Alive"]
        }

    def look(self) -> None:
        """Says what has changed since the last time."""
        present = self._alive()
        for number, name in self._present.items():
            if number not in present:
                self._note(
                    f"a node of the Ray cluster is gone, {name}: what it was training is done "
                    "again elsewhere"
                )
        self._present = present
        idle = not self._ray.cluster_resources().get("CPU")
        if idle and not self._idle:
            self._note(
                "no node of the Ray cluster has a processor for trainings: they wait for one"
            )
        self._idle = idle


def perform(job: Mapping[str, Any], source: list[Any]) -> dict[str, Any]:
    """A job on a node, as plain values."""
    set_num_threads(1)
    workplace = _workplace(str(job["kind"]), source[0] if source else None)
    return vars(workplace.perform(Job(**job)))


@functools.lru_cache(maxsize=1)
def _workplace(kind: str, source: Any) -> Workplace:
    """One for all tasks of a process that learn from the same data; ``source`` is a reference to
    what lies in the cluster's memory, if it did not come from a path."""
    return Workplace(lookup(kind), None if source is None else _library().get(source))


def _library() -> ModuleType:
    # Before it is loaded: it reads this once.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ConfigError(
            "a cluster of this kind needs the Ray package", help='pip install "chainrule[ray]"'
        ) from None


def _connect(library: ModuleType, address: str | None) -> None:
    """Starts or finds a cluster. StateError if none answers in time: Ray itself would wait for
    minutes, and end the process."""
    if address not in (None, "auto"):
        _check_answers(str(address))
    if library.is_initialized():
        current = library.get_runtime_context().gcs_address
        if address not in (None, "auto", current):
            raise StateError(
                f"this process is connected to another Ray cluster, {current}",
                where=str(address),
                help="call ray.shutdown() first",
            )
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        # In this thread: the cluster ends with the one that has started it.
        library.init(address="local", include_dashboard=False, **quiet)
        return
    problems: list[Exception] = []

    def connect() -> None:
        try:
            library.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            problems.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECTED)
    if thread.is_alive() or problems:
        said = str(problems[0]).splitlines()[0] if problems else "it does not answer"
        raise StateError(
            f"there is no connection to the Ray cluster: {said}",
            where=address,
            help="check the address that `ray start --head` printed on the other machine, and that "
            "it runs the same version of Ray",
        )


def _check_answers(address: str) -> None:
    """ConfigError for what is no HOST:PORT, StateError if nothing listens there."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536 or "/" in host:
        raise ConfigError(
            f"{address!r} is not the address of a Ray cluster",
            help="give HOST:PORT such as 10.0.0.5:6379, or auto for the one on this machine",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError as error:
        raise StateError(
            f"no Ray cluster answers: {error.strerror or error}",
            where=address,
            help="start one there with `ray start --head`, or leave out the address to use this "
            "machine",
        ) from None
