"""From a table of files and transcripts to a run that writes down what it hears."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import chainrule as cr
from chainrule import nn
from chainrule.cli.app import app
from chainrule.data.audio import Recordings
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.audio.fit import fit_audio
from chainrule.modalities.audio.kind import AUDIO
from chainrule.modalities.audio.network import Features
from chainrule.modalities.audio.predictor import AudioPredictor
from chainrule.modalities.audio.prepare import feature_moments
from chainrule.modalities.audio.settings import AudioDataSettings, AudioSettings
from chainrule.modalities.audio.source import TranscriptSource, steps_of
from chainrule.modalities.audio.transcribing import (
    TranscriptLoss,
    TranscriptPreprocessor,
    WritingNetwork,
)
from chainrule.report import report_html
from chainrule.train.batch_source import host_batch

RATE = 8000
TONES = {"a": 500, "b": 1100, "c": 2300}
SMALL = ("model.name=gru", "model.hidden=24", "model.layers=1", "model.dropout=0",
         "features.bands=20", "train.lr=0.01", "augment.time_masks=0",
         "augment.band_masks=0")  # fmt: skip


def say(text: str, rng: np.random.Generator) -> np.ndarray:
    """A tone for each letter, with pauses."""
    parts = []
    for letter in text:
        time = np.arange(int(rng.integers(900, 1300))) / RATE
        tone = np.sin(2 * np.pi * TONES.get(letter, 3100) * time) * np.hanning(len(time))
        parts += [8000 * tone, np.zeros(int(rng.integers(200, 400)))]
    sound = np.concatenate([*parts, np.zeros(200)])
    return np.rint(sound + rng.standard_normal(len(sound)) * 100).astype(np.int16)


def write(folder: Path, texts: list[str], seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir()
    rows = [(f"{i}.wav", text) for i, text in enumerate(texts)]
    for name, text in rows:
        soundfile.write(folder / name, say(text.strip("!"), rng), RATE)
    with (folder / "said.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "said"), *rows])
    return folder / "said.csv"


def words(count: int) -> list[str]:
    rng = np.random.default_rng(1)
    return ["".join(rng.choice(list(TONES), rng.integers(1, 3))) for _ in range(count)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("spoken") / "words", words(120))


@pytest.fixture(scope="module")
def writer(table: Path, tmp_path_factory: pytest.TempPathFactory) -> AudioPredictor:
    return fit_audio(
        table, task="transcription", target="said", epochs=12, settings=SMALL,
        runs_dir=tmp_path_factory.mktemp("runs"), verbose=False,
    )  # fmt: skip


def test_letters_are_written_down(writer: AudioPredictor, table: Path) -> None:
    assert writer.task == "transcription"
    assert writer.metrics["cer"] < 0.1
    assert writer.baseline == {"cer": 1.0, "wer": 1.0}
    assert writer.evaluate(table)["cer"] < 0.1
    assert writer.preprocessor.letters == "abc"  # type: ignore[union-attr]


def test_any_length_may_be_heard(writer: AudioPredictor, table: Path) -> None:
    """Longer than all of training, and with others in a batch or alone."""
    rng = np.random.default_rng(3)
    clips = [say(text, rng) for text in ("abcabcab", "c", "ab")]
    heard = writer.predict(clips)
    assert heard.tolist() == ["abcabcab", "c", "ab"]
    assert writer.predict(clips[1:2]).tolist() == ["c"]


def test_what_is_heard_does_not_depend_on_the_padding(writer: AudioPredictor) -> None:
    """The same outputs alone, in a batch, and padded to several times the length."""
    rng = np.random.default_rng(4)
    clips = Recordings.of_arrays([say(text, rng) for text in ("ab", "c", "abcab")], RATE)
    hop, room = RATE * writer.settings.hop // 1000, writer.settings.room(RATE)

    def outputs(recordings: Recordings, *bounds: int) -> np.ndarray:
        longest = int(recordings.lengths.max())
        source = TranscriptSource(recordings, longest, hop, room, bounds=bounds)
        return writer.scores_of(source).outputs

    together = outputs(clips)
    padded = outputs(clips, 40_000)
    steps = steps_of(clips.lengths, hop)
    assert padded.shape[1] > 2 * together.shape[1]
    for i, n in enumerate(steps.tolist()):
        alone = outputs(clips.take([i]))
        for other in (together, padded):
            np.testing.assert_allclose(other[i, :n], alone[0, :n], rtol=1e-3, atol=1e-4)
            assert not other[i, n:].any()


def test_learning_does_not_depend_on_the_padding() -> None:
    """In training, where batch statistics count: gradients and running statistics of two clips of
    different length, padded a little and to several times the length."""
    rng = np.random.default_rng(5)
    clips = Recordings.of_arrays([say(text, rng) for text in ("abcb", "c")], RATE)
    target = np.array([[0, 4, 1, 2, 3, 2], [0, 1, 3, 1, 1, 1]], np.int32)
    target[:, 0] = steps_of(clips.lengths, 160)
    assert target[0, 0] > 2 * target[1, 0]
    rows = np.arange(2, dtype=np.int32)

    def learned(*bounds: int) -> dict[str, np.ndarray]:
        longest = int(clips.lengths.max())
        source = TranscriptSource(clips, longest, 160, 288, target, bounds)
        samples, steps, wanted = host_batch(source, rows)
        cr.manual_seed(0)
        features = Features(nn.MelSpectrogram(RATE, 256, 256, 160, n_mels=20), 0)
        scaling = [-4.0] * 20, [3.0] * 20
        model = WritingNetwork(features, scaling, None, 3, hidden=6, layers=1, dropout=0.0)
        outputs = model(cr.tensor(samples), cr.tensor(steps))
        TranscriptLoss()(outputs, cr.tensor(wanted)).backward()
        gradients = {n: p.grad.numpy() for n, p in model.named_parameters()}
        return gradients | {n: b.numpy() for n, b in model.named_buffers() if "running" in n}

    close, far = learned(), learned(40_000)
    assert sum("running" in name for name in close) == 4
    for name, value in close.items():
        np.testing.assert_allclose(far[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


def test_scaling_may_leave_out_the_padding() -> None:
    rng = np.random.default_rng(6)
    clips = Recordings.of_arrays([say(text, rng) for text in ("abc", "c", "bb")], RATE)
    features = Features(nn.MelSpectrogram(RATE, 256, 256, 160, n_mels=20), 0)
    longest = int(clips.lengths.max())
    close, far = (
        feature_moments(features, clips, longest + more, padded=False) for more in (300, 30_000)
    )
    assert close == far
    mean, _ = feature_moments(features, clips, longest + 30_000)
    assert max(mean) < min(close[0])  # that of silence, nearly


def test_batches_are_as_long_as_their_recordings(table: Path) -> None:
    prepared = prepared_of(table)
    source = prepared.train
    assert 2 <= len(source.bounds) <= 8
    assert source.bounds[:-1] == prepared.validation.bounds[:-1]
    clips, steps, target = host_batch(source, np.array([int(source.lengths.argmin())], np.int32))
    assert clips.shape == (1, source.bounds[0])
    assert (target[:, 0] == steps).all()


def test_a_run_comes_back(writer: AudioPredictor, table: Path) -> None:
    assert writer.run is not None
    loaded = cr.load_run(writer.run)
    assert loaded.metrics == writer.metrics
    assert loaded.predict(table.parent / "0.wav").tolist() == [words(1)[0]]
    page = report_html(writer.run)
    assert "Worst transcripts" in page or "Typical transcripts" in page
    assert re.search(r"<td[^>]*>\d+\.wav</td>", page)
    result = CliRunner().invoke(app, ["predict", str(writer.run), str(table.parent / "0.wav")])
    head, line = result.stdout.strip().split("\n")
    assert head == "path,prediction,probability"
    assert line.startswith(f"0.wav,{words(1)[0]},0.")


def test_a_table_is_sound_only_if_transcripts_are_wanted(table: Path) -> None:
    assert AUDIO.recognises(str(table)) == 0.5
    with pytest.raises(DataError, match="transcripts come from a table"):
        fit_audio([np.ones(9, np.int16)], task="transcription", runs_dir=None, verbose=False)


def prepared_of(table: Path, **data: object) -> Any:
    settings = AudioSettings(
        data=AudioDataSettings(path=str(table), task="transcription", target="said", **data)
    )
    opened = AUDIO.open(settings, None, None)
    return opened.prepare(opened.settings, None)


def test_what_cannot_be_learned_is_named(tmp_path: Path) -> None:
    texts = [*words(40), "", "?"]
    path = write(tmp_path / "words", [*texts[:40], "a", "b"])
    lines = path.read_text().splitlines()
    lines[3] = lines[3].split(",")[0] + "," + "ab" * 60  # far more letters than there is time for
    lines[41] = lines[41].split(",")[0] + ",?!"
    lines[42] = lines[42].split(",")[0] + ",xyz"
    path.write_text("\n".join(lines) + "\n")
    codes: dict[str, str] = {}
    for seed in range(8):
        settings = AudioSettings(
            seed=seed,
            data=AudioDataSettings(path=str(path), task="transcription", target="said"),
        )
        opened = AUDIO.open(settings, None, None)
        prepared = opened.prepare(opened.settings, None)
        codes |= {f.code: f.evidence for f in prepared.findings}
        losses = prepared.target("train")
        assert (losses[:, 1] > 0).all()
        if {"D514", "D515"} <= codes.keys():
            break
    assert codes["D513"] == "1 of 42: line 42"
    assert codes["D514"].endswith("training recordings: 2.wav")
    assert codes["D515"] == "'x', 'y', 'z'"


def test_settings_that_do_not_suit_transcripts(table: Path) -> None:
    with pytest.raises(ConfigError, match=r"`data\.test` is for classes"):
        prepared_of(table, test="other.csv")
    with pytest.raises(ConfigError, match=r"`model\.name` is 'bc-resnet'"):
        fit_audio(
            table, task="transcription", target="said", network="bc-resnet", runs_dir=None,
            verbose=False,
        )  # fmt: skip
    with pytest.raises(StateError, match="does not belong to a run on transcripts"):
        TranscriptPreprocessor.from_json(
            TranscriptPreprocessor(8000, 100, "aa", (0.0,), (1.0,)).to_json(), "here"
        )


def test_steps_are_half_of_the_frames() -> None:
    assert steps_of(np.array([0, 159, 160, 320, 1600]), 160).tolist() == [1, 1, 1, 2, 6]
