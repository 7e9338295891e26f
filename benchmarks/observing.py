"""What observing a training costs: a share of the time, and a program more to compile.

    python -m benchmarks.observing [WORKLOAD ...] [--seconds 20] [--threads 2]

For each workload and level, one line: steps observed, the seconds that they took longer than other
steps as a share of the training (compilation apart), the cost of one as a share of a usual step,
and the seconds that compiling took. Weights are compared with those of the unobserved training of
as many steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.peers.chainrule_peer import LOSSES, build
from benchmarks.workloads import WORKLOADS, Workload
from chainrule import optim
from chainrule.train import Observe, Trainer

NAMES = ("mlp", "cnn", "resnet", "lstm", "gpt")


def trained(workload: Workload, epochs: int, observe: Observe) -> tuple[Trainer, float]:
    """A trainer after so many epochs, and the seconds of `fit`."""
    cr.manual_seed(0)
    model = build(workload)
    names = [name for name, _ in model.named_parameters()]
    model.load_state_dict(model.state_dict() | dict(zip(names, workload.weights(), strict=True)))
    *inputs, target = workload.data()
    loss = LOSSES[workload.loss][1]()
    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=1e-5))
    begun = time.perf_counter()
    data = (tuple(inputs) if len(inputs) > 1 else inputs[0], target)
    trainer.fit(data, epochs=epochs, batch_size=workload.batch, verbose=False, observe=observe)
    return trainer, time.perf_counter() - begun


def line(name: str, seconds: float) -> Mapping[str, Any]:
    """One workload at all levels."""
    workload = WORKLOADS[name]
    off = Observe("off")
    trained(workload, 1, off)  # compiles
    once = trained(workload, 3, off)[1] / 3
    epochs = max(2, round(seconds / max(once, 1e-3)))
    plain = trained(workload, epochs, off)[0]
    found: dict[str, Any] = {"workload": name, "epochs": epochs}
    for level in ("basic", "full"):
        trainer = trained(workload, epochs, Observe(level))[0]  # type: ignore[arg-type]
        assert trainer.run is not None
        clock, steps = trainer.run.clock, trainer.run.order.steps * epochs
        count = len(trainer.observations)
        rest = clock["all"] - clock["preparing"] - clock["observing"]
        state, other = trainer.model.state_dict(), plain.model.state_dict()
        found[level] = {
            "observed": count,
            "share": clock["observing"] / rest,
            "of a step": clock["observing"] / max(count, 1) / (rest / steps),
            "compilation": clock["preparing"],
            "same bits": all(np.array_equal(state[k], other[k]) for k in state),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    cr.set_num_threads(options.threads)
    print("| Workload | level | observed steps | share of the time | of a step | compilation | "
          "same bits |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for name in options.names:
        found = line(name, options.seconds)
        for level in ("basic", "full"):
            own = found[level]
            print(f"| {name} | {level} | {own['observed']} | {100 * own['share']:.2f} % | "
                  f"{100 * own['of a step']:.0f} % | {own['compilation']:.1f} s | "
                  f"{'yes' if own['same bits'] else 'NO'} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
