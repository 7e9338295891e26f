"""The network of the example on Dutch sentences in PyTorch: the same layers, first weights and
batches. Padding is left out of convolutions and of batch statistics there, too. Layers run on
padded rows, backwards on turned ones: packed ones take far longer the more steps there are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import chainrule as cr
from benchmarks.peers.torch_recurrent import turned
from chainrule import optim
from chainrule.nn.audio import LOG_OFFSET, mel_filters

N_FFT, WINDOW, LOWEST = 512, 400, 20.0


def hole(count: int, length: int, most: int) -> Tensor:
    """A stretch of 0 to ``most`` of ``length`` places for each clip, bool [count, length]."""
    width = (torch.rand(count, 1) * (min(most, length) + 1)).int()
    first = (torch.rand(count, 1) * (length + 1 - width)).int()
    place = torch.arange(length)
    return (place >= first) & (place < first + width)


class StepNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of those places alone that are ``inside``."""

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training:
            return super().forward(x)
        count = inside.expand(-1, 1, x.shape[2], -1).sum()
        mean = (x * inside).sum((0, 2, 3)) / count
        centred = x - mean[:, None, None]
        variance = (centred.square() * inside).sum((0, 2, 3)) / count
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            self.running_mean.lerp_(mean, 0.1)
            self.running_var.lerp_(variance * count / (count - 1), 0.1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


class Listener(nn.Module):
    """Log-probabilities [batch, steps, letters + 1]."""

    def __init__(self, example: Any, letters: int, channels: int = 24) -> None:
        super().__init__()
        self.example = example
        filters = mel_filters(N_FFT // 2 + 1, LOWEST, example.RATE / 2, example.BANDS, example.RATE)
        self.register_buffer("filters", torch.from_numpy(filters).float(), False)
        self.register_buffer("window", torch.hann_window(WINDOW), False)
        self.register_buffer("scale", torch.ones(example.BANDS, 1))
        self.register_buffer("shift", torch.zeros(example.BANDS, 1))
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, 5, 2, padding=2, bias=False),
            StepNorm(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, (2, 1), padding=1, bias=False),
            StepNorm(channels), nn.ReLU(),
        )  # fmt: skip
        widths = [channels * example.BANDS // 4] + [2 * example.HIDDEN] * (example.LAYERS - 1)
        self.directions = nn.ModuleList(
            nn.GRU(width, example.HIDDEN, batch_first=True) for width in widths for _ in "fb"
        )
        self.dropout = nn.Dropout(example.DROPOUT)
        self.classifier = nn.Linear(2 * example.HIDDEN, letters + 1)

    def with_holes(self, x: Tensor) -> Tensor:
        count, bands, frames = x.shape
        times, time_width, stripes, band_width = self.example.HOLES
        for _ in range(times):
            x = x.masked_fill(hole(count, frames, time_width)[:, None], 0.0)
        for _ in range(stripes):
            x = x.masked_fill(hole(count, bands, band_width)[:, :, None], 0.0)
        return x

    def forward(self, clips: Tensor, steps: Tensor) -> Tensor:
        spectrum = torch.stft(
            clips.float() / 32768.0, N_FFT, self.example.HOP, WINDOW, self.window,
            return_complex=True,
        )  # fmt: skip
        power = spectrum.abs().square().transpose(1, 2) @ self.filters
        x = (power + LOG_OFFSET).log().transpose(1, 2) * self.scale + self.shift
        x = self.with_holes(x) if self.training else x
        maps = (x * (torch.arange(x.shape[2]) < 2 * steps[:, None])[:, None])[:, None]
        for layer in self.convolutions:
            if isinstance(layer, StepNorm):
                inside = (torch.arange(maps.shape[3]) < steps[:, None])[:, None, None]
                maps = layer(maps, inside)
            else:
                maps = layer(maps)
            if isinstance(layer, nn.ReLU):
                maps = maps * inside
        y = maps.permute(0, 3, 1, 2).flatten(2)
        for layer in range(self.example.LAYERS):
            y = y if layer == 0 else self.dropout(y)
            forwards, backwards = self.directions[2 * layer : 2 * layer + 2]
            back = turned(backwards(turned(y, steps))[0], steps)
            y = torch.cat([forwards(y)[0], back], 2)
        return F.log_softmax(self.classifier(self.dropout(y)), -1)


def renamed(name: str) -> str:
    """Of a weight of the layers in one to what it is called in layers apart."""
    found = re.fullmatch(r"gru\.(\w+)_l(\d+)(_reverse)?", name)
    if found is None:
        return name
    kind, layer, backwards = found.groups()
    return f"directions.{2 * int(layer) + bool(backwards)}.{kind}_l0"


def train(example: Any, data: Any, alphabet: Any, epochs: int) -> Callable[[Any, Any], Any]:
    """As the example does it; what it hears after so many epochs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, codes = example.sayable(data, alphabet)
    cr.manual_seed(0)
    first = example.network(data, alphabet).state_dict()
    model = Listener(example, len(alphabet.letters))
    model.load_state_dict({renamed(k): torch.from_numpy(np.array(v)) for k, v in first.items()})
    total = epochs * sum(1 for _ in example.batches(data, codes, 0))
    schedule = optim.schedule.OneCycle(example.RATE_OF_LEARNING, total)
    adam = torch.optim.AdamW(model.parameters(), weight_decay=example.WEIGHT_DECAY)
    done = 0
    for epoch in range(epochs):
        begun, losses = time.perf_counter(), []
        for batch in example.batches(data, codes, epoch):
            for group in adam.param_groups:
                group["lr"] = schedule.lr_at(done)
            clips, steps = torch.from_numpy(batch.clips), torch.from_numpy(batch.steps).long()
            letters, counts = torch.from_numpy(batch.codes), torch.from_numpy(batch.letters)
            adam.zero_grad()
            scores = model(clips, steps).transpose(0, 1)
            loss = F.ctc_loss(scores, letters, steps, counts, zero_infinity=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), example.LONGEST_GRADIENT)
            adam.step()
            losses.append(loss.item())
            done += 1
        took = f"{time.perf_counter() - begun:.0f} s"
        print(f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.3f}  {took}", flush=True)
    model.eval()

    def listen(clips: Any, steps: Any) -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(clips), torch.from_numpy(steps).long()).numpy()

    return listen
