"""``python -m benchmarks``: every workload against every installed peer.

python -m benchmarks                          everything, all threads and one
python -m benchmarks --workload mlp --mode loop --threads 2
python -m benchmarks --peer torch,jax --quick --json results.json
python -m benchmarks --read results.json --markdown
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.driver import QUICK, Group, GroupRun, Settings
from benchmarks.machine import Machine, processor_name
from benchmarks.peers import BOTH, PEERS, Peer
from benchmarks.workloads import WORKLOADS


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    p.add_argument("--workload", default=",".join(WORKLOADS), help="names separated by commas")
    p.add_argument("--peer", default="", help="libraries or forms, such as torch,jax flat")
    p.add_argument("--mode", default="call,loop", help="call, loop or both")
    p.add_argument("--threads", default="", help="numbers such as 1,2; default: all and one")
    p.add_argument("--quick", action="store_true", help="short bursts: for trying, not for quoting")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    p.add_argument("--markdown", action="store_true", help="print Markdown tables")
    p.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="print saved results only")
    return p


def names(given: str, known: list[str], what: str) -> list[str]:
    """The chosen names, or the end of the program with the known ones."""
    chosen = [n.strip() for n in given.split(",") if n.strip()]
    for name in chosen:
        if name not in known:
            sys.exit(f"unknown {what} {name!r}\n  help:  known are {', '.join(known)}")
    return chosen


def chosen_peers(given: str) -> list[tuple[int, Peer]]:
    """Numbered records whose library or full name was asked for; all without a wish."""
    libraries = list(dict.fromkeys(p.library for p in PEERS))
    wanted = names(given, libraries + [p.name for p in PEERS], "peer")
    return [(i, p) for i, p in enumerate(PEERS) if not wanted or {p.library, p.name} & set(wanted)]


def thread_counts(given: str, machine: Machine) -> list[int]:
    most = len(machine.cpus)
    counts = [int(t) for t in given.split(",")] if given else sorted({most, 1}, reverse=True)
    for count in counts:
        if not 1 <= count <= most:
            sys.exit(f"{count} threads on {most} processors\n  help:  give 1 to {most}")
    return counts


def machine_facts(machine: Machine) -> dict[str, Any]:
    """What to print beside any number that is quoted."""
    packages = list(dict.fromkeys(p.package for p in PEERS if p.package))
    distribution = {"sklearn": "scikit-learn"}
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(distribution.get(package, package))
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor_name(),
        "processors": len(machine.cpus),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "idle_peak_gflops": {n: round(machine.peak(n), 1) for n in {1, len(machine.cpus)}},
    }


def measure(options: argparse.Namespace, settings: Settings) -> list[Group]:
    machine, groups = Machine(), []
    facts = machine_facts(machine)
    show = report.markdown if options.markdown else report.text
    print(f"{facts['processor']}, {facts['processors']} processors, {facts['versions']}\n")
    peers = chosen_peers(options.peer)
    modes = [m for m in BOTH if m in names(options.mode, list(BOTH), "mode")]
    for workload in names(options.workload, list(WORKLOADS), "workload"):
        for threads in thread_counts(options.threads, machine):
            for mode in modes:
                entries = [(i, p) for i, p in peers if workload in p.workloads and mode in p.modes]
                run = GroupRun(WORKLOADS[workload], mode, threads, machine, settings, say)
                groups.append(run.run(entries))
                print(show(groups[-1]), flush=True)
                if options.json:
                    options.json.write_text(report.to_json(groups, facts))
    return groups


def say(message: str) -> None:
    """Progress, kept apart from the tables."""
    print(f"  {message}", file=sys.stderr, flush=True)


def main() -> None:
    options = parser().parse_args()
    if options.read:
        show = report.markdown if options.markdown else report.text
        for path in options.read:
            for group in report.from_json(path.read_text()):
                print(show(group))
        return
    os.environ.pop("CHAINRULE_DUMP", None)  # writing every stage would be timed as compilation
    measure(options, QUICK if options.quick else Settings())


if __name__ == "__main__":
    main()
