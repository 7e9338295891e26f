"""The settings of a run on sound: ``run.toml`` with ``[data] kind = "audio"``."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from ...data.audio import BUNDLED_AUDIO
from ...errors import ConfigError
from ...frontend import Tensor
from ...nn import MelSpectrogram, SpecAugment
from ...runs.settings.document import RunSettings
from ...runs.settings.fields import About, SettingError, Within
from ...runs.settings.files import FileDataSettings
from ...runs.settings.network import Network, NetworkChoice
from ...runs.settings.section import Section
from ...runs.settings.sections import (
    Auto,
    Fold,
    ObserveSettings,
    OutputSettings,
    RunName,
    Seed,
    Split,
    SplitSeed,
)
from ...runs.settings.training import MostEpochs, OneCycleSettings, OptimizerSettings, TrainSettings
from ...runs.task import Task
from ...tasks import Multiclass, Transcription
from .augment import Augment
from .network import NETWORKS, Features

__all__ = ["AudioDataSettings", "AudioSettings", "AudioTrainSettings", "FeatureSettings"]

EPOCHS = 30
#: recordings of different lengths are brought to the longest, but at most so many seconds
LONGEST_AUTO = 2.0
#: and sentences
LONGEST_TRANSCRIBED = 15.0
#: finds the speaker of bundled recordings
BUNDLED_SPEAKER = "^[^/]+"

Amount = Annotated[float, Within(0.0, 1.0)]
Masks = Annotated[int, Within(0, 16)]


@dataclass(frozen=True)
class AudioDataSettings(FileDataSettings):
    """The recordings, and how to split them."""

    UNITS: ClassVar[str] = "recordings"
    BUNDLED: ClassVar[Container[str]] = BUNDLED_AUDIO

    kind: Annotated[Literal["audio"], About("marks a run on sound; tables leave it out")] = "audio"
    path: Annotated[str, About("a folder with one subfolder per class; relative to this file")] = ""
    test: Annotated[str, About("separate recordings to test on; empty: part is held out")] = ""
    target: Annotated[str, About("name of the predicted label; of transcripts, their column")] = (
        "word"
    )
    task: Annotated[
        Literal["multiclass", "transcription"],
        About("multiclass: one class each; transcription: what is said, from a table of files"),
    ] = "multiclass"
    rate: Annotated[
        Annotated[int, Within(1000, 192_000)] | Auto,
        About("samples per second; auto: that of most recordings, 8000 to 16000"),
    ] = "auto"
    length: Annotated[
        Annotated[float, Within(0.05, 60.0)] | Auto,
        About("seconds of each clip; auto: the longest recording, at most 2"),
    ] = "auto"
    speaker: Annotated[
        str,
        About("regular expression for the speaker in a path, its group if it has one; the parts "
              "share no speaker"),
    ] = ""  # fmt: skip
    split: Split = (0.7, 0.15, 0.15)
    fold: Fold = ()
    split_seed: SplitSeed = "auto"
    most_bad: Annotated[Amount, About("fraction of files that may be unreadable")] = 0.1

    def check(self) -> None:
        super().check()
        try:
            re.compile(self.speaker)
        except re.error as error:
            raise ConfigError(
                f"`data.speaker` is {self.speaker!r}, which is no regular expression: {error}",
                help='"^[^/]+" is the first folder of a path, "([^/]+)_" what is before a _',
            ) from None

    def samples(self, rate: int) -> int:
        """``length`` of a clip in samples, once decided."""
        assert not isinstance(self.length, str)
        return round(self.length * rate)

    @property
    def fixed_rate(self) -> int | None:
        """``rate``; None if the recordings decide."""
        return None if isinstance(self.rate, str) else self.rate


@dataclass(frozen=True)
class FeatureSettings(Section):
    """What the network sees of the sound, computed inside the compiled step: ``docs/speech.md``."""

    TABLE: ClassVar[str] = "features"

    bands: Annotated[Annotated[int, Within(1, 512)], About("bands of the mel scale")] = 40
    coefficients: Annotated[
        Annotated[int, Within(0, 512)],
        About("cepstral coefficients (MFCC) instead of bands; 0: bands"),
    ] = 0
    window: Annotated[Annotated[int, Within(1, 1000)], About("milliseconds of each frame")] = 30
    hop: Annotated[
        Annotated[int, Within(1, 1000)] | Auto,
        About("milliseconds from one frame to the next; auto: as the network likes it"),
    ] = "auto"
    lowest: Annotated[Annotated[float, Within(0.0, 20_000.0)], About("lowest frequency in Hz")] = (
        20.0
    )
    highest: Annotated[
        Annotated[float, Within(0.0, 96_000.0)], About("highest frequency in Hz; 0: half the rate")
    ] = 0.0

    def check(self) -> None:
        if self.coefficients > self.bands:
            raise ConfigError(
                f"`features.coefficients` is {self.coefficients}, but there are {self.bands} bands",
                help="there are at most as many coefficients as bands",
            )

    def window_size(self, rate: int) -> tuple[int, int]:
        """The samples of a window, and of the power of two that it lies in."""
        window = max(4, rate * self.window // 1000)
        return window, 1 << (window - 1).bit_length()

    def build(self, rate: int, hop: int) -> Features:
        """The features for sound of this ``rate``, ``hop`` milliseconds apart. SettingError for
        bands that do not exist there."""
        window, size = self.window_size(rate)
        try:
            spectrum = MelSpectrogram(
                rate, size, window, max(1, rate * hop // 1000), self.lowest, self.highest or None,
                n_mels=self.bands,
            )  # fmt: skip
        except ConfigError as error:
            raise SettingError("features.highest", error.what, help=error.help) from None
        return Features(spectrum, self.coefficients)


@dataclass(frozen=True)
class NetworkSettings(NetworkChoice):
    """The network: one of ``chainrule.nn.models``."""

    NETWORKS: ClassVar[Mapping[str, Network]] = NETWORKS
    LIMITS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "width": (0.25, 4096), "depth": (1, 32), "dropout": (0, 0.95), "hidden": (1, 8192),
        "layers": (1, 8),
    }  # fmt: skip

    name: str = "ds-cnn"


@dataclass(frozen=True)
class AugmentSettings(Section):
    """Random changes of the training recordings, drawn anew in each step: ``docs/speech.md``."""

    TABLE: ClassVar[str] = "augment"

    shift: Annotated[Annotated[float, Within(0.0, 10.0)], About("seconds to move by, at most")] = (
        0.1
    )
    speed: Annotated[
        Annotated[float, Within(0.0, 0.5)], About("play 1 plus or minus this times as fast")
    ] = 0.1
    gain: Annotated[Annotated[float, Within(0.0, 60.0)], About("decibels up or down")] = 6.0
    noise: Annotated[
        Annotated[float, Within(0.0, 10.0)], About("white noise, at most, relative to the sound")
    ] = 0.1
    time_masks: Annotated[Masks, About("stretches of time that are blanked out")] = 1
    time_mask: Annotated[Annotated[float, Within(0.0, 10.0)], About("seconds of each, at most")] = (
        0.1
    )
    band_masks: Annotated[Masks, About("stretches of bands that are blanked out")] = 1
    band_mask: Annotated[Annotated[int, Within(0, 512)], About("bands of each, at most")] = 5

    def unregularized(self) -> AugmentSettings:
        """Without any."""
        return AugmentSettings(
            shift=0.0, speed=0.0, gain=0.0, noise=0.0, time_masks=0, band_masks=0
        )

    def holes(self, hop: int) -> SpecAugment | None:
        """The holes in features ``hop`` milliseconds apart; None if there are none."""
        frames = round(1000 * self.time_mask / hop)
        holes = SpecAugment(self.time_masks, frames, self.band_masks, self.band_mask)
        return (
            holes if (self.time_masks and frames) or (self.band_masks and self.band_mask) else None
        )

    def of_transcripts(self) -> Callable[..., tuple[Tensor, ...]] | None:
        """`augment` of clips that must keep their length: gain and noise alone."""
        if not (self.gain or self.noise):
            return None
        changes = Augment(gain=self.gain, noise=self.noise)

        def changed(clips: Tensor, steps: Tensor, target: Tensor) -> tuple[Tensor, ...]:
            return changes(clips, target)[0], steps, target

        return changed

    def augment(self, rate: int, smoothing: float, classes: int) -> Augment | None:
        """The changes of the samples of batches; None if there are none."""
        if not (self.shift or self.speed or self.gain or self.noise or smoothing):
            return None
        return Augment(
            shift=round(self.shift * rate), speed=self.speed, gain=self.gain, noise=self.noise,
            label_smoothing=smoothing, classes=classes,
        )  # fmt: skip


@dataclass(frozen=True)
class AudioOptimizerSettings(OptimizerSettings):
    """The optimizer."""

    WEIGHT_DECAY: ClassVar[float] = 0.01


@dataclass(frozen=True)
class AudioTrainSettings(TrainSettings):
    """Training."""

    UNITS: ClassVar[str] = "recordings"
    LOSSES: ClassVar[tuple[str, ...]] = ("cross_entropy", "ctc")
    INSTEAD: ClassVar[Mapping[str, str]] = {
        "mixup": "use `augment.speed`", "input_noise": "use `augment.noise`"
    }  # fmt: skip
    PEAK: ClassVar[float] = 4.0

    epochs: MostEpochs = EPOCHS
    optimizer: AudioOptimizerSettings = field(default_factory=AudioOptimizerSettings)
    schedule: OneCycleSettings = field(default_factory=OneCycleSettings)

    def usual_batch_size(self, rows: int) -> int:
        """16 for up to 1,000 training recordings, 32 for up to 4,000, then 64."""
        return 16 << (rows > 1000) << (rows > 4000)


@dataclass(frozen=True)
class AudioSettings(RunSettings):
    """The settings of a run on sound. The same settings and recordings give the same bits."""

    DECIDED_BY_DATA: ClassVar[tuple[str, ...]] = ("data.rate", "data.length", "train.loss")

    name: RunName = ""
    seed: Annotated[
        Seed, About("seed of the split, initial weights, shuffling and augmentation")
    ] = 0
    data: AudioDataSettings = field(default_factory=AudioDataSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    model: NetworkSettings = field(default_factory=NetworkSettings)
    train: AudioTrainSettings = field(default_factory=AudioTrainSettings)
    observe: ObserveSettings = field(default_factory=ObserveSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @property
    def hop(self) -> int:
        """Milliseconds from one frame to the next."""
        hop = self.features.hop
        return NETWORKS[self.model.name].hop if isinstance(hop, str) else hop

    def room(self, rate: int) -> int:
        """Samples beyond the end of a clip that its last step may see: a frame, and half of a
        window."""
        return rate * self.hop // 1000 + self.features.window_size(rate)[1] // 2

    def resolved(
        self, rows: int, rate: int, longest: int, task: type[Task] = Multiclass
    ) -> AudioSettings:
        """The same without `auto`, which the task, the recordings and the number of those for
        training decide; ``longest`` is in samples. Transcripts have a network of their own."""
        model, data = self.model, self.data
        if task is Transcription:
            model = self._writing_network()
        most = LONGEST_AUTO if task is Multiclass else LONGEST_TRANSCRIBED
        seconds = max(min(-(-longest * 100 // rate) / 100, most), 0.05)
        length = seconds if data.length == "auto" else data.length
        own = replace(self, model=model, data=replace(data, rate=rate, length=length))
        return replace(
            own,
            features=replace(self.features, hop=own.hop),
            train=self.train.resolved(rows, task),
        )

    def _writing_network(self) -> NetworkSettings:
        """``gru``, wider and deeper by default. ConfigError if another one was chosen."""
        if self.model.name == "gru":
            return self.model
        if self.model.name != NetworkSettings().name:
            raise ConfigError(
                f"`model.name` is {self.model.name!r}", help="transcripts are written by gru"
            )
        return NetworkSettings("gru", {"hidden": 128, "layers": 2})
