"""The synthesised instruments: determinism, level, tuning, silence at both ends, and what velocity does."""

import numpy as np
import pytest

from betwixt_training import synthesised
from betwixt_training.columns import SAMPLE_RATE
from betwixt_training.soundfont import NOTE_SAMPLES

NUMBERED = list(enumerate(synthesised.INSTRUMENTS))
FAMILIES = sorted({i.family for i in synthesised.INSTRUMENTS})
HZ = np.fft.rfftfreq(NOTE_SAMPLES, 1 / SAMPLE_RATE)


def middle(instrument) -> int:
    return (instrument.lowest + instrument.highest) // 2


def power(audio: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(audio)) ** 2


def test_there_are_more_than_150_instruments_of_nine_families_with_names_of_their_own():
    assert len(synthesised.INSTRUMENTS) > 150
    assert len(FAMILIES) == 9
    assert len({(i.family, i.name) for i in synthesised.INSTRUMENTS}) == len(synthesised.INSTRUMENTS)
    assert all(0 <= i.lowest < i.highest <= 127 for i in synthesised.INSTRUMENTS)
    assert all(i.pitched == (i.family != "drums") for i in synthesised.INSTRUMENTS)


def test_every_instrument_sounds_without_clipping_direct_current_or_a_click_at_the_end():
    for index, instrument in NUMBERED:
        pitch = (instrument.lowest, middle(instrument), instrument.highest)[index % 3]
        audio = synthesised.render(index, pitch, 100)
        label = f"{instrument.name} at {pitch}"
        assert audio.shape == (NOTE_SAMPLES,) and audio.dtype == np.float32, label
        assert np.isfinite(audio).all(), label
        assert 0.1 < np.abs(audio).max() < 1, label
        assert abs(audio.mean()) < 1e-3 * np.abs(audio).max(), label
        assert np.abs(audio[-8:]).max() < 1e-3 and abs(audio[0]) < 0.2, label


def test_pitched_instruments_are_in_tune_to_a_few_cents():
    for index, instrument in NUMBERED:
        if not instrument.pitched:
            continue
        pitch = middle(instrument)
        hz = 440 * 2 ** ((pitch - 69) / 12)
        near = (HZ > hz * 0.96) & (HZ < hz * 1.04)
        found = power(synthesised.render(index, pitch, 90))
        cents = 1200 * np.log2((found * HZ)[near].sum() / found[near].sum() / hz)
        assert abs(cents) < 8, f"{instrument.name}: {cents:.1f} cents"
        assert found[near].sum() > 0.002 * found.sum(), instrument.name


def test_the_highest_note_folds_nothing_back():
    # Between harmonics of a high note there is nothing but what aliasing would put there.
    for kind in ("supersaw 1", "acid 1", "FM hard bass 1"):
        index, instrument = next((i, x) for i, x in NUMBERED if x.name == kind)
        hz = 440 * 2 ** ((instrument.highest - 69) / 12)
        found = power(synthesised.render(index, instrument.highest, 127) * np.hanning(NOTE_SAMPLES))
        nearest = np.abs(HZ / hz - np.round(HZ / hz)) * hz
        between = found[(nearest > 0.25 * hz) & (HZ > 100)].sum()
        assert between < 1e-6 * found.sum(), kind


@pytest.mark.parametrize("family", FAMILIES)
def test_a_note_is_the_same_every_time_and_velocity_changes_its_level_and_its_sound(family):
    brighter = 0
    chosen = [(i, x) for i, x in NUMBERED if x.family == family][1::4]
    for index, instrument in chosen:
        pitch = middle(instrument)
        soft, loud = synthesised.render(index, pitch, 30), synthesised.render(index, pitch, 120)
        assert np.array_equal(loud, synthesised.render(index, pitch, 120))
        assert np.abs(soft).max() < 0.5 * np.abs(loud).max()
        centroid = [(p * HZ).sum() / p.sum() for p in (power(soft), power(loud))]
        brighter += centroid[1] > 1.02 * centroid[0]
        assert abs(centroid[1] / centroid[0] - 1) > 0.001, instrument.name
    if family != "organs":  # whose wind does not follow the key
        assert brighter >= len(chosen) / 2


def test_drums_transpose_as_a_recording_played_faster_would():
    index, _ = next((i, x) for i, x in NUMBERED if x.name == "glass 1")
    low, high = (synthesised.render(index, pitch, 100) for pitch in (60, 72))
    peak = [HZ[np.argmax(power(x))] for x in (low, high)]
    lasts = [np.cumsum(x**2).searchsorted(0.9 * (x**2).sum()) for x in (low, high)]
    assert peak[1] / peak[0] == pytest.approx(2, rel=0.02)
    assert lasts[1] / lasts[0] == pytest.approx(0.5, rel=0.15)
