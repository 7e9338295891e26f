"""A module as a table of its layers, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..notebook import framed, table, words

if TYPE_CHECKING:
    from .module import Module

__all__ = ["layer_table"]

#: of a model with more layers, those at its end are left out
MOST = 200


def layer_table(module: Module) -> str:
    """Path, kind, shapes of the parameters and how many numbers they hold, layer by layer."""
    rows: list[tuple[str, ...]] = []
    total = left = 0
    seen: set[int] = set()
    for path, layer in module.named_modules():
        own = [(n, p) for n, p in layer.named_parameters() if "." not in n]
        fresh = [p for _, p in own if id(p) not in seen]
        seen.update(id(p) for p in fresh)
        count = sum(p.numel() for p in fresh)
        total += count
        if any(True for _ in layer.children()) and not own:
            continue
        if len(rows) == MOST:
            left += 1
            continue
        shapes = ", ".join(f"{n} {'x'.join(map(str, p.shape)) or '()'}" for n, p in own)
        rows.append((path or "-", type(layer).__name__, layer.extra_repr(), shapes, f"{count:,}"))
    heads = ("layer", "kind", "settings", "parameters", "numbers")
    frozen = sum(p.numel() for p in module.parameters() if not p.requires_grad)
    said = f"{total:,} parameters" + (f", {frozen:,} of them frozen" if frozen else "")
    note = f"{left} more layers" if left else ""
    return framed(
        table(type(module).__name__, heads, rows, right=(4,), note=note), words(said, soft=True)
    )
