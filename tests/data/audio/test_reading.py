"""Sound files of all kinds, good and bad ones, as 16-bit samples."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from chainrule.data.audio import Recordings, is_audio_source, read_audio
from chainrule.data.audio.reading import BUNDLED_AUDIO
from chainrule.errors import ConfigError, DataError

RATE = 8000
TONE = np.rint(8000 * np.sin(np.arange(RATE // 4) * 0.5)).astype(np.int16)


def write(path: Path, samples: NDArray[np.generic] = TONE, rate: int = RATE, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **how)
    return path


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Two words, three recordings each."""
    for word in ("no", "yes"):
        for i in range(3):
            write(tmp_path / "words" / word / f"{i}.wav", (TONE // (i + 1)).astype(np.int16))
    return tmp_path / "words"


def codes(recordings: Recordings) -> dict[str, str]:
    return {f.code: f.evidence for f in recordings.findings}


def test_a_folder_for_each_word(words: Path) -> None:
    recordings = read_audio(words)
    assert recordings.classes == ("no", "yes")
    assert recordings.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert recordings.paths[4] == "yes/1.wav"
    assert recordings.rate == RATE
    assert recordings.findings == ()
    np.testing.assert_array_equal(recordings[4], TONE // 2)
    assert recordings.seconds == 6 * 0.25
    alone = read_audio(words, labelled=False)
    assert (alone.classes, len(alone)) == ((), 6)


@pytest.mark.parametrize(
    ("ending", "subtype", "exact"),
    [("wav", "PCM_16", True), ("flac", "PCM_16", True), ("aiff", "PCM_16", True),
     ("wav", "PCM_24", True), ("wav", "FLOAT", True), ("wav", "PCM_U8", False),
     ("wav", "ULAW", False), ("ogg", "VORBIS", False), ("ogg", "OPUS", False)],
)  # fmt: skip
def test_formats(tmp_path: Path, ending: str, subtype: str, exact: bool) -> None:
    tone = TONE / 32768.0 if subtype == "FLOAT" else TONE
    path = write(tmp_path / f"a.{ending}", tone, subtype=subtype)
    samples = read_audio(path, rate=RATE)[0]
    if exact:
        np.testing.assert_array_equal(samples, TONE)
    else:
        middle = slice(400, 1600)
        assert abs(len(samples) - len(TONE)) < 200
        similarity = np.corrcoef(samples[middle].astype(float), TONE[middle])[0, 1]
        assert similarity > 0.98


def test_channels_are_averaged_and_rates_made_one(words: Path) -> None:
    other = (TONE // 2).astype(np.int16)
    write(words / "no" / "stereo.wav", np.stack([TONE, other], axis=1))
    write(words / "yes" / "fast.wav", np.repeat(TONE, 2), 2 * RATE)
    recordings = read_audio(words)
    stereo = recordings[recordings.paths.index("no/stereo.wav")]
    np.testing.assert_allclose(stereo, (TONE.astype(float) + other) / 2, atol=1)
    assert recordings.lengths.tolist() == [len(TONE)] * 8
    assert codes(recordings) == {
        "D503": "1 files: no/stereo.wav", "D504": "7 of 8,000, 1 of 16,000"
    }  # fmt: skip


def test_the_rate_is_that_of_most_files_within_limits(tmp_path: Path) -> None:
    for rate, auto in ((44_100, 16_000), (11_025, 11_025), (4_000, 8_000)):
        assert read_audio(write(tmp_path / f"{rate}.wav", rate=rate)).rate == auto
    assert read_audio(write(tmp_path / "a.wav"), rate=22_050).rate == 22_050
    with pytest.raises(ConfigError, match="the rate is 5"):
        read_audio(tmp_path / "a.wav", rate=5)


# ------------------------------------------------------------------------------- bad input


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def endless(path: Path) -> None:
    """A header that claims 14 hours, in a file of that many zeros that are not on the disk."""
    head = path.read_bytes()[:44]
    size = 2 * RATE * 50_000
    path.write_bytes(head[:4] + struct.pack("<I", size + 36) + head[8:40] + struct.pack("<I", size))
    os.truncate(path, size + 44)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_text("no sound at all"), "it is no sound file, or damaged"),
        (lambda path: write(path, TONE[:0]), "it holds no sound: its length is zero"),
        (endless, "it claims to last 13.9 hours"),
        (lambda path: write(path, np.full(100, np.nan), subtype="FLOAT"), "it holds NaN"),
    ],
)
def test_files_without_sound_are_named(words: Path, damage: object, reason: str) -> None:
    bad = words / "no" / "0.wav"
    damage(bad)  # type: ignore[operator]
    recordings = read_audio(words, most_bad=0.5)
    assert len(recordings) == 5
    assert codes(recordings)["D502"].startswith(f"1 of 6: no/0.wav: {reason}")
    with pytest.raises(DataError, match="1 of 6 recordings are unreadable") as caught:
        read_audio(words)
    assert caught.value.where.startswith(f"{bad}: {reason}")
    with pytest.raises(DataError, match="1 of 1 recordings are unreadable"):
        read_audio(bad)


def test_a_file_that_was_cut_off_gives_what_is_there(words: Path) -> None:
    cut_off(words / "no" / "0.wav")
    recordings = read_audio(words)
    assert codes(recordings) == {"D505": "1 files: no/0.wav"}
    np.testing.assert_array_equal(recordings[0], TONE[: (1000 - 44) // 2])


def test_a_flac_file_that_was_cut_off_is_named(words: Path) -> None:
    noise = np.random.default_rng(0).integers(-9999, 9999, 20_000).astype(np.int16)
    cut = write(words / "no" / "0.flac", noise)
    cut.write_bytes(cut.read_bytes()[:9000])
    found = codes(read_audio(words, most_bad=0.5))
    assert "no/0.flac" in found.get("D502", "") + found.get("D505", "")


def test_silent_and_clipped_recordings_are_named(words: Path) -> None:
    write(words / "no" / "0.wav", np.full(2000, 5, np.int16))
    loud = np.clip(TONE.astype(int) * 8, -32768, 32767).astype(np.int16)
    write(words / "yes" / "1.wav", loud)
    assert codes(read_audio(words)) == {"D509": "1 of 6: no/0.wav", "D511": "1 of 6: yes/1.wav"}


def test_ogg_beyond_full_scale_does_not_wrap_around(tmp_path: Path) -> None:
    square = np.where(np.sin(np.arange(8000) * 0.05) > 0, 32767, -32768).astype(np.int16)
    samples = read_audio(write(tmp_path / "a.ogg", square), rate=RATE)[0]
    flat = np.abs(np.diff(np.flatnonzero(np.abs(np.diff(samples.astype(int))) > 20_000)))
    assert len(flat) == 0 or flat.min() > 20  # jumps only where the square has them


def test_folders(tmp_path: Path, words: Path) -> None:
    (words / "empty").mkdir()
    (words / "notes.txt").write_text("")
    write(words / "loose.wav")
    outside = write(tmp_path / "outside.wav")
    (words / "no" / "link.wav").symlink_to(outside)
    os.mkfifo(words / "yes" / "pipe.wav")
    assert codes(read_audio(words)) == {
        "D501": "2 files: pipe.wav, notes.txt", "D506": "empty", "D507": "link.wav",
        "D508": "1 files: loose.wav",
    }  # fmt: skip
    (tmp_path / "none").mkdir()
    for source, message in (
        (tmp_path / "none", "is a folder without recordings"),
        (tmp_path / "missing", "no such file or folder"),
        (words / "notes.txt", "notes.txt is no sound file"),
        (3, "int is no sound"),
    ):
        with pytest.raises(DataError, match=message):
            read_audio(source)


def test_without_soundfile_the_extra_is_named(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigError, match="need the soundfile package") as caught:
        read_audio(words)
    assert caught.value.help == 'pip install "chainrule[audio]"'


# ---------------------------------------------------------------------------- other sources


def test_arrays() -> None:
    recordings = read_audio([TONE, (TONE / 32768.0)[:500]], ["b", "a"], rate=RATE)
    assert recordings.classes == ("a", "b")
    assert recordings.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(recordings[1], TONE[:500])
    for clips, labels, message in (
        ([TONE.astype(np.int32)], None, "a recording is int32, not 16-bit samples"),
        ([TONE * 1.0], None, "a recording is float64"),
        ([TONE[None]], None, r"a recording has shape \(1, 2000\)"),
        ([], None, "are empty"),
        ([TONE], ["a", "b"], "got 1 recordings, but labels of shape"),
    ):
        with pytest.raises(DataError, match=message):
            read_audio(clips, labels)


def test_clips_of_one_length() -> None:
    loud = np.concatenate([np.zeros(3000, np.int16), TONE, np.zeros(1000, np.int16)])
    clips = read_audio([TONE[:1000], loud], rate=RATE).fixed(2000)
    np.testing.assert_array_equal(clips[0, 500:1500], TONE[:1000])
    assert not clips[0, :500].any()
    np.testing.assert_array_equal(clips[1], TONE)


def test_the_bundled_digits() -> None:
    [name] = BUNDLED_AUDIO
    digits = read_audio(name)
    assert (len(digits), digits.rate) == (480, 8000)
    assert digits.classes[:3] == ("zero", "one", "two")
    assert np.bincount(digits.labels).tolist() == [48] * 10
    assert len({path.split("/")[0] for path in digits.paths}) == 48
    assert digits.lengths.min() > 1000
    assert digits.silent() == []
    assert digits.copies() == 0
    half = read_audio(name, rate=4000)
    assert abs(half.seconds - digits.seconds) < 0.01


def test_what_means_sound(words: Path, tmp_path: Path) -> None:
    for source in (words, words / "no" / "0.wav", *BUNDLED_AUDIO):
        assert is_audio_source(source) == 1
    for other in ("", "heart", tmp_path / "table.csv", 3, None):
        assert is_audio_source(other) == 0
