"""Muon for the matrices, AdamW for the rest, as one optimizer."""

from __future__ import annotations

import numpy as np

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.nn import models
from chainrule.train import muon_with_adamw


def names(model: nn.Module, part: optim.Optimizer) -> set[str]:
    ids = {id(p) for group in part.param_groups for p in group["params"]}
    return {n for n, p in model.named_parameters() if id(p) in ids}


def test_each_parameter_has_its_place() -> None:
    for tied in (True, False):
        model = models.GPT(7, 4, 8, 1, 2, tied=tied)
        apart = [] if tied else [model.head]
        both = muon_with_adamw(model, 0.02, adamw_lr=1e-3, apart=apart)
        muon, adamw = both.parts
        assert isinstance(muon, optim.Muon)
        assert isinstance(adamw, optim.AdamW)
        layer = "blocks.layers.0."
        assert names(model, muon) == {
            layer + n for n in ("self_attn.in_proj_weight", "self_attn.out_proj.weight",
                                "linear1.weight", "linear2.weight")
        }  # fmt: skip
        everything = {n for n, _ in model.named_parameters()}
        assert names(model, adamw) == everything - names(model, muon)
        assert [g["lr"] for g in both.param_groups] == [0.02, 1e-3]


def test_without_matrices_or_without_the_rest() -> None:
    assert len(muon_with_adamw(nn.Linear(3, 2, bias=False)).parts) == 1
    assert isinstance(muon_with_adamw(nn.LayerNorm(3)).parts[0], optim.AdamW)


def test_it_trains() -> None:
    cr.manual_seed(0)
    model = models.GPT(5, 8, 16, 1, 2)
    both = muon_with_adamw(model, 0.01)
    text = (np.arange(9) + np.arange(5)[:, None]) % 5

    @cr.compile
    def learn(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        both.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        both.step()
        return loss

    x, y = text[:, :-1].astype(np.int32), text[:, 1:].astype(np.int32)
    losses = [learn(x, y).item() for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]
