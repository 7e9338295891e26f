"""Muon for the matrices of a network, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import optim
from ..nn import Embedding, EmbeddingBag, LearnedPositions, Module
from ..optim.combined import CombinedOptimizer

#: layers whose matrices are tables of vectors: one row is used at a time
TABLES = (Embedding, EmbeddingBag, LearnedPositions)


def muon_with_adamw(
    model: Module,
    lr: Any = 1e-3,
    weight_decay: float = 0.1,
    *,
    adamw_lr: Any = None,
    apart: Iterable[Module] = (),
    adjust_lr_fn: str | None = "match_rms_adamw",
    **settings: Any,
) -> CombinedOptimizer:
    """One optimizer: `Muon` for the weight matrices of ``model``, `AdamW` for what is left.

    Left are vectors, arrays of more axes, tables of vectors (embeddings and positions, also where
    a layer of scores shares them), and all parameters of the modules ``apart``: of a language model
    the layer of scores belongs there, as Jordan et al. 2024 advise. ``lr`` is a number or schedule,
    that of AdamW as well unless ``adamw_lr`` is given, which the default of ``adjust_lr_fn`` allows
    (Liu et al. 2025). Further settings are those of `Muon`.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, TABLES)}
    tables |= {id(p) for module in apart for p in module.parameters()}
    parameters = list(model.parameters())
    matrices = [p for p in parameters if p.ndim == 2 and id(p) not in tables]
    rest = [p for p in parameters if p.ndim != 2 or id(p) in tables]
    given: dict[str, Any] = {"weight_decay": weight_decay}
    parts: list[optim.Optimizer] = []
    if matrices or not rest:
        muon = optim.Muon(matrices, lr=lr, adjust_lr_fn=adjust_lr_fn, **given, **settings)
        parts.append(muon)
    if rest:
        parts.append(optim.AdamW(rest, lr=lr if adamw_lr is None else adamw_lr, **given))
    return CombinedOptimizer(*parts)
