"""The language models and the translator as PyTorch modules, on its own attention."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.language import Transformer
from benchmarks.translation import PADDING, Seq2Seq


class Block(nn.Module):
    def __init__(self, model: Transformer) -> None:
        super().__init__()
        width, self.heads = model.width, model.heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        rows, steps, width = x.shape
        parts = self.qkv(self.norm1(x)).view(rows, steps, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(rows, steps, width))
        out: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return out


class GPT(nn.Module):
    """Scores [rows * steps, vocabulary]."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.tokens = nn.Embedding(model.vocabulary, model.width)
        self.positions = nn.Embedding(model.context, model.width)
        self.blocks = nn.Sequential(*(Block(model) for _ in range(model.layers)))
        self.norm = nn.LayerNorm(model.width)
        self.head = nn.Linear(model.width, model.vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        out: Tensor = self.head(self.norm(self.blocks(x))).flatten(0, 1)
        return out


class Translator(nn.Module):
    """Scores [rows * steps, vocabulary]."""

    waves: Tensor
    hidden: Tensor

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.source = nn.Embedding(model.vocabulary, model.width)
        self.target = nn.Embedding(model.vocabulary, model.width)
        layers, wide = model.layers, 4 * model.width
        self.transformer = nn.Transformer(
            model.width, model.heads, layers, layers, wide, dropout=0.0, batch_first=True
        )
        self.head = nn.Linear(model.width, model.vocabulary, bias=False)
        waves = torch.from_numpy(model.waves()).float()
        self.register_buffer("waves", waves, persistent=False)
        later = torch.ones(model.longest, model.longest, dtype=torch.bool).triu(1)
        self.register_buffer("hidden", later, persistent=False)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        scale = math.sqrt(self.source.embedding_dim)
        x, y = (
            table(tokens) * scale + self.waves
            for table, tokens in ((self.source, source), (self.target, target))
        )
        missing = source == PADDING
        z = self.transformer(
            x, y, tgt_mask=self.hidden, src_key_padding_mask=missing,
            memory_key_padding_mask=missing, tgt_key_padding_mask=target == PADDING,
            tgt_is_causal=True,
        )  # fmt: skip
        scores: Tensor = self.head(z).flatten(0, 1)
        return scores
