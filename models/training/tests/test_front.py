import numpy as np
import pytest
import torch
from conftest import tone

from betwixt_training.analysis import analyse
from betwixt_training.columns import AMPLITUDE, SLOT_COUNT, SLOTS
from betwixt_training.front import FRONT_WIDTH, LINE_COUNT, Front
from betwixt_training.level import encoder_gain

CENTS = LINE_COUNT + 2 * SLOT_COUNT


def heard(audio: np.ndarray, pitch: float) -> np.ndarray:
    with torch.no_grad():
        return Front()(torch.from_numpy(audio)[None], torch.tensor([pitch]))[0].numpy()


@pytest.mark.parametrize("pitch", [38.0, 60.0, 86.0])
def test_the_front_hears_the_levels_that_the_analysis_measures(pitch):
    audio = tone(pitch, brightness=0.5, seconds=1.0)
    levels = heard(audio, pitch)[30:60, :LINE_COUNT] * 40 - 60
    measured = analyse(audio, pitch)[30:60, AMPLITUDE]
    for harmonic in (1, 2, 4):
        line, slot = 2 * harmonic - 1, int(np.nonzero(SLOTS == harmonic)[0][0])
        assert np.abs(levels[:, line] - measured[:, slot]).max() < 0.3


def test_the_front_hears_mistuning_in_cents():
    cents = heard(tone(60.15, seconds=1.0), 60.0)[30:60, CENTS] * 25
    assert np.abs(cents - 15).max() < 1.0 and abs(cents.mean() - 15) < 0.3


def test_noise_wanders_and_a_tone_does_not():
    wander = slice(LINE_COUNT + SLOT_COUNT, CENTS)
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
    assert np.isfinite(found).all() and np.abs(found[:, CENTS]).max() == 0


def test_the_gain_brings_the_loudest_window_to_minus_20_dbfs():
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(30_000) * np.linspace(0, 0.5, 30_000)
    scaled = audio * encoder_gain(audio)
    rms = [np.sqrt((scaled[i : i + 2048] ** 2).sum() / 2048) for i in range(0, 30_000 - 1024, 1024)]
    assert abs(max(rms) - 0.1) < 1e-9
    assert encoder_gain(np.zeros(5_000)) is None
    assert encoder_gain(np.full(100, 0.5)) == pytest.approx(0.1 / np.sqrt(0.25 * 100 / 2048))
