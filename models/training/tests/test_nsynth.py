"""NSynth's own form, from a tiny dataset written here."""

import json
import wave

import numpy as np
import pytest

from betwixt_training import nsynth
from betwixt_training.dataset import NoteRenderer
from betwixt_training.notes import nsynth_notes
from betwixt_training.soundfont import NOTE_SAMPLES

NAME = "organ_electronic_000-069-100"
FIELDS = {
    "note": 12, "note_str": NAME, "instrument": 3, "instrument_str": "organ_electronic_000", "pitch": 69,
    "velocity": 100,
    "sample_rate": 16000, "qualities": [0, 1, 0, 0, 0, 0, 0, 1, 0, 0], "qualities_str": ["dark", "percussive"],
    "instrument_family": 6, "instrument_family_str": "organ", "instrument_source": 1,
    "instrument_source_str": "electronic",
}  # fmt: skip


def write_wav(path, samples: np.ndarray, rate: int = 16_000, channels: int = 1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())


def tone(hz: float = 440) -> np.ndarray:
    return np.round(16_000 * np.sin(2 * np.pi * hz * np.arange(64_000) / 16_000))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audio").mkdir()
    write_wav(tmp_path / "audio" / f"{NAME}.wav", tone())
    (tmp_path / "examples.json").write_text(json.dumps({NAME: FIELDS, "bass_synthetic_001-030-025": {
        **FIELDS, "note_str": "bass_synthetic_001-030-025", "pitch": 30, "velocity": 25,
        "instrument_str": "bass_synthetic_001",
        "instrument_family_str": "bass", "instrument_source_str": "synthetic", "qualities": [0] * 10}}))  # fmt: skip
    return tmp_path


def test_a_dataset_is_read_sorted_with_its_qualities_by_name(folder):
    bass, organ = nsynth.read(folder)
    assert (bass.name, bass.pitch, bass.velocity, bass.qualities) == ("bass_synthetic_001-030-025", 30, 25, ())
    assert organ == nsynth.Entry(NAME, 69, 100, "organ_electronic_000", "organ", "electronic", ("dark", "percussive"))


def test_a_note_comes_at_48_khz_in_tune_at_its_level_and_silent_above_8_khz(folder):
    audio = nsynth.audio(folder, nsynth.read(folder)[1])
    assert audio.shape == (NOTE_SAMPLES,) and audio.dtype == np.float32
    power = np.abs(np.fft.rfft(audio * np.hanning(NOTE_SAMPLES))) ** 2
    assert power.argmax() * 48_000 / NOTE_SAMPLES == pytest.approx(440)
    assert np.abs(audio[1000:-1000]).max() == pytest.approx(16_000 / 32_768, rel=0.01)
    assert power[NOTE_SAMPLES * 8_200 // 48_000 :].sum() < 1e-5 * power.sum()


@pytest.mark.parametrize(
    "change",
    [
        {"pitch": 128}, {"pitch": "69"}, {"pitch": True}, {"velocity": 0}, {"sample_rate": 44_100},
        {"qualities": [0] * 9},
        {"qualities": [2] + [0] * 9}, {"instrument_str": None}, {"instrument_family_str": "harp"},
        {"instrument_source_str": ""},
        {"note_str": "another"},
    ],
)  # fmt: skip
def test_a_bad_field_is_refused_with_the_file_the_note_and_the_field(folder, change):
    (folder / "examples.json").write_text(json.dumps({NAME: {**FIELDS, **change}}))
    with pytest.raises(nsynth.Refused) as refusal:
        nsynth.read(folder)
    message = str(refusal.value)
    assert "examples.json" in message and NAME in message and next(iter(change)) in message and "\n" not in message


@pytest.mark.parametrize(
    "field", ["pitch", "velocity", "sample_rate", "qualities", "instrument_str", "instrument_family_str"]
)
def test_a_missing_field_is_refused_by_name(folder, field):
    (folder / "examples.json").write_text(json.dumps({NAME: {k: v for k, v in FIELDS.items() if k != field}}))
    with pytest.raises(nsynth.Refused, match=field):
        nsynth.read(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 3}', '{"../a": {}}'])
def test_a_bad_listing_is_refused(folder, text):
    (folder / "examples.json").write_text(text)
    with pytest.raises(nsynth.Refused, match="examples.json"):
        nsynth.read(folder)


def test_a_folder_without_a_listing_is_refused(tmp_path):
    with pytest.raises(nsynth.Refused, match="examples.json"):
        nsynth.read(tmp_path)


def test_bad_audio_is_refused_by_its_path(folder):
    entry = nsynth.read(folder)[1]
    path = folder / "audio" / f"{NAME}.wav"
    write_wav(path, tone(), rate=22_050)
    with pytest.raises(nsynth.Refused, match="22050 Hz"):
        nsynth.audio(folder, entry)
    write_wav(path, tone(), channels=2)
    with pytest.raises(nsynth.Refused, match="2 channel"):
        nsynth.audio(folder, entry)
    write_wav(path, tone()[:-1])
    with pytest.raises(nsynth.Refused, match="63999 samples"):
        nsynth.audio(folder, entry)
    for content in (b"", b"RIFF", b"no wave at all, not one"):
        path.write_bytes(content)
        with pytest.raises(nsynth.Refused, match=NAME):
            nsynth.audio(folder, entry)
    path.unlink()
    with pytest.raises(nsynth.Refused, match="No such file"):
        nsynth.audio(folder, entry)


def test_its_notes_join_the_training_notes(folder):
    notes = nsynth_notes(nsynth.read(folder), instruments=2)
    assert sorted((n.program, n.pitch, n.velocity) for n in notes) == [(0, 30, 25), (1, 69, 100)]
    organ = next(n for n in notes if n.pitch == 69)
    heard = NoteRenderer({}, folder).open()(organ)
    assert np.array_equal(heard, nsynth.audio(folder, nsynth.read(folder)[1]))
    assert len(nsynth_notes(nsynth.read(folder), instruments=1)) == 1
