"""``python -m benchmarks``: every workload against every installed peer.

python -m benchmarks                          everything, all threads and one
python -m benchmarks --workload mlp --mode loop --threads 2
python -m benchmarks --mode infer --peer chainrule,onnxruntime
python -m benchmarks --peer torch,jax --quick --json results.json
python -m benchmarks optim                    one update of 10 million parameters
python -m benchmarks cold                     compiling recurrent networks of few and many steps
python -m benchmarks --read results.json --markdown
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import cold, optim, report
from benchmarks.driver import QUICK, GroupRun, Settings
from benchmarks.machine import Machine, processor_name
from benchmarks.peers import PEERS, Peer
from benchmarks.workloads import MODES, WORKLOADS

OPTIM, COLD = "optim", "cold"  # what has no modes


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    known = ", ".join((*WORKLOADS, OPTIM, COLD))
    p.add_argument("names", nargs="*", metavar="WORKLOAD", help=f"of {known}; default: all")
    p.add_argument("--workload", default="", help="the same, separated by commas")
    p.add_argument("--optimizer", default="", help="for optim: such as Adam,LAMB; default: all")
    p.add_argument("--peer", default="", help="libraries or forms, such as torch,jax flat")
    p.add_argument("--mode", default="", help=f"of {', '.join(MODES)}; default: all")
    p.add_argument("--threads", default="", help="numbers such as 1,2; default: all and one")
    p.add_argument("--quick", action="store_true", help="short bursts: for trying, not for quoting")
    p.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    p.add_argument("--markdown", action="store_true", help="print Markdown tables")
    p.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="print saved results only")
    p.add_argument("--summary", action="store_true", help="with --read: one line for each table")
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


def measure(options: argparse.Namespace) -> None:
    machine, results = Machine(), report.Results()
    facts = machine_facts(machine)
    print(f"{facts['processor']}, {facts['processors']} processors, {facts['versions']}\n")
    known = [*WORKLOADS, OPTIM, COLD]
    asked = names(",".join([*options.names, options.workload]), known, "workload")
    asked = asked or (list(WORKLOADS) if options.mode else known)
    counts = thread_counts(options.threads, machine)
    settings = QUICK if options.quick else Settings()
    show = report.markdown if options.markdown else report.text
    peers = chosen_peers(options.peer)
    modes = names(options.mode, list(MODES), "mode") or list(MODES)
    plan = [
        (WORKLOADS[name], threads, mode)
        for name, threads, mode in itertools.product(asked, counts, modes)
        if name in WORKLOADS and mode in WORKLOADS[name].modes
    ]
    for number, (workload, threads, mode) in enumerate(plan, 1):
        say(f"{number} of {len(plan)}: {workload.name}, {mode}, {threads} threads")
        entries = [(i, p) for i, p in peers if workload.name in p.workloads]
        run = GroupRun(workload, mode, threads, machine, settings, say)
        results.groups.append(run.run(entries))
        print(show(results.groups[-1]), flush=True)
        save(options, results, facts)
    if OPTIM in asked:
        results.updates = measure_optim(options, counts, machine)
    if COLD in asked:
        turns = cold.QUICK_TURNS if options.quick else cold.TURNS
        for threads in counts:
            results.compilations += cold.measure(peers, machine.cpus[:threads], turns, say)
    print("\n".join(report.sections(results, markdown=options.markdown)))
    save(options, results, facts)


def measure_optim(
    options: argparse.Namespace, counts: list[int], machine: Machine
) -> list[optim.Update]:
    """One update by each optimizer that was asked for."""
    effort = optim.QUICK if options.quick else optim.Effort()
    by_name = {subject.name: subject for subject in optim.SUBJECTS}
    asked = names(options.optimizer, list(by_name), "optimizer") or list(by_name)
    updates = []
    for threads in counts:
        os.sched_setaffinity(0, machine.cpus[:threads])
        for name in asked:
            say(f"{name}, {threads} threads")
            updates.append(optim.measure(by_name[name], threads, machine, effort))
    os.sched_setaffinity(0, machine.cpus)
    return updates


def save(options: argparse.Namespace, results: report.Results, facts: dict[str, Any]) -> None:
    if options.json:
        options.json.write_text(report.to_json(results, facts))


def say(message: str) -> None:
    """Progress, kept apart from the tables."""
    print(f"  {message}", file=sys.stderr, flush=True)


def show_saved(options: argparse.Namespace) -> None:
    """The tables of runs that ``--json`` kept; ``--summary`` leaves a line of each."""
    show = report.markdown if options.markdown else report.text
    results = report.from_json(*(path.read_text() for path in options.read))
    tables = [] if options.summary else list(map(show, results.groups))
    print("\n".join([*tables, *report.sections(results, markdown=options.markdown)]))


def main() -> None:
    options = parser().parse_args()
    if options.read:
        show_saved(options)
        return
    os.environ.pop("CHAINRULE_DUMP", None)  # writing every stage would be timed as compilation
    measure(options)


if __name__ == "__main__":
    main()
