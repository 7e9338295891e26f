"""Run folders as a release of Chainrule writes them, so that later ones can show that they still
read them: ``python tests/reference/make_runs.py FOLDER``.

Those in ``runs`` are of the last release whose ``run.json`` vouched for weights and preprocessing
alone, and whose checkpoints had no checksum of their JSON half. Those in ``runs2`` vouch for all of
it, but do not say in words what they are about.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule.records import sealed
from chainrule.runs.listeners import Listener
from chainrule.train import Callback

SMALL = ("model.layers=[4]", "output.report=false", "output.checkpoints.every=epoch",
         "output.checkpoints.keep=2")  # fmt: skip
SMALL_IMAGES = ("model.name=cnn", "model.widths=[4]", *SMALL[1:])


class Stop(Callback):
    """Ctrl-C after the third epoch."""

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)


class Stopping(Listener):
    def callbacks(self, epochs: int) -> list[Callback]:
        return [Stop()]


def pictures() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    """Forty squares of 8 x 8, darker or lighter, by integers alone."""
    rows = np.arange(40)[:, None]
    noise = (np.arange(64)[None] * 37 + rows * 101) % 97
    pixels = (noise + 120 * (rows % 2)).astype(np.uint8).reshape(40, 8, 8)
    return pixels, np.where(np.arange(40) % 2, "light", "dark")


def main(place: Path) -> None:
    scratch = place / "scratch"

    def keep(name: str) -> None:
        [run] = scratch.iterdir()
        for file in run.glob("**/run.json"):
            facts = json.loads(file.read_text())
            facts.pop("checksum")
            facts["machine"] |= {"host": "somewhere", "system": "Linux"}
            file.write_text(sealed(json.dumps(facts, indent=2, ensure_ascii=False) + "\n"))
        for lock in run.glob("**/.lock"):
            lock.unlink()
        shutil.move(run, place / name)

    def table(name: str, **options: Any) -> None:
        given = {"settings": SMALL, "runs_dir": scratch, "verbose": False, **options}
        with contextlib.suppress(KeyboardInterrupt):
            cr.fit("heart", epochs=6, **given)
        keep(name)

    table("table")
    table("interrupted", listener=Stopping())  # if it goes on, it comes to the weights of `table`
    cr.fit("diabetes", epochs=5, settings=SMALL, runs_dir=scratch, verbose=False)
    keep("regression")
    cr.fit_images(pictures(), epochs=3, settings=SMALL_IMAGES, runs_dir=scratch, verbose=False)
    keep("images")
    cr.cross_validate(
        "heart", folds=None, seeds=2, epochs=2, settings=SMALL, runs_dir=scratch, verbose=False
    )
    keep("group")
    scratch.rmdir()
    sources = {"table": "heart", "interrupted": "heart", "regression": "diabetes",
               "images": pictures()}  # fmt: skip
    metrics = {name: cr.load_run(place / name).evaluate(s) for name, s in sources.items()}
    (place / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
