"""Two workers on two hosts that a network of limited bandwidth connects.

    python -m benchmarks.network [mlp cnn gpt] [--gigabits 1 10] [--parts 2] [--rounds 8]

The hosts are network namespaces of this machine (no root needed), connected by a pair of virtual
cards that `tc` lets through so many bits a second (token buckets). Each worker has one thread.
Printed is, for each bandwidth and without a limit, the time of a step, how many times as fast it
is as one whose exchange follows the program instead of going on beside it, and the latter on paper:
what it takes without a limit, and the bytes sent after it. A delay would need `netem`, which
not every kernel has; it is added where there is one (``--delay`` in microseconds, one way).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.distributed.launching import find_mpiexec

HERE, THERE = "10.77.0.1", "10.77.0.2"
#: one thread each, and no way around the network: MPI would pass messages in memory
ALONE = {"CHAINRULE_NUM_THREADS": "1", "UCX_TLS": "tcp,self", "UCX_LOG_LEVEL": "error"}


def shell(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)


@contextmanager
def other_host() -> Iterator[int]:
    """A second namespace, connected with this one: the process that holds it."""
    hold = "hostname other; mount -t sysfs none /sys; echo; exec sleep infinity"
    holder = subprocess.Popen(
        ["unshare", "--net", "--uts", "--mount", "sh", "-c", hold],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        inside = ("nsenter", "--target", holder.pid, "--net")
        shell("ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there")
        shell("ip", "link", "set", "there", "netns", holder.pid)
        for enter, card, address in (((), "here", HERE), (inside, "there", THERE)):
            shell(*enter, "ip", "address", "add", f"{address}/24", "dev", card)
            shell(*enter, "ip", "link", "set", card, "up")
            shell(*enter, "ip", "link", "set", "lo", "up")
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def limit(holder: int, gigabits: float, delay: int) -> None:
    """So many bits a second, in each direction."""
    for enter, card in (((), "here"), (("nsenter", "--target", holder, "--net"), "there")):
        subprocess.run(
            [*map(str, enter), "tc", "qdisc", "del", "dev", card, "root"],
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if gigabits and delay:
            shell(*enter, "tc", "qdisc", "add", "dev", card, "root", "netem", "delay",
                  f"{delay}us", "rate", f"{gigabits}gbit")  # fmt: skip
        elif gigabits:
            shell(*enter, "tc", "qdisc", "add", "dev", card, "root", "tbf", "rate",
                  f"{gigabits}gbit", "burst", "256kb", "latency", "50ms")  # fmt: skip


def step(name: str, parts: int, rounds: int, launcher: Path) -> dict[str, float]:
    """What worker 0 says of a workload."""
    words = [find_mpiexec(), "-n", "2", "-ppn", "1", "-hosts", f"{HERE},{THERE}", "-launcher",
             "ssh", "-launcher-exec", str(launcher), "-iface", "here", sys.executable, "-m",
             "benchmarks.distributed", name, "--work", "--parts", str(parts), "--rounds",
             str(rounds)]  # fmt: skip
    environment = os.environ | ALONE
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    said = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    numbers: dict[str, float] = json.loads(said)
    return numbers


def shown(numbers: dict[str, float]) -> str:
    return (
        f"{numbers['seconds'] * 1e3:.2f} ms a step, {1 / numbers['ratio']:.3f} times as fast as "
        "with the exchange after the program"
    )


def launcher_for(holder: int, folder: Path) -> Path:
    """What starts a command on a host, called as ``ssh -x host command``."""
    script = folder / "on-host"
    script.write_text(
        "#!/bin/sh\n"
        'while [ "${1#-}" != "$1" ]; do shift; done\n'
        "host=$1; shift\n"
        f"cd {shlex.quote(os.getcwd())}\n"
        f'[ "$host" = {HERE} ] && exec sh -c "$*"\n'
        f'exec nsenter --target {holder} --net --uts --mount sh -c "$*"\n'
    )
    script.chmod(0o755)
    return script


def measure(chosen: argparse.Namespace) -> None:
    with other_host() as holder, tempfile.TemporaryDirectory() as folder:
        launcher = launcher_for(holder, Path(folder))
        for name in chosen.workloads:
            limit(holder, 0, 0)
            free = step(name, chosen.parts, chosen.rounds, launcher)
            print(f"{name}: no limit: {shown(free)}", flush=True)
            for gigabits in chosen.gigabits:
                limit(holder, gigabits, chosen.delay)
                limited = step(name, chosen.parts, chosen.rounds, launcher)
                paper = free["after"] + limited["sent"] * 8 / gigabits / 1e9
                print(
                    f"{name}: {gigabits:g} Gbit/s: {shown(limited)}, on paper "
                    f"{paper * 1e3:.2f}; {limited['sent'] / 1e6:.2f} MB sent",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", default=["mlp", "cnn", "gpt"])
    parser.add_argument("--gigabits", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--delay", type=int, default=0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not chosen.inside:
        again = ["unshare", "--map-root-user", "--net", "--mount", sys.executable, "-m",
                 "benchmarks.network", "--inside", *sys.argv[1:]]  # fmt: skip
        raise SystemExit(subprocess.run(again, check=False).returncode)
    shell("mount", "-t", "sysfs", "none", "/sys")  # where MPI looks for the cards
    measure(chosen)


if __name__ == "__main__":
    main()
