"""Measuring what a host recorded: pitch and timbre, as `tests/src/spectrum.rs` does."""

from __future__ import annotations

import numpy as np

TIMBRE_FLOOR_DB = -60.0


def note_hz(note: float) -> float:
    """Frequency of a MIDI note in twelve-tone equal temperament."""
    return 440.0 * 2.0 ** ((note - 69.0) / 12.0)


def tuning_cents(samples: np.ndarray, sample_rate: float, note: float) -> float:
    """How far the partial nearest to a MIDI note's fundamental is from it, in cents.

    The strongest bin within a quarter tone, refined by a parabola through the logarithms of three bins of a
    zero-padded Hann spectrum: exact to a fiftieth of a cent for a steady tone.
    """
    length = 4 * len(samples)
    magnitudes = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), length))
    bin_hz = sample_rate / length
    expected = note_hz(note)
    quarter_tone = 2.0 ** (50.0 / 1200.0)
    lowest, highest = int(expected / quarter_tone / bin_hz), int(expected * quarter_tone / bin_hz) + 1
    peak = lowest + int(np.argmax(magnitudes[lowest : highest + 1]))
    around = magnitudes[int(0.75 * expected / bin_hz) : int(1.25 * expected / bin_hz)]
    assert magnitudes[peak] > 10.0 * np.percentile(around, 25), f"note {note} has no fundamental"
    left, summit, right = np.log(magnitudes[peak - 1 : peak + 2])
    found = (peak + 0.5 * (left - right) / (left - 2.0 * summit + right)) * bin_hz
    return float(1200.0 * np.log2(found / expected))


def timbre(samples: np.ndarray, sample_rate: float) -> np.ndarray:
    """Power in third-octave bands from 50 Hz to 12.8 kHz, in dB under the loudest band."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    bin_hz = sample_rate / len(samples)
    centres = 50.0 * 2.0 ** (np.arange(25) / 3.0)
    edges = [(int(c / 2 ** (1 / 6) / bin_hz), int(c * 2 ** (1 / 6) / bin_hz)) for c in centres]
    bands = 10.0 * np.log10([power[low:high].sum() + 1e-30 for low, high in edges])
    return np.maximum(bands - bands.max(), TIMBRE_FLOOR_DB)


def distance_db(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square of two timbres' differences."""
    return float(np.sqrt(np.mean((one - other) ** 2)))


def first_sound(samples: np.ndarray, threshold: float = 1e-6) -> int:
    """Index of the first sample that is not silence."""
    sounding = np.flatnonzero(np.abs(samples) > threshold)
    assert sounding.size, "nothing but silence"
    return int(sounding[0])
