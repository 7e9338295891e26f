"""T5: speed. The same result could be had sooner."""

from __future__ import annotations

from ...phrasing import counted
from ..evidence import Evidence
from ..rule import Rule, Sign

__all__ = ["RULES"]

#: shares of a training's time, and seconds, from which on it is worth a word
WAITING, OBSERVING, LEAST = 0.4, 0.15, 0.2
PADDED = 0.6
#: products of a step, and seconds of all of them, from which on more threads are worth a word
MANY_PRODUCTS, LONG = 1e7, 10.0


def waiting(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or "all" not in looked.training.seconds or evidence.failure:
        return None  # what led to an error was looked for, which takes its time
    clock = looked.training.seconds
    spent = sum(clock.get(part, 0.0) for part in ("first", "steps", "validation"))
    paused = clock.get("paused", 0.0)  # by hand, in a callback
    whole = clock["all"] - paused
    rest = whole - spent
    if whole < LEAST or rest < WAITING * whole:
        return None
    callbacks = min(clock.get("callbacks", 0.0) - paused, rest)
    what = "callbacks" if callbacks > 0.5 * rest else "reading and other work between steps"
    return Sign({"share": round(100 * rest / whole), "what": what})


def threads(evidence: Evidence) -> Sign | None:
    used, there = evidence.threads, evidence.processors
    if not used or not there:
        return None
    numbers = {"threads": counted(used, "thread"), "processors": counted(there, "processor")}
    if used > there:
        return Sign({**numbers, "why": "they wait for one another in every step"})
    looked = evidence.examination
    if looked is None or 2 * used > there or looked.training.seconds.get("steps", 0.0) < LONG:
        return None
    if sum(layer.parameters for layer in looked.layers) * looked.training.batch < MANY_PRODUCTS:
        return None
    return Sign({**numbers, "why": "the others have nothing to do"})


def small_batches(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None or looked.training.batch > 4 or looked.data.rows < 64:
        return None
    parameters = sum(layer.parameters for layer in looked.layers)
    if parameters < 50_000:
        return None
    return Sign({"batch": looked.training.batch, "parameters": parameters})


def observing(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    if looked is None:
        return None
    clock = looked.training.seconds
    spent = clock.get("observing", 0.0)
    whole = clock.get("all", 0.0) - clock.get("preparing", 0.0)  # without compiling
    steps = looked.training.steps * max(looked.training.epochs, 1)
    if len(evidence.observations) < 0.8 * steps or spent < OBSERVING * whole or whole == 0:
        return None
    return Sign({"share": round(100 * spent / whole), "count": len(evidence.observations)})


def padding(evidence: Evidence) -> Sign | None:
    looked = evidence.examination
    for facts in looked.data.inputs if looked is not None else ():
        if facts.padding > PADDED:
            return Sign({"share": round(100 * facts.padding)})
    return None


RULES = (
    Rule(
        "T501", "steps wait for other things",
        "{share} % of the time went into {what}",
        "The processor spends much of its time waiting.",
        "The forward and backward passes take a fixed time per batch; whatever happens between two "
        "batches comes on top.",
        "Rows per second are far below what the same network does on arrays in memory.",
        "do less in per-batch callbacks; keep the data in memory; read ahead",
        waiting,
    ),
    Rule(
        "T502", "the number of threads does not fit the machine",
        "training ran on {threads}, but the machine has {processors}: {why}",
        "Each step takes longer than it has to.",
        "The threads share out every product of the forward and backward passes and meet after "
        "each. One that has no processor keeps all the others waiting; with too few threads, "
        "processors stay idle.",
        "A step is faster with another number of threads; `chainrule info` shows how many there "
        "are.",
        "cr.set_num_threads(None), and no CHAINRULE_NUM_THREADS or OMP_NUM_THREADS in the "
        "environment",
        threads, severity="info",
    ),
    Rule(
        "T503", "batches are too small for the processor",
        "a step reads {parameters} weights for {batch} rows",
        "A step costs nearly as much as one with many more rows.",
        "Weights are read and updated once per step, however many rows share them.",
        "Rows per second grow with the batch size.",
        "batch_size=32",
        small_batches, setting="train.batch_size = 32", severity="info",
    ),
    Rule(
        "T504", "observing takes much of the time",
        "{count} observed steps took {share} % of the training",
        "Nearly every step is observed.",
        "An observed step computes a dozen sums for each layer on top of the forward and backward "
        "passes.",
        "The training takes longer than without `observe`.",
        'observe=Observe("basic", "2s")',
        observing, setting='observe.every = "2s"', severity="info",
    ),
    Rule(
        "T505", "most of what is computed is padding",
        "on average, {share} % of each row is padding",
        "Short rows cost as much as the longest one.",
        "The forward and backward passes walk over every position of a row, whether or not there "
        "is anything there.",
        "The time of a step depends on the longest row of all.",
        "Padded(...) as a source, which reads each batch only as long as it needs to be",
        padding, severity="info",
    ),
)  # fmt: skip
