import numpy as np
import pytest
import torch
from conftest import tone

from betwixt_training.analysis import analyse
from betwixt_training.columns import (
    AMPLITUDE,
    BAND_COUNT,
    CENTS,
    NOISE,
    NOISE_BAND_MEANS,
    SLOT_COUNT,
    SLOTS,
    midi_to_hz,
)
from betwixt_training.front import CENTS_COLUMN, FRONT_WIDTH, LOUDNESS_COLUMN, Front
from betwixt_training.level import encoder_gain
from betwixt_training.losses import loudness_db
from betwixt_training.loudness import LOUDNESS_MIDDLE_DB, LOUDNESS_REACH_DB


def heard(audio: np.ndarray, pitch: float) -> np.ndarray:
    with torch.no_grad():
        return Front()(torch.from_numpy(audio)[None], torch.tensor([pitch]))[0].numpy()


@pytest.mark.parametrize("pitch", [38.0, 60.0, 86.0])
def test_the_front_hears_the_levels_that_the_analysis_measures(pitch):
    audio = tone(pitch, brightness=0.5, seconds=1.0)
    found = heard(audio, pitch)[30:60]
    levels = found[:, :SLOT_COUNT] * 30 - 30 + loudness(found)[:, None]
    measured = analyse(audio, pitch)[30:60, AMPLITUDE]
    for harmonic in (1, 2, 4):
        slot = int(np.nonzero(SLOTS == harmonic)[0][0])
        assert np.abs(levels[:, slot] - measured[:, slot]).max() < 0.3


@pytest.mark.parametrize("pitch", [24.0, 30.0, 40.0, 46.0, 60.0, 86.0])
def test_low_notes_heard_at_a_lower_rate_have_the_lines_of_a_plain_fourier_sum(pitch):
    audio = tone(pitch, brightness=0.8, seconds=1.2)
    f0_hz, frame = float(midi_to_hz(pitch)), 50
    window = min(max(6 * 48_000 / f0_hz, 1024), 8192)
    n = np.arange(-int(window / 2), int(window / 2) + 1)
    hann = (0.5 + 0.5 * np.cos(2 * np.pi * n / window)) * 4 / window
    turns = np.outer(SLOTS * f0_hz / 48_000, n)
    plain = np.exp(-2j * np.pi * turns) @ (hann * audio[512 * frame + n])
    plain = np.sqrt(np.abs(plain) ** 2 + 1e-10)  # the front's floor
    found = heard(audio, pitch)[frame : frame + 1]
    lines = 10 ** ((found[0, :SLOT_COUNT] * 30 - 30 + loudness(found)) / 20)
    # Neither over the highest frequency nor cut off, far above or below the loudness.
    whole = (SLOTS * f0_hz < 23_000) & (np.abs(found[0, :SLOT_COUNT]) < 1.99)
    assert whole.sum() > 8
    assert np.abs(lines - plain)[whole].max() < 1e-4 * plain.max()


def test_the_noise_bands_are_means_of_a_plain_spectrum():
    audio = (np.random.default_rng(0).standard_normal(30_000) * 0.1).astype(np.float32)
    found = heard(audio, 60.0)
    bands = found[:, CENTS_COLUMN + 1 : CENTS_COLUMN + 1 + BAND_COUNT] * 30 - 50 + loudness(found)[:, None]
    n = np.arange(-512, 512)
    hann = (0.5 + 0.5 * np.cos(np.pi * n / 512)) / 256
    padded = np.pad(audio, (512, 1_000))
    for frame in (0, 1, 30):
        plain = np.abs(np.fft.rfft(padded[512 * frame : 512 * frame + 1024] * hann)) ** 2
        plain *= 2 if frame == 0 else 1  # half of it lies before the note
        assert np.abs(bands[frame] - 10 * np.log10(NOISE_BAND_MEANS @ plain)).max() < 0.01


def loudness(found: np.ndarray) -> np.ndarray:
    return found[:, LOUDNESS_COLUMN] * LOUDNESS_REACH_DB + LOUDNESS_MIDDLE_DB


@pytest.mark.parametrize("pitch", [45.0, 60.0, 86.0])
def test_loudness_is_the_same_of_audio_and_of_its_columns(pitch):
    audio = tone(pitch, brightness=0.7, seconds=1.0)
    columns = torch.from_numpy(analyse(audio, pitch))[None, 30:60]
    measured = loudness_db(columns[..., AMPLITUDE], columns[..., NOISE], torch.tensor([pitch]))[0].numpy()
    assert np.abs(loudness(heard(audio, pitch))[30:60] - measured).max() < 0.6


def test_the_front_hears_vibrato_and_not_mistuning():
    t = np.arange(96_000) / 48_000
    cents = 20 * np.sin(2 * np.pi * 5 * t)
    turn = 2 * np.pi * np.cumsum(440 * 2 ** ((60.3 - 69) / 12 + cents / 1200)) / 48_000
    audio = (0.1 * np.sin(turn) + 0.05 * np.sin(2 * turn) + 0.02 * np.sin(3 * turn)).astype(np.float32)
    found = heard(audio, 60.0)[10:170, CENTS_COLUMN] * 100
    assert abs(found.mean()) < 1 and 12 < found.max() < 22 and -22 < found.min() < -12
    measured = analyse(audio, 60.3)[10:170, CENTS]
    assert np.corrcoef(found, measured)[0, 1] > 0.98


def test_what_has_no_pitch_is_not_retuned():
    noise = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
    assert np.abs(heard(noise, 60.0)[:, CENTS_COLUMN]).mean() < 0.2


def test_noise_wanders_and_a_tone_does_not():
    wander = slice(2 * SLOT_COUNT, CENTS_COLUMN)
    noise = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
    assert heard(noise, 60.0)[30:60, wander][:, :30].mean() > 0.3
    assert heard(tone(60, 0.8, 1.0), 60.0)[30:60, wander][:, 1:16:2].max() < 0.1


@pytest.mark.parametrize("samples", [1, 1_535, 1_536, 1_537, 50_000])
def test_frames_come_in_threes_for_each_1536_samples_begun(samples):
    found = heard(np.full(samples, 0.01, np.float32), 24.0)
    assert found.shape == (3 * -(-samples // 1536), FRONT_WIDTH)
    assert np.isfinite(found).all()


def test_silence_is_heard_without_a_pitch():
    found = heard(np.zeros(20_000, np.float32), 60.0)
    assert np.isfinite(found).all() and np.abs(found[:, CENTS_COLUMN]).max() == 0


def test_the_gain_brings_the_loudest_window_to_minus_20_dbfs():
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(30_000) * np.linspace(0, 0.5, 30_000)
    scaled = audio * encoder_gain(audio)
    rms = [np.sqrt((scaled[i : i + 2048] ** 2).sum() / 2048) for i in range(0, 30_000 - 1024, 1024)]
    assert abs(max(rms) - 0.1) < 1e-9
    assert encoder_gain(np.zeros(5_000)) is None
    assert encoder_gain(np.full(100, 0.5)) == pytest.approx(0.1 / np.sqrt(0.25 * 100 / 2048))
