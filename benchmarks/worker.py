"""A process that holds one peer, one workload and one mode, and times bursts on command.

One JSON object per line on stdin, one reply per line on stdout:

====================================  ==========================================================
``{"do": "open"}``                    import the library, build the session, run one step
``{"do": "answers", "steps": n}``     the first n losses, or logits, from the common weights
``{"do": "burst", "steps": n}``       reset, two steps to warm up, seconds that n steps take
``{"do": "memory"}``                  peak resident bytes of this process
``{"do": "quit"}``
====================================  ==========================================================

A library or a name that is missing is answered with ``{"absent": why}``. Any other failure ends
the process with a traceback on stderr, which the driver shows.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import TextIO, cast

from benchmarks.peers import PEERS, Module, Peer, Session
from benchmarks.workloads import Mode, Workload, named

Reply = dict[str, object]


def peak_bytes() -> int:
    """Largest resident size of this program (``ru_maxrss`` would remember the parent's)."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def open_session(peer: Peer, workload: Workload, mode: Mode) -> tuple[Session | None, Reply]:
    """The session and how long import and first step took; no session when something is absent."""
    start = time.perf_counter()
    try:
        module = cast(Module, importlib.import_module(peer.module))
        imported = time.perf_counter()
        session = module.open_session(workload, peer.form, mode)
        session.run(workload.steps_per_epoch if mode == "loop" else 1)
    except (ImportError, AttributeError) as missing:
        return None, {"absent": f"{type(missing).__name__}: {missing}"}
    return session, {"import": imported - start, "first": time.perf_counter() - imported}


def burst(session: Session, steps: int, mode: Mode) -> float:
    """Seconds of ``steps`` steps from the initial weights, after a short warm-up."""
    if mode != "loop":
        session.run(2)
    session.reset()
    start = time.perf_counter()
    session.run(steps)
    return time.perf_counter() - start


def serve(peer: Peer, workload: Workload, mode: Mode, answers: TextIO) -> None:
    session: Session | None = None
    for line in sys.stdin:
        command = json.loads(line)
        reply: Reply = {}
        if command["do"] == "quit":
            return
        if command["do"] == "open":
            session, reply = open_session(peer, workload, mode)
        elif command["do"] == "memory":
            reply = {"bytes": peak_bytes()}
        elif session is not None and command["do"] == "burst":
            reply = {"seconds": burst(session, command["steps"], mode)}
        elif session is not None and command["do"] == "answers":
            reply = {"answers": session.answers(command["steps"])}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def main(argv: list[str]) -> None:
    """``worker PEER WORKLOAD MODE CPUS``: the peer's number in the table, processors as 0,1."""
    number, name, mode, cpus = argv
    os.sched_setaffinity(0, {int(c) for c in cpus.split(",")})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    serve(PEERS[int(number)], named(name), cast(Mode, mode), answers)


if __name__ == "__main__":
    main(sys.argv[1:])
