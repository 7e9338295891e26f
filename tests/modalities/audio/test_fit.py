"""From a folder of recordings to a run, and back from the run to predictions."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

import chainrule as cr
from chainrule.cli.app import app
from chainrule.data.audio import read_audio
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.audio.kind import AUDIO
from chainrule.modalities.audio.predictor import AudioPredictor
from chainrule.modalities.audio.prepare import speaker_of, split_recordings
from chainrule.modalities.audio.settings import AudioDataSettings, AudioSettings, FeatureSettings
from chainrule.report import report_html
from chainrule.runs.listeners import Listener
from chainrule.runs.modality import PARTS
from chainrule.train import Callback, Scores
from modalities.audio.conftest import EPOCHS, FAST, RATE, WORDS, record, train


def test_sounds_are_recognised(learned: AudioPredictor, others: Path) -> None:
    assert learned.classes == WORDS
    assert learned.metrics["accuracy"] > 0.9
    assert learned.evaluate(others)["accuracy"] > 0.9
    shares = learned.predict_proba(others)
    assert shares.shape == (24, 3)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert (learned.predict(others) == np.array(WORDS, object)[shares.argmax(1)]).all()


def test_sources_give_the_same_answers(learned: AudioPredictor, others: Path) -> None:
    recordings = read_audio(others)
    whole = learned.predict_proba(others)
    clips = [recordings[i] for i in range(len(recordings))]
    np.testing.assert_array_equal(learned.predict_proba(clips), whole)
    np.testing.assert_array_equal(learned.predict_proba(others / "flat"), whole[8:16])
    one = learned.predict_proba(others / "up" / "s3_0.wav")
    np.testing.assert_allclose(one, whole[19:20], atol=1e-6)
    labels = [recordings.classes[k] for k in recordings.labels]
    assert learned.evaluate((clips, labels)) == learned.evaluate(others)


def test_a_run_comes_back(learned: AudioPredictor, others: Path) -> None:
    assert learned.run is not None
    loaded = cr.load_run(learned.run)
    assert isinstance(loaded, AudioPredictor)
    np.testing.assert_array_equal(loaded.predict_proba(others), learned.predict_proba(others))
    assert loaded.metrics == learned.metrics
    assert loaded.settings == learned.settings


class Stop(Callback):
    """Ctrl-C after the fourth epoch."""

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)


class Stopping(Listener):
    def callbacks(self, epochs: int) -> list[Callback]:
        return [Stop()]


def test_an_ended_run_goes_on_to_the_same_bits(
    learned: AudioPredictor, sounds: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(sounds, tmp_path, speaker="([^/]+)_", listener=Stopping())
    (run,) = tmp_path.iterdir()
    resumed = cr.resume(run, verbose=False)
    assert resumed.metrics == learned.metrics
    for name, value in learned.model.state_dict().items():
        np.testing.assert_array_equal(resumed.model.state_dict()[name], value)


def test_changed_recordings_are_refused(
    learned: AudioPredictor, others: Path, tmp_path: Path
) -> None:
    assert learned.run is not None
    run = shutil.copytree(learned.run, tmp_path / "run")
    with pytest.raises(StateError, match="not the same as when"):
        cr.resume(run, others, epochs=EPOCHS + 1, verbose=False)
    text = (run / "pipeline.json").read_text()
    (run / "pipeline.json").write_text(text.replace('"down"', '"dawn"'))
    with pytest.raises(StateError, match=r"pipeline\.json is not the one"):
        cr.load_run(run)


# ------------------------------------------------------------------------------- speakers


def test_no_speaker_is_in_two_parts(sounds: Path, tmp_path: Path) -> None:
    recordings = read_audio(sounds)
    pattern = "([^/]+)_"
    for data in (
        AudioDataSettings(speaker=pattern),
        AudioDataSettings(speaker=pattern, fold=(2, 3)),
    ):
        split = split_recordings(recordings, data, 0)
        parts = [
            {speaker_of(recordings.paths[i], pattern) for i in rows}
            for rows in (split.train, split.val, split.test)
        ]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts)) == 14
        assert sorted(np.concatenate([split.train, split.val, split.test])) == list(range(126))
    for regex, message in (
        ("^down", "finds 2 speakers: '', 'down'"),
        ("nobody", "finds 1 speaker: ''"),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            split_recordings(recordings, AudioDataSettings(speaker=regex), 0)
    with pytest.raises(ConfigError, match="is no regular expression"):
        AudioDataSettings(speaker="(")


def test_a_folder_without_classes_is_refused(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="have no classes"):
        train(sounds / "up", None)
    shutil.copytree(sounds / "up", tmp_path / "one" / "up")
    with pytest.raises(DataError, match="have one class, up"):
        train(tmp_path / "one", None)


def test_what_is_no_sound_is_left_out_of_predictions(
    learned: AudioPredictor, others: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(others / "up", tmp_path / "up")
    (folder / "s1_0.wav").write_bytes(b"")
    soundfile.write(folder / "silence.wav", np.zeros(RATE, np.int16), RATE)
    soundfile.write(folder / "fast.wav", np.zeros((9, 2), np.int16), 48_000)
    assert learned.recordings(folder).paths[:3] == ("fast.wav", "s0_0.wav", "s2_0.wav")
    assert [f.code for f in learned.last_findings] == ["D502", "D509"]
    assert len(learned.predict(folder)) == 9


def test_long_recordings_are_cropped_to_their_loudest_part(others: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(others, tmp_path / "long")
    name = folder / "up" / "s0_0.wav"
    samples = soundfile.read(name, dtype="int16")[0]
    quiet = np.zeros(3 * RATE, np.int16)
    soundfile.write(name, np.concatenate([quiet, samples, quiet]), RATE)
    settings = AudioSettings(data=AudioDataSettings(path=str(folder), length=0.3))
    opened = AUDIO.open(settings, None, None)
    prepared = opened.prepare(opened.settings, None)
    assert [f.code for f in prepared.findings] == ["D111", "D512"]
    assert prepared.findings[1].evidence == "1 of 24: up/s0_0.wav"
    assert all(prepared.source(part).arrays[0].any(axis=1).all() for part in PARTS)


def test_the_worst_mistakes_are_shown_as_the_network_saw_them(others: Path) -> None:
    settings = AudioSettings(
        data=AudioDataSettings(path=str(others), length=0.3),
        features=FeatureSettings(bands=16),
    )
    opened = AUDIO.open(settings, None, None)
    prepared = opened.prepare(opened.settings, None)
    wrong = np.eye(3)[(prepared.truth + 1) % 3]
    mistakes = AUDIO.evaluation(prepared, Scores(wrong, "softmax"))["mistakes"]
    assert len(mistakes) == len(prepared.truth)
    head, _, content = mistakes[0]["image"].partition(",")
    assert head == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert pixels.shape == (16, 1 + int(0.3 * 1000 / 20))
    assert pixels.max() == 255
    assert pixels[8:].mean() > pixels[:8].mean()  # a low tone is at the bottom


def test_the_length_is_that_of_the_longest_up_to_two_seconds() -> None:
    for longest, seconds in ((2000, 0.25), (2050, 0.26), (80_000, 2.0), (10, 0.05)):
        assert AudioSettings().resolved(100, RATE, longest).data.length == seconds


# -------------------------------------------------------------------------------- commands


def run_command(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_line(
    learned: AudioPredictor, sounds: Path, others: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    out = run_command("train", str(sounds), "--speaker", "([^/]+)_", "--epochs", str(EPOCHS), *FAST)
    run = Path(out.strip())
    assert (run / "report.html").exists()
    # An equal seed: the same bits, whoever asks.
    for name, value in learned.model.state_dict().items():
        np.testing.assert_array_equal(cr.load_run(run).model.state_dict()[name], value)
    spoken = run_command("predict", str(run), str(others / "up" / "s0_0.wav"))
    head, line = spoken.strip().split("\n")
    assert head == "path,prediction,probability"
    assert line.startswith("s0_0.wav,up,0.")
    assert "accuracy" in run_command("eval", str(run), str(others))
    assert "of 0.3 s at 8,000 Hz" in run_command("runs", "show", str(run))


def test_a_report_speaks_of_recordings(learned: AudioPredictor) -> None:
    assert learned.run is not None
    page = report_html(learned.run)
    assert "recordings" in page
    assert "ds-cnn" in page


def test_a_folder_of_both_kinds_asks_which(sounds: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sounds, tmp_path / "both")
    (folder / "up" / "cover.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="may be images or audio"):
        cr.fit(folder, runs_dir=None, verbose=False)


def test_a_new_word_is_refused_in_evaluation(learned: AudioPredictor, tmp_path: Path) -> None:
    folder = record(tmp_path / "more", 1, 1, 2)
    (folder / "up").rename(folder / "over")
    with pytest.raises(DataError, match="unknown classes in more: over"):
        learned.evaluate(folder)
