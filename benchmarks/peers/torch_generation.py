"""PyTorch writes texts with keys and values in memory that is there before, in two forms.

=====================  ======================================================================
eager                  reads of the memory what is filled, no more
compile                a token is one graph of ``torch.compile`` with Inductor's freezing: weights
                       are constants. It reads all of the memory behind a mask, so that one graph
                       serves all positions
=====================  ======================================================================

Prompts are read at once, eagerly. All in inference mode.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.language import Transformer
from benchmarks.peers import Predictions
from benchmarks.peers.torch_language import GPT, Block
from benchmarks.workloads import Workload


class Text:
    """Keys and values of ``rows`` texts, [layers, rows, heads, context, width]."""

    def __init__(self, net: GPT, model: Transformer, rows: int) -> None:
        self.net, self.model = net, model
        shape = (model.layers, rows, model.heads, model.context, model.width // model.heads)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.places = torch.arange(model.context)

    def attended(self, block: Block, layer: int, x: Tensor, start: Any) -> Tensor:
        """What the steps x, from ``start`` on, see; a Tensor as ``start`` is one step."""
        rows, steps, width = x.shape
        parts = block.qkv(block.norm1(x)).view(rows, steps, 3, block.heads, width // block.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        keys, values = self.keys[layer], self.values[layer]
        if isinstance(start, Tensor):
            keys.index_copy_(2, start, k)
            values.index_copy_(2, start, v)
            mask = (self.places <= start)[None]
            seen = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        else:
            end = start + steps
            keys[:, :, start:end], values[:, :, start:end] = k, v
            seen = F.scaled_dot_product_attention(
                q, keys[:, :, :end], values[:, :, :end], is_causal=steps > 1
            )
        return block.out(seen.transpose(1, 2).reshape(rows, steps, width))

    def following(self, tokens: Tensor, start: Any) -> Tensor:
        """The likeliest tokens [rows, 1] after these [rows, steps]."""
        net, steps = self.net, tokens.shape[1]
        places = start if isinstance(start, Tensor) else self.places[start : start + steps]
        x = net.tokens(tokens) + net.positions(places)
        for layer, block in enumerate(net.blocks):
            assert isinstance(block, Block)
            x = x + self.attended(block, layer, x, start)
            x = x + block.down(F.gelu(block.up(block.norm2(x))))
        scores: Tensor = net.head(net.norm(x[:, -1:]))
        return scores.argmax(-1)


def predictions(workload: Workload, form: str) -> Predictions:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)
    model = workload.model
    assert isinstance(model, Transformer)
    net = GPT(model).eval().requires_grad_(False)
    for own, array in zip(net.parameters(), workload.weights(), strict=True):
        own.copy_(torch.from_numpy(array))
    text = Text(net, model, workload.batch)
    following: Any = text.following
    if form == "compile":
        torch._inductor.config.freezing = True
        following = torch.compile(text.following, dynamic=False)

    def predict(prompt: Tensor) -> Tensor:
        """The tokens made, [rows, context - prompt]."""
        with torch.inference_mode():
            token, made = text.following(prompt, 0), []
            for place in range(model.prompt, model.context):
                made.append(token)
                if place + 1 < model.context:
                    start = text.places[place : place + 1] if form == "compile" else place
                    token = following(token, start)
            return torch.cat(made, 1)

    return Predictions(predict, [torch.from_numpy(x).long() for x in workload.inputs()])
