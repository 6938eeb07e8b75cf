"""The measuring instruments, on sounds that are known."""

import numpy as np
import pytest

import spectrum

RATE = 48_000


def tone(hz: float, slope: float) -> np.ndarray:
    time = np.arange(RATE) / RATE
    return sum(np.sin(2 * np.pi * k * hz * time) / k**slope for k in range(1, 21))


@pytest.mark.parametrize("note", [36.0, 60.13, 81.5])
def test_a_tone_is_measured_to_a_fiftieth_of_a_cent(note):
    found = spectrum.tuning_cents(tone(spectrum.note_hz(note), 1.0), RATE, round(note))
    assert found == pytest.approx(100.0 * (note - round(note)), abs=0.02)


def test_a_timbre_tells_bright_from_dull_and_ignores_level():
    bright, dull = tone(220.0, 1.0), tone(220.0, 3.0)
    assert spectrum.distance_db(spectrum.timbre(bright, RATE), spectrum.timbre(0.1 * bright, RATE)) < 0.01
    assert spectrum.distance_db(spectrum.timbre(bright, RATE), spectrum.timbre(dull, RATE)) > 10.0
