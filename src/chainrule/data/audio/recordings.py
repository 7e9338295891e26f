"""Recordings as 16-bit samples: what `read_audio` gives, and what training takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.data.audio.decoding import CLIPPED, LOUDEST, SILENT, Samples, rounded
from chainrule.data.findings import Finding
from chainrule.data.gathering import Share
from chainrule.data.labelled import DIGEST, Labelled, Labels, codes_of
from chainrule.errors import DataError

__all__ = ["Recordings"]


@dataclass(frozen=True)
class Recordings(Labelled):
    """``samples`` holds all recordings one after the other, one channel at ``rate`` a second;
    number i goes from ``starts[i]`` to ``starts[i + 1]``. ``labels`` int32 [N] index ``classes``;
    without labels, all of them are -1. ``paths`` name each recording. If there is a ``share``,
    ``samples`` are those of its recordings alone, and ``starts`` those of all.
    """

    UNIT: ClassVar[str] = "recording"
    UNITS: ClassVar[str] = "recordings"
    COPIES: ClassVar[str] = "D510"

    name: str
    rate: int
    samples: Samples
    starts: NDArray[np.int64]
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    share: Share | None = None

    def __getitem__(self, i: int) -> Samples:
        """Recording number i, which is here."""
        first = self.starts[self.here.start]
        return self.samples[self.starts[i] - first : self.starts[i + 1] - first]

    @property
    def own(self) -> range:
        """The numbers of the recordings that are here."""
        return range(self.here.start, self.here.stop)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """In samples."""
        return np.diff(self.starts)

    @property
    def seconds(self) -> float:
        """All of them together."""
        return int(self.starts[-1]) / self.rate

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> Recordings:
        """These recordings alone; in rising order if they are divided."""
        rows = np.asarray(rows)
        share = None if self.share is None else self.share.of(rows)
        own = rows if share is None else rows[share.slice]
        samples, _ = joined([self[int(i)] for i in own])
        starts = np.cumsum([0, *self.lengths[rows]], dtype=np.int64)
        paths = tuple(self.paths[i] for i in rows)
        return replace(self, samples=samples, starts=starts, labels=self.labels[rows], paths=paths,
                       share=share)  # fmt: skip

    def whole(self) -> Recordings:
        """The same with all of them here."""
        if self.share is None:
            return self
        samples = np.empty(self.starts[-1], np.int16)
        self.share.spread(self.samples, samples)
        return replace(self, samples=samples, share=None)

    def fixed(self, length: int) -> Samples:
        """Those that are here as [N, length]: shorter ones in the middle of zeros; of longer ones
        the stretch with the most energy."""
        clips = np.zeros((len(self.own), length), np.int16)
        for clip, i in zip(clips, self.own, strict=True):
            own = self[i]
            first = loudest_stretch(own, length) if len(own) > length else 0
            own = own[first : first + length]
            before = (length - len(own)) // 2
            clip[before : before + len(own)] = own
        return clips

    def beginnings(self, length: int, size: int) -> Samples:
        """The first ``length`` samples of those that are here, and zeros, as [N, size]."""
        clips = np.zeros((len(self.own), size), np.int16)
        for clip, i in zip(clips, self.own, strict=True):
            own = self[i][:length]
            clip[: len(own)] = own
        return clips

    def silent(self) -> list[int]:
        """The numbers of recordings in which nothing is louder than -60 decibels."""
        return self._joined([i for i in self.own if _peak(self[i]) < SILENT])

    def clipped(self) -> list[int]:
        """The numbers of recordings that were too loud for their recorder."""
        counts = {
            i: np.count_nonzero(np.abs(self[i].astype(np.int32)) >= LOUDEST) for i in self.own
        }
        return self._joined([i for i, n in counts.items() if n > CLIPPED * len(self[i])])

    def _joined(self, own: list[int]) -> list[int]:
        """Numbers of recordings, wherever these are."""
        return own if self.share is None else [i for o in self.share.gathering.each(own) for i in o]

    @property
    def form(self) -> tuple[int, ...]:
        return (self.rate,)

    @property
    def nbytes(self) -> int:
        return int(self.starts[-1]) * self.samples.itemsize

    def own_digests(self) -> list[bytes]:
        return [hashlib.blake2b(self[i].data, digest_size=DIGEST).digest() for i in self.own]

    def own_fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.rate, self.classes)).encode())
        digest.update(self.samples.astype("<i2", copy=False).data)
        digest.update(self.starts.astype("<i8").tobytes())
        digest.update(self.labels.astype("<i4").tobytes())
        return f"sha256:{digest.hexdigest()}"

    @classmethod
    def of_arrays(
        cls, clips: Sequence[object], rate: int, labels: object = None, name: str = "recordings"
    ) -> Recordings:
        """From arrays of one channel each, int16 or floats from -1 to 1, sampled ``rate`` times a
        second; ``labels`` are texts or whole numbers. DataError for anything else."""
        samples = [_samples(np.asarray(clip), f"recording {i}") for i, clip in enumerate(clips)]
        paths = tuple(f"{name} {i}" for i in range(len(samples)))
        if not samples:
            raise DataError(f"the {name} are empty", help="pass at least one recording")
        codes: Labels = np.full(len(samples), -1, np.int32)
        classes: tuple[str, ...] = ()
        if labels is not None:
            codes, classes = codes_of(labels, len(samples), (cls.UNIT, cls.UNITS), where=name)
        return cls(name, rate, *joined(samples), codes, classes, paths)


def joined(clips: Sequence[Samples]) -> tuple[Samples, NDArray[np.int64]]:
    """``samples`` and ``starts`` of `Recordings`."""
    lengths = [len(clip) for clip in clips]
    samples = np.concatenate(clips) if clips else np.zeros(0, np.int16)
    return samples, np.cumsum([0, *lengths], dtype=np.int64)


def loudest_stretch(samples: Samples, length: int) -> int:
    """Where the stretch of ``length`` samples with the most energy begins."""
    energy = np.cumsum(np.concatenate([[0], samples.astype(np.int64) ** 2]))
    return int(np.argmax(energy[length:] - energy[:-length]))


def _peak(samples: Samples) -> int:
    """The distance from the mean, which is not heard, of the sample farthest from it."""
    if len(samples) == 0:
        return 0
    return int(np.abs(samples - np.rint(samples.mean())).max())


def _samples(array: NDArray[np.generic], where: str) -> Samples:
    if array.ndim != 1 or len(array) == 0:
        raise DataError(
            f"a recording has shape {array.shape}", where=where, help="pass one channel, [samples]"
        )
    if array.dtype == np.int16:
        return array.astype(np.int16, copy=False)
    if array.dtype.kind == "f" and np.isfinite(array).all() and np.abs(array).max() <= 1.0:
        return rounded(array.astype(np.float64) * 32768.0)
    raise DataError(
        f"a recording is {array.dtype}, not 16-bit samples",
        where=where,
        help="pass int16, or floats from -1 to 1 without NaN",
    )
