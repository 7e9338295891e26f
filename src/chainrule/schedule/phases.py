"""Phases: nests that may run side by side, with a barrier between one phase and the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .buffers import Buffer
from .chains import LONGEST, can_chain, chain_of, follows, users_of
from .grouping import Cluster
from .nest import Loop, Nest, Task
from .tile import work
from .units import Unit


def make_phases(
    nests: Sequence[Nest | Loop],
    clusters: list[Cluster],
    before: dict[Unit, set[Unit]],
    chained: bool = True,
) -> tuple[tuple[Task, ...], ...]:
    """Each nest in the earliest phase after all that its cluster depends on.

    One that follows others piece by piece stays in their phase, and nests that only the next ones
    of a later phase follow wait for these. Only where ``chained``: not in the body of a loop.
    """
    home = {u: n for n, c in zip(nests, clusters, strict=True) for u in c.units}
    plan = _Phases(chained)
    for nest, cluster in zip(nests, clusters, strict=True):
        earlier = dict.fromkeys(home[e] for u in cluster.units for e in before[u])
        plan.place(nest, [n for n in earlier if n is not nest])
    plan.wait()
    phases: list[list[list[Nest | Loop]]] = [
        [] for _ in range(max(plan.level.values(), default=-1) + 1)
    ]
    for chain in plan.chains():
        phases[plan.level[chain[0]]].append(chain)
    users = users_of(nests)
    return tuple(tuple(_tasks(phase, users)) for phase in phases)


class _Phases:
    """Nests placed so far: the phase of each, and the chain that it is part of."""

    def __init__(self, chained: bool) -> None:
        self.chained = chained
        self.level: dict[Nest | Loop, int] = {}
        self.chain: dict[Nest | Loop, list[Nest | Loop]] = {}
        self.later: dict[Nest | Loop, list[Nest | Loop]] = {}
        self.number: dict[Nest | Loop, int] = {}

    def chains(self) -> list[list[Nest | Loop]]:
        """Every chain once; most are a single nest."""
        return list({id(chain): chain for chain in self.chain.values()}.values())

    def place(self, nest: Nest | Loop, earlier: list[Nest | Loop]) -> None:
        """Put ``nest`` after ``earlier``."""
        self.later[nest], self.number[nest] = [], len(self.number)
        for n in earlier:
            self.later[n].append(nest)
        last = max((self.level[n] for n in earlier), default=-1)
        close = [n for n in earlier if self.level[n] == last]
        self.chain[nest], self.level[nest] = [nest], last + 1
        if self.chained and close and all(follows(n, nest) for n in close):
            self._join([*close, nest], last)

    def wait(self) -> None:
        """Move chains to the phase that goes on from them, last ones first."""
        if not self.chained:
            return
        for chain in sorted(self.chains(), key=lambda c: -self.level[c[0]]):
            links = [(n, after) for n in chain for after in self.later[n] if after not in chain]
            following = min((self.level[after] for _, after in links), default=0)
            close = [(n, after) for n, after in links if self.level[after] == following]
            if close and all(follows(n, after) for n, after in close):
                self._join([chain[0], *(after for _, after in close)], following)

    def _join(self, nests: Iterable[Nest | Loop], level: int) -> None:
        """Make one chain of those that ``nests`` are part of, if they can be run as one."""
        chains = {id(self.chain[n]): self.chain[n] for n in nests}
        joined = sorted((n for c in chains.values() for n in c), key=self.number.__getitem__)
        if len(joined) <= LONGEST and can_chain(joined):
            self.chain.update(dict.fromkeys(joined, joined))
            self.level.update(dict.fromkeys(joined, level))


def _tasks(chains: list[list[Nest | Loop]], users: Counter[Buffer]) -> list[Task]:
    """Large nests are shared by all threads; small ones are dealt out, largest first."""
    tasks = [Task(chain[0]) for chain in chains if isinstance(chain[0], Loop)]
    for chain in chains:
        link = chain_of(chain, users) if len(chain) > 1 else None
        tasks += [Task(n, chain=link) for n in chain if n.split is not None]
    heads = [chain[0] for chain in chains]
    alone = [n for n in heads if isinstance(n, Nest) and n.split is None]
    small = sorted(alone, key=work, reverse=True)
    tasks += [Task(nest, owner) for owner, nest in enumerate(small)]
    return tasks
