"""The trainings of ``benchmarks.texts`` in PyTorch: the same tokens, sizes, steps and first values.

`language` is nanoGPT's recipe; `translation` has the parameters of our transformer by name, so that
one program writes out what either has learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.language import Transformer
from benchmarks.peers.torch_language import GPT

Arrays = dict[str, npt.NDArray[Any]]
Batch = tuple[Tensor, ...]

PADDING = 0
BETAS, DECAY, CLIP = (0.9, 0.99), 0.1, 1.0
#: of a batch whose loss alone is asked for
JUDGED = 64


@dataclass(frozen=True)
class Recipe:
    """AdamW's rate rises for ``warmup`` of ``steps``, then falls to ``last`` of it. Of judgements,
    ``every`` so many steps, the best decides which weights are kept."""

    lr: float
    steps: int
    every: int
    warmup: float = 0.05
    last: float = 0.0

    def rate(self, step: int) -> float:
        rise = round(self.warmup * self.steps)
        if step < rise:
            return (step + 1) / (rise + 1)
        done = (step - rise) / max(self.steps - rise, 1)
        return self.last + (1 - self.last) * 0.5 * (1 + math.cos(math.pi * done))


def trained(
    model: nn.Module,
    recipe: Recipe,
    batches: Iterator[Batch],
    loss: Callable[..., Tensor],
    judge: Callable[[], float],
) -> float:
    """The best judgement, with whose weights it leaves the model. Matrices alone decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, recipe.lr, BETAS, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.rate)
    best, kept = math.inf, {}
    for step in range(1, recipe.steps + 1):
        optimizer.zero_grad(set_to_none=True)
        loss(*next(batches)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        if step % recipe.every == 0 or step == recipe.steps:
            model.eval()
            with torch.no_grad():
                judged = judge()
            model.train()
            if judged < best:
                best, kept = judged, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)
    model.eval()
    return best


def prepared(seed: int, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)


def language(
    tokens: npt.NDArray[np.int32],
    validation: npt.NDArray[np.int32],
    test: npt.NDArray[np.int32],
    sizes: Transformer,
    recipe: Recipe,
    batch: int,
    seed: int,
    threads: int,
) -> tuple[float, npt.NDArray[np.float32]]:
    """nanoGPT's recipe on ``tokens``: nats per token of the stretches for validation, and of each
    token of those of the test, [rows, context]."""
    prepared(seed, threads)
    model = GPT(sizes)
    model.head.weight = model.tokens.weight
    added = 0.02 / math.sqrt(2 * sizes.layers)
    for name, p in model.named_parameters():
        if p.ndim > 1:
            nn.init.normal_(p, std=added if name.endswith(("out.weight", "down.weight")) else 0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(p)
    text = torch.from_numpy(tokens).long()
    context = sizes.context

    def batches() -> Iterator[Batch]:
        while True:
            begin = torch.randint(len(text) - context, (batch,))
            yield (torch.stack([text[i : i + context + 1] for i in begin]),)

    def nats(rows: Tensor, reduction: str = "mean") -> Tensor:
        return F.cross_entropy(model(rows[:, :-1]), rows[:, 1:].flatten(), reduction=reduction)

    def each(stretches: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            parts = [
                nats(rows, "none") for rows in torch.from_numpy(stretches).long().split(JUDGED)
            ]
        return np.asarray(torch.cat(parts).numpy()).reshape(-1, context)

    best = trained(model, recipe, batches(), nats, lambda: float(each(validation).mean()))
    return best, each(test)


class Translator(nn.Module):
    """Our transformer that translates, by the same names: pre-norm, one vocabulary, whose vectors
    are those of the layer of scores, too."""

    def __init__(self, size: int, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.embedding = nn.Embedding(size, width, padding_idx=PADDING)
        self.head = nn.Linear(width, size, bias=False)
        self.head.weight = self.embedding.weight
        options: dict[str, Any] = {"dropout": dropout, "batch_first": True, "norm_first": True}
        encoder = nn.TransformerEncoderLayer(width, heads, 4 * width, **options)
        decoder = nn.TransformerDecoderLayer(width, heads, 4 * width, **options)
        self.encoder = nn.TransformerEncoder(
            encoder, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(decoder, layers, nn.LayerNorm(width))
        self.dropout = nn.Dropout(dropout)
        for part in (*self.encoder.modules(), *self.decoder.modules()):
            if isinstance(part, nn.MultiheadAttention):
                part._reset_parameters()
            elif isinstance(part, nn.Linear) and type(part) is nn.Linear:
                part.reset_parameters()
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)

    def embedded(self, tokens: Tensor) -> Tensor:
        steps, width = tokens.shape[1], self.embedding.embedding_dim
        angles = torch.arange(steps)[:, None] * 1e4 ** (-torch.arange(0, width, 2) / width)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
        out: Tensor = self.dropout(self.embedding(tokens) * self.scale + waves)
        return out

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """-log P summed over the tokens of the targets, without their first and padding."""
        written, wanted = target[:, :-1], target[:, 1:]
        hidden = source == PADDING
        memory = self.encoder(self.embedded(source), src_key_padding_mask=hidden)
        causal = nn.Transformer.generate_square_subsequent_mask(written.shape[1])
        states = self.decoder(
            self.embedded(written), memory, causal, memory_key_padding_mask=hidden,
            tgt_is_causal=True,
        )  # fmt: skip
        scores = self.head(states).flatten(0, 1)
        return F.cross_entropy(scores, wanted.flatten(), ignore_index=PADDING, reduction="sum")


def translation(
    pairs: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    validation: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    sizes: dict[str, Any],
    recipe: Recipe,
    batch: int,
    seed: int,
    threads: int,
) -> tuple[float, Arrays]:
    """Nats per token of the translations for validation, and the best weights by name. Batches are
    as long as their longest row."""
    prepared(seed, threads)
    model = Translator(**sizes)
    rows = [torch.from_numpy(part).long() for part in pairs]
    judges = [torch.from_numpy(part).long() for part in validation]

    def cut(parts: list[Tensor], own: Tensor) -> Batch:
        taken = [part[own] for part in parts]
        return tuple(t[:, : int((t != PADDING).sum(1).max())] for t in taken)

    def batches() -> Iterator[Batch]:
        while True:
            for own in torch.randperm(len(rows[0])).split(batch):
                yield cut(rows, own)

    def counted(target: Tensor) -> int:
        return int((target[:, 1:] != PADDING).sum())

    def loss(source: Tensor, target: Tensor) -> Tensor:
        out: Tensor = model(source, target) / counted(target)
        return out

    def judge() -> float:
        by_length = (judges[0] != PADDING).sum(1).argsort(stable=True).split(JUDGED)
        return sum(float(model(*cut(judges, own))) for own in by_length) / counted(judges[1])

    best = trained(model, recipe, batches(), loss, judge)
    return best, {name: value.numpy() for name, value in model.state_dict().items()}
