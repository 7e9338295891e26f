"""Random changes of sound inside the compiled step, so that training never waits for them.

16-bit samples go in and come out, so any network that takes sound takes changed one. All random
numbers come from the generator of the program: the same seed gives the same sound, with any number
of threads, and a resumed training continues with the draws of one that never stopped.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import ConfigError, DTypeError, ShapeError
from ...frontend import Tensor, no_grad
from ...frontend.operations.arithmetic import clamp, exp, sqrt, where
from ...frontend.operations.creation import iota
from ...frontend.random import rand
from ...ir.types import DType
from ...nn import functional as F

__all__ = ["Augment"]

#: the least and greatest sample
LOWEST, HIGHEST = -32768.0, 32767.0


class Augment:
    """Changes each clip of a batch at random::

        augment = Augment(shift=1600, speed=0.1, gain=6, noise=0.1)
        Trainer(model, "cross_entropy", optimizer, transform=augment).fit((clips, labels))

    Clips are int16 [N, samples]. In this order:

    * ``speed`` s plays each 1 - s to 1 + s times as fast (and as high), around its middle, with
      linear interpolation; ``shift`` moves it by up to this many samples. Zeros come in;
    * ``gain`` makes it up to this many decibels louder or softer;
    * ``noise`` n adds white noise whose deviation is 0 to n times the root mean square of the clip.
    * ``label_smoothing`` spreads part of the target over all ``classes`` (Szegedy et al., 2016).

    What exceeds 16 bits is clipped, as recorders do. Raises ConfigError for settings out of range
    and, when called, DTypeError or ShapeError for anything but a batch of clips.
    """

    def __init__(
        self,
        *,
        shift: int = 0,
        speed: float = 0.0,
        gain: float = 0.0,
        noise: float = 0.0,
        label_smoothing: float = 0.0,
        classes: int = 0,
    ) -> None:
        self.shift, self.speed, self.gain, self.noise = shift, speed, gain, noise
        self.label_smoothing, self.classes = label_smoothing, classes
        for name, most in (
            ("shift", 1e6), ("speed", 0.5), ("gain", 60.0), ("noise", 10.0),
            ("label_smoothing", 1.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise ConfigError(f"{name} is {value!r}", help=f"give a number from 0 to {most:g}")
        if label_smoothing and classes < 2:
            raise ConfigError(
                f"label_smoothing needs the number of classes, which is {classes}",
                help="pass it, for example classes=10",
            )

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The changed batch."""
        if x.ndim != 2:
            raise ShapeError(f"sound has shape {x.shape}", help="give [N, samples]")
        if x.dtype is not DType.i16:
            raise DTypeError(f"sound is {x.dtype!r}", help="give 16-bit samples: int16")
        with no_grad():
            if self.shift or self.speed or self.gain or self.noise:
                changed = self._noisy(self._louder(self._moved(x)))
                # Halves go up; truncation below zero is kept away by adding whole numbers.
                whole = (clamp(changed, LOWEST, HIGHEST) + (0.5 - LOWEST)).int() + int(LOWEST)
                x = whole.to(np.int16)
            return x, self._smoothed(target)

    def _moved(self, x: Tensor) -> Tensor:
        count, samples = x.shape
        if not (self.shift or self.speed):
            return x.float()
        place = iota((1, samples), 1).float()
        if not self.speed:
            return _at(x, place.int() + (_around_zero(count) * float(self.shift)).int()).float()
        middle = (samples - 1) / 2
        moved = (place - middle) * (1.0 + _around_zero(count) * self.speed) + middle
        moved = moved + _around_zero(count) * float(self.shift)
        # Truncation is towards zero: far enough to the right, everything is positive.
        room = 2 * samples + int(self.shift)
        before = (moved + float(room)).int() - room
        first, second = _at(x, before).float(), _at(x, before + 1).float()
        return first + (second - first) * (moved - before.float())

    def _louder(self, x: Tensor) -> Tensor:
        if not self.gain:
            return x
        return x * exp(_around_zero(x.shape[0]) * (self.gain * math.log(10.0) / 20.0))

    def _noisy(self, x: Tensor) -> Tensor:
        if not self.noise:
            return x
        level = sqrt((x * x).mean(1, keepdim=True)) * rand(x.shape[0], 1) * self.noise
        # Uniform noise sounds like normal noise of the same deviation, and costs half.
        return x + (2.0 * rand(*x.shape) - 1.0) * (level * math.sqrt(3.0))

    def _smoothed(self, target: Tensor) -> Tensor:
        if not self.label_smoothing:
            return target
        shares = F.one_hot(target, self.classes).float()
        return shares * (1.0 - self.label_smoothing) + self.label_smoothing / self.classes

    def __repr__(self) -> str:
        changes = {k: v for k, v in vars(self).items() if v and k != "classes"}
        return f"Augment({', '.join(f'{k}={v!r}' for k, v in changes.items())})"


def _around_zero(count: int) -> Tensor:
    """A number from -1 to 1 for each clip."""
    return 2.0 * rand(count, 1) - 1.0


def _at(x: Tensor, place: Tensor) -> Tensor:
    """``x[i, place]`` of each clip i, 0 outside."""
    count, samples = x.shape
    clip = iota((count, 1), 0) * samples
    index = (clip + clamp(place, 0, samples - 1)).reshape(count * samples)
    values = x.reshape(count * samples).index_select(0, index).reshape(count, samples)
    return where((place >= 0) & (place < samples), values, 0)
