from importlib.util import find_spec

import numpy as np
import pytest
from conftest import tone

from betwixt_training import metrics
from betwixt_training.columns import AMPLITUDE, CENTS, FRAME_WIDTH, NOISE, SAMPLE_RATE
from betwixt_training.evaluation.fusion import beating_db, combing_db, level_hole_db, lines_per_slot, with_f0_of
from betwixt_training.evaluation.sounds import held_samples, resampled
from betwixt_training.evaluation.space import flutter_db, probe_r2


def after(silence_ms: float, audio: np.ndarray) -> np.ndarray:
    late = int(silence_ms * SAMPLE_RATE / 1000)
    return np.concatenate([np.zeros(late, np.float32), audio[: len(audio) - late]])


def risen(audio: np.ndarray, rise_ms: float) -> np.ndarray:
    t = np.arange(len(audio)) / SAMPLE_RATE * 1000
    return (audio * np.clip(t / rise_ms, 0, 1)).astype(np.float32)


def test_a_recording_is_no_distance_from_itself_and_6_db_from_itself_halved():
    x = tone(60)
    for distance in (metrics.spectral_distance, metrics.mel_distance, metrics.loudness_distance):
        assert distance(x, x) == 0
        assert distance(x, x[:90_000]) < 0.4  # the longer one's end does not count; the cut itself is heard
    assert metrics.loudness_distance(x, x / 2) == pytest.approx(6.02, abs=0.05)
    assert 0.5 < metrics.mel_distance(x, x / 2) < 6.1


def test_mel_bands_are_slaneys():
    # librosa 0.11, filters.mel(sr=48000, n_fft=2048, n_mels=128, fmin=20, fmax=24000): weights of three bands
    known = {
        3: (6, (0.00275387, 0.02639573, 0.01348309)),
        40: (59, (0.01288544, 0.01998695, 0.00847157)),
        100: (413, (0.003058, 0.0030735, 0.00283958)),
    }
    filters = metrics.mel_filters(128, 2048, 20.0, 24_000.0)
    for band, (top, weights) in known.items():
        assert filters[band].argmax() == top and np.allclose(filters[band, top - 1 : top + 2], weights, atol=2e-7)


def test_the_peak_of_an_attack_is_when_it_has_arrived():
    for pitch in (45, 69):
        struck = tone(pitch, decay=6)
        for late in (0, 20):
            for rise in (5, 40):
                found = metrics.peak_ms(after(late, risen(struck, rise)), pitch)
                assert abs(found - late - 0.7 * rise) < 8
        moved = metrics.peak_ms(after(30, risen(struck, 5)), pitch) - metrics.peak_ms(
            after(10, risen(struck, 5)), pitch
        )
        assert moved == pytest.approx(20, abs=0.1)


def test_a_sudden_note_has_a_stronger_onset_than_one_that_swells():
    sudden, slow = tone(60), risen(tone(60), 200)
    loudest = metrics.onset_loudest(sudden)
    assert metrics.onset_strength_db(sudden, loudest) > metrics.onset_strength_db(slow, loudest) + 5
    assert metrics.early_db(sudden) > -6 and metrics.early_db(slow) < -20 and metrics.early_db(after(5, sudden)) == -60


def test_the_tuning_of_a_recording_is_found_and_noise_has_none():
    assert metrics.own_tuning(tone(60.25), 60) == pytest.approx(60.25, abs=0.003)
    noise = np.random.default_rng(0).standard_normal(192_000).astype(np.float32)
    assert metrics.own_tuning(noise, 60) == 60


def test_crest_is_peak_over_rms():
    assert metrics.crest_db(tone(60, brightness=1e-6, decay=0)) == pytest.approx(3.01, abs=0.02)


def test_two_detuned_notes_have_two_lines_a_slot_and_beat():
    one = tone(60, decay=0)
    two = one + tone(60.2, decay=0)
    assert lines_per_slot(one, 60) == 1 and lines_per_slot(two, 60) == 2
    assert beating_db(one, 60) < 0.1 < 3 < beating_db(two, 60)


def columns(cents: float = 0.0) -> np.ndarray:
    found = np.zeros((200, FRAME_WIDTH), np.float32)
    found[:, AMPLITUDE], found[:, NOISE], found[:, CENTS] = -100, -120, cents
    found[:, 1:16:2] = -20 - np.arange(8)
    return found


def test_neighbours_comb_unless_they_share_a_pitch_track():
    ours, theirs = columns(), columns(3.0)
    assert combing_db(ours, ours, 60)[0] == pytest.approx(0, abs=1e-3)
    assert combing_db(ours, theirs, 60)[0] < -1
    assert combing_db(ours, with_f0_of(theirs, ours), 60)[0] == pytest.approx(0, abs=1e-3)


def test_a_path_that_sinks_under_the_line_between_its_ends_has_a_hole():
    alphas = np.linspace(0, 1, 5)
    line = [tone(60, decay=0) * 10 ** (-12 * alpha / 20) for alpha in alphas]
    assert level_hole_db(line, alphas)[0] < 0.01
    sunk = [x * (0.5 if i == 2 else 1) for i, x in enumerate(line)]
    assert level_hole_db(sunk, alphas) == pytest.approx((6.02, 6.02), abs=0.1)


def test_a_probe_finds_pitch_where_it_is_and_none_where_it_is_not():
    rng = np.random.default_rng(0)
    pitch, groups = np.tile(np.arange(48.0, 78, 6), 20), np.repeat(np.arange(20), 5)
    noise = rng.standard_normal((100, 16))
    assert probe_r2(noise, pitch, groups) < 0.1
    noise[:, 3] += pitch
    assert probe_r2(noise, pitch, groups) > 0.95


def test_a_steady_tone_does_not_flutter():
    t = np.arange(192_000) / SAMPLE_RATE
    assert flutter_db(tone(60, decay=0)) < 0.05 < 1 < flutter_db(tone(60, decay=0) * (1 + 0.5 * np.sin(30 * t)))


def test_resampling_moves_the_pitch_and_shortens():
    higher = resampled(tone(60), 7)
    assert len(higher) == pytest.approx(192_000 * 2 ** (-7 / 12), rel=1e-3)
    assert metrics.own_tuning(higher, 67) == pytest.approx(67, abs=0.01)
    assert held_samples(12) == 72_000 and held_samples(-12) == 144_000


@pytest.mark.skipif(find_spec("torchcrepe") is None, reason="the extra `evaluate` is not installed")
def test_crepe_hears_a_detuned_note_and_an_octave_is_an_outlier():
    from betwixt_training.evaluation.crepe import f0_error

    found = f0_error(tone(60), tone(60.2), 60)
    assert found["f0"] == pytest.approx(0.2, abs=0.05) and found["outliers"] == 0
    assert f0_error(tone(60), tone(72), 60)["outliers"] > 0.95
    assert f0_error(tone(60), tone(60), 64) is None  # not the note it was said to be: not trackable
