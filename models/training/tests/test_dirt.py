"""Dirt: length, lateness, level, floors, determinism."""

import numpy as np
import pytest

from betwixt_training import dirt
from betwixt_training.columns import SAMPLE_RATE

COUNT = 96_000


@pytest.fixture
def note() -> np.ndarray:
    seconds = np.arange(COUNT) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 440 * seconds) * 0.1 * np.sqrt(2) * (seconds < 1.5)
    return tone.astype(np.float32)


@pytest.mark.parametrize("make", [dirt.mild, dirt.heavy])
def test_dirt_keeps_length_kind_and_seed(make, note):
    for seed in range(8):
        out = make(note, np.random.default_rng(seed))
        assert out.shape == note.shape and out.dtype == np.float32 and np.isfinite(out).all()
        assert np.array_equal(out, make(note, np.random.default_rng(seed)))
        assert not np.array_equal(out, make(note, np.random.default_rng(seed + 100)))


def test_a_mild_note_is_within_1_db_and_its_floor_within_the_range(note):
    for seed in range(12):
        out = dirt.mild(note, np.random.default_rng(seed))
        level = 20 * np.log10(out[2000:60_000].std() / note[2000:60_000].std())
        floor = 20 * np.log10(out[-20_000:].std())
        assert abs(level) < 1.1 and -106 < floor < -64


def test_a_heavy_note_stays_the_note_and_its_floor_within_the_range(note):
    spread = []
    for seed in range(24):
        out = dirt.heavy(note, np.random.default_rng(seed))
        level = 20 * np.log10(out[2000:60_000].std() / note[2000:60_000].std())
        assert -9 < level < 6  # a room can cancel a good part of one sine
        likeness = np.abs(np.fft.rfft(out))[: COUNT // 2].argmax() * SAMPLE_RATE / COUNT
        assert likeness == pytest.approx(440, abs=1)
        spread.append(20 * np.log10(out[-8000:].std()))
    assert min(spread) < -70 and -60 < max(spread) < -36


def test_nothing_of_a_heavy_note_comes_before_it_starts():
    click = np.zeros(COUNT, np.float32)
    click[24_000] = 0.5
    for seed in range(6):
        out = dirt.heavy(click, np.random.default_rng(seed))
        first = np.argmax(np.abs(out))
        assert 24_000 <= first <= 24_000 + dirt.LATEST_START_SAMPLES
        assert np.abs(out[:23_900]).max() < 0.05
