"""A loop taken apart, so that passes can move what is in it.

Every result that somebody reads is an expression outside of the loop, over *tokens*: a token stands
for a value of the body, stacked over all steps, or for what is carried, after the last one. Moving
something out of the loop changes the expression and the tokens in it; in the end the tokens become
results of the loop that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..batching import Value
from ..ir.graph import Graph, Node, bind, topological
from ..ir.rewrite import substitute
from ..ops.bodies import parts_of, placeholder


@dataclass
class LoopForm:
    """``carries``: for each carry of the body, its first value (outside) and its next (inside).

    ``rows`` and ``consts``: the values outside of the body's inputs. ``stacks`` and ``finals``:
    what tokens stand for. ``results``: expressions over tokens.
    """

    loop: Node
    carries: dict[Node, tuple[Node, Node]]
    rows: dict[Node, Node]
    consts: dict[Node, Node]
    results: list[Node] = field(default_factory=list)
    stacks: dict[Node, Node] = field(default_factory=dict)
    finals: dict[Node, Node] = field(default_factory=dict)

    @staticmethod
    def of(loop: Node, inputs: Sequence[Node], wanted: Iterable[tuple[Node, int]]) -> LoopForm:
        """``loop`` applied to ``inputs``; ``wanted`` are results of it, or of others like it."""
        body, count = loop.params["body"], loop.params["carries"]
        own = parts_of(body.inputs, count, loop.params["scanned"])
        outer = parts_of(inputs, count, loop.params["scanned"])
        form = LoopForm(
            loop,
            {c: (f, n) for c, f, n in zip(own[0], outer[0], body.outputs, strict=False)},
            dict(zip(own[1], outer[1], strict=True)),
            dict(zip(own[2], outer[2], strict=True)),
        )
        for other, index in wanted:
            is_final, outputs = index < count, other.params["body"].outputs
            result = form.final(own[0][index]) if is_final else form.stacked(outputs[index])
            form.results.append(result)
        return form

    @property
    def length(self) -> int:
        """Steps."""
        steps: int = self.loop.params["length"]
        return steps

    @property
    def inputs(self) -> tuple[Node, ...]:
        """Those of the body."""
        return (*self.carries, *self.rows, *self.consts)

    def roots(self) -> list[Node]:
        """What the body computes."""
        return [*(new for _, new in self.carries.values()), *self.stacks.values()]

    def env(self) -> dict[Node, Value]:
        """Values outside for the inputs of the body that need no step before."""
        varying = {n: (x, True) for n, x in self.rows.items()}
        return varying | {n: (k, False) for n, k in self.consts.items()}

    # -------------------------------------------------------------------------------- tokens

    def stacked(self, node: Node) -> Node:
        """``node`` of the body for all steps, as a value outside."""
        if node in self.rows:
            return self.rows[node]
        for token, known in self.stacks.items():
            if known is node:
                return token
        token = placeholder("stack", (self.length, *node.shape), node.dtype)
        self.stacks[token] = node
        return token

    def final(self, carry: Node) -> Node:
        """A carry after the last step."""
        for token, known in self.finals.items():
            if known is carry:
                return token
        token = placeholder("final", carry.shape, carry.dtype)
        self.finals[token] = carry
        return token

    def resolve(self, token: Node, value: Node) -> None:
        """``token`` is ``value``, from now on."""
        self.stacks.pop(token, None)
        self.finals.pop(token, None)
        self.results = substitute(self.results, {token: value})

    # ---------------------------------------------------------------------------------- body

    def replace(self, others: Mapping[Node, Node]) -> None:
        """Let the body compute with other nodes."""
        self.rebase(substitute(self.roots(), others))

    def rebase(self, roots: Sequence[Node]) -> None:
        """Let the body compute ``roots`` instead of its own."""
        count = len(self.carries)
        carries = zip(self.carries.items(), roots, strict=False)
        self.carries = {c: (first, new) for (c, (first, _)), new in carries}
        self.stacks = dict(zip(self.stacks, roots[count:], strict=True))

    def keep_only(self, alive: set[Node]) -> None:
        """Drop the inputs of the body that are not ``alive``."""
        self.carries = {c: v for c, v in self.carries.items() if c in alive}
        self.rows = {n: x for n, x in self.rows.items() if n in alive}
        self.consts = {n: k for n, k in self.consts.items() if n in alive}

    # ------------------------------------------------------------------------------ together

    def rebuilt(self) -> list[Node]:
        """The results, from the loop that is left."""
        read = set(topological(self.results))
        self.stacks = {t: n for t, n in self.stacks.items() if t in read}
        self.finals = {t: c for t, c in self.finals.items() if t in read}
        if not self.stacks and not self.finals:
            return self.results
        places = {node: i for i, node in enumerate(dict.fromkeys(self.stacks.values()))}
        ends = tuple(new for _, new in self.carries.values())
        first = [f for f, _ in self.carries.values()]
        loop = self._bind(
            Graph(self.inputs, (*ends, *places)),
            (*first, *self.rows.values(), *self.consts.values()),
        )
        numbers = {c: i for i, c in enumerate(self.carries)}
        items = {t: bind("item", loop, index=numbers[c]) for t, c in self.finals.items()}
        for token, node in self.stacks.items():
            items[token] = bind("item", loop, index=len(numbers) + places[node])
        return substitute(self.results, items)

    def _bind(self, body: Graph, inputs: tuple[Node, ...]) -> Node:
        """The loop; the old one where nothing has changed."""
        counts = {"carries": len(self.carries), "scanned": len(self.rows)}
        params = {**self.loop.params, **counts, "body": body}
        if inputs == self.loop.inputs and params == dict(self.loop.params):
            return self.loop
        return bind("scan", *inputs, location=self.loop.location, **params)
