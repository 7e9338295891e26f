"""Makes the numbers of this folder with PyTorch: ``python tests/reference/make_reference.py``.

PyTorch is needed here and nowhere else under tests/. ``README.md`` describes what is written. With
names of families as arguments only those are made again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch

from make_attention import attention
from make_convolution import convolution
from make_curves import curves
from make_layers import initializers, layers
from make_losses import losses
from make_optimizers import optimizers
from make_pointwise import activations
from make_recurrent import alignments, recurrent
from make_schedules import schedules
from make_signatures import signatures
from make_stability import clipping, parametrized_layers
from problems import FOLDER

FAMILIES: dict[str, Callable[[], dict[str, Any]]] = {
    "activations": activations,
    "losses": losses,
    "layers": layers,
    "initializers": initializers,
    "optimizers": optimizers,
    "clipping": clipping,
    "parametrized": parametrized_layers,
    "schedules": schedules,
    "curves": curves,
    "convolution": convolution,
    "attention": attention,
    "recurrent": recurrent,
    "ctc": alignments,
    "signatures": signatures,
}


def main(chosen: list[str]) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in chosen or FAMILIES:
        content = {"made_with": f"torch {torch.__version__}", **FAMILIES[name]()}
        # One line per case keeps the files small and their differences readable.
        text = json.dumps(content, separators=(",", ":")).replace('{"name"', '\n{"name"')
        text = text.replace('"],"', '"],\n"') if name == "signatures" else text
        (FOLDER / f"{name}.json").write_text(text + "\n")
        print(f"{name}.json  {len(text) / 1024:.0f} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
