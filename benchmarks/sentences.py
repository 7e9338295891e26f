"""Whole sentences: how many letters the example on Dutch gets wrong, and how many PyTorch, with the
same network, the same first weights, and the same batches in the same order.

    python -m benchmarks.sentences GAME FOLDER [--epochs 60] [--longest 9] [--sides ours,torch]

`examples/dutch_sentences.py` says how to get GAME. ``--longest`` leaves out sentences of more
seconds, in training and test alike. The holes in the features and the dropped units are drawn by
each side for itself. Both use one thread; a line of JSON for each side.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import chainrule as cr
from chainrule.tasks.transcription import error_rates


def the_example() -> ModuleType:
    """``examples/dutch_sentences.py`` as a module."""
    path = Path(__file__).parent.parent / "examples" / "dutch_sentences.py"
    spec = importlib.util.spec_from_file_location("dutch_sentences", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listener_of(side: str, example: Any, known: Any, alphabet: Any, epochs: int) -> Any:
    """A function from clips and steps to log-probabilities, after training."""
    if side == "ours":
        return example.listener(example.train(known, alphabet, epochs))
    from benchmarks.peers import torch_sentences  # the other side needs no PyTorch

    return torch_sentences.train(example, known, alphabet, epochs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("game", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--longest", type=int, default=9)
    parser.add_argument("--sides", default="ours,torch")
    options = parser.parse_args()
    cr.set_num_threads(1)
    example = the_example()
    lengths = tuple(n for n in example.LENGTHS if n <= options.longest)
    vars(example)["LENGTHS"] = lengths
    known, held_out, alphabet = example.parts_of(options.game, options.folder)
    for side in options.sides.split(","):
        begun = time.process_time()
        listen = listener_of(side, example, known, alphabet, options.epochs)
        seconds = time.process_time() - begun
        heard = example.transcribe(listen, held_out, alphabet)
        rates = error_rates(list(held_out.texts), heard)
        said = {"side": side, "epochs": options.epochs, "processor seconds": round(seconds)}
        print(json.dumps(said | rates), flush=True)


if __name__ == "__main__":
    main()
