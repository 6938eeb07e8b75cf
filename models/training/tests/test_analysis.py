import numpy as np
import pytest
from conftest import tone

from betwixt_training import synthesis
from betwixt_training.analysis import analyse
from betwixt_training.columns import (
    AMPLITUDE,
    AMPLITUDE_COUNT,
    CENTS,
    COLUMN_OF_PARTIAL,
    DEVIATION,
    FRAME_WIDTH,
    GROUP_EDGES,
    NOISE,
    NOISE_BANDS,
    NOISE_EDGES_HZ,
    PARTIALS,
    SLOTS,
    midi_to_hz,
)
from betwixt_training.dataset import in_tune
from betwixt_training.metrics import f0_cents, mel_distance
from betwixt_training.reference import direct_partials, noise_rms


def slot(harmonic: float) -> int:
    return int(np.nonzero(SLOTS == harmonic)[0][0])


def test_columns_cover_every_harmonic_once():
    assert len(SLOTS) == 80 and SLOTS[0] == 0.5 and SLOTS[-1] == 64
    assert GROUP_EDGES[0] == 65 and GROUP_EDGES[-1] == 401 and (np.diff(GROUP_EDGES) > 0).all()
    assert COLUMN_OF_PARTIAL.max() == AMPLITUDE_COUNT - 1
    for partial, column in zip(PARTIALS[80:], COLUMN_OF_PARTIAL[80:]):
        assert GROUP_EDGES[column - 80] <= partial < GROUP_EDGES[column - 79]


def test_noise_bands_share_out_every_frequency():
    assert np.allclose(NOISE_BANDS.sum(0), 1, atol=1e-6)
    assert len(NOISE_EDGES_HZ) == 66 and NOISE_EDGES_HZ[1] == 0 and NOISE_EDGES_HZ[-1] == NOISE_EDGES_HZ[-2] == 24_000


@pytest.mark.parametrize("pitch", [31.0, 57.0, 72.0, 93.0])
def test_a_tone_is_measured_as_it_was_made(pitch):
    columns = analyse(tone(pitch, brightness=0.8, seconds=1.0, decay=0.0), pitch)[25:60]
    for k in (1, 2, 3, 5):
        expected = 20 * np.log10(0.1 * 0.8 ** (k - 1))
        assert np.abs(columns[:, slot(k)] - expected).max() < 0.2
        deviation = columns[:, DEVIATION][:, slot(k)]
        assert np.abs(deviation).max() < 1e-3
    assert np.abs(columns[:, CENTS]).max() < 0.2
    assert columns[:, slot(1.5)].max() < -80
    assert columns[:, NOISE].max() < -75


def test_a_mistuned_tone_is_followed_and_then_tuned():
    columns = analyse(tone(60.2, seconds=1.0), 60)
    assert np.abs(columns[25:60, CENTS] - 20).max() < 0.5
    assert np.abs(in_tune(columns)[25:60, CENTS]).max() < 0.5


def test_inharmonic_partials_keep_their_frequencies():
    t = np.arange(48_000) / 48_000
    f0_hz = float(midi_to_hz(60))
    audio = 0.1 * np.sin(2 * np.pi * f0_hz * t) + 0.05 * np.sin(2 * np.pi * 2.76 * f0_hz * t)
    columns = analyse(audio, 60)[25:60]
    found = (SLOTS[slot(3)] + columns[:, DEVIATION][:, slot(3)]).mean()
    other = (SLOTS[slot(2.5)] + columns[:, DEVIATION][:, slot(2.5)]).mean()
    assert min(abs(found - 2.76), abs(other - 2.76)) < 2e-3


def test_white_noise_comes_back_at_its_own_level():
    audio = np.random.default_rng(3).standard_normal(96_000).astype(np.float32) * 0.05
    columns = analyse(audio, 60)
    columns[:, AMPLITUDE] = -100
    back = synthesis.noise_audio(columns)
    # Some of the noise was taken for partials; what is left is within 1 dB.
    assert abs(20 * np.log10(back[4800:90_000].std() / 0.05)) < 1
    assert abs(20 * np.log10(back[4800:90_000].std() / noise_rms(columns[10:175]))) < 0.3


@pytest.mark.parametrize("pitch", [36.0, 60.0, 84.0])
def test_resynthesis_sounds_like_the_tone(pitch):
    audio = tone(pitch, brightness=0.6)
    back = synthesis.audio(analyse(audio, pitch), pitch)
    assert back.shape == (len(audio) // 512 * 512,)
    assert mel_distance(audio, back) < 1.0
    cents = f0_cents(back, pitch)[5:100]
    assert np.nanmax(np.abs(cents)) < 1.0 and np.isfinite(cents).mean() > 0.9


def test_the_edge_of_a_note_is_not_noise():
    audio = tone(45, brightness=0.6)
    assert np.abs(audio[:48]).max() > 0.01  # it is there at once
    noise = analyse(audio, 45)[:, NOISE]
    assert (noise[0] <= noise[1] + 1e-3).all()


def test_silence_is_silent_both_ways():
    columns = analyse(np.zeros(48_000, np.float32), 60)
    assert np.isfinite(columns).all() and columns.shape == (94, FRAME_WIDTH)
    assert np.abs(synthesis.audio(columns, 60)).max() < 1e-4


def test_the_fast_synthesis_is_the_sum_of_cosines():
    columns = analyse(tone(40, brightness=0.8, seconds=0.3), 40)
    start = synthesis.start_phases()
    fast = synthesis.partials_audio(columns, 40.3, start)
    assert np.abs(fast - direct_partials(columns, 40.3, start)).max() < 2e-5
