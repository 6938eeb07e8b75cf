"""Distances between two recordings of a note, in dB and cents. Frames 60 dB under the reference's loudest do not count."""

import numpy as np
from scipy import fft

from .columns import SAMPLE_RATE, midi_to_hz

SCALES = (256, 1024, 4096)
RANGE_DB = 70.0
ACTIVE_DB = 60.0
MEL_COUNT = 128
MEL_WINDOW_SAMPLES = 2048
PITCH_WINDOW_SAMPLES = 8192
PITCH_HOP_SAMPLES = 1024
PITCH_PADDING = 4


def magnitudes(audio: np.ndarray, window_samples: int, hop_samples: int, padding: int = 1) -> np.ndarray:
    """Hann STFT magnitudes, a sine of amplitude 1 being 1: `[frames, bins]`. `padding` makes that many bins of each."""
    half = window_samples // 2
    padded = np.pad(np.asarray(audio, np.float32), half)
    cut = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::hop_samples]
    window = np.hanning(window_samples + 1)[:-1].astype(np.float32)
    return np.abs(fft.rfft(cut * window, window_samples * padding, axis=1)) * (4 / window_samples)


def _db(magnitude, floor):
    return 20 * np.log10(np.maximum(magnitude, floor))


def spectral_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """MSLS: mean |dB| over the cells of STFTs of 256, 1024 and 4096 samples, floored 70 dB under the reference's peak."""
    distances = []
    for window in SCALES:
        a, b = (magnitudes(x, window, window // 4) for x in (reference, other))
        floor = a.max() * 10 ** (-RANGE_DB / 20)
        energy = np.maximum((a**2).sum(1), (b**2).sum(1))
        active = energy > energy.max() * 10 ** (-ACTIVE_DB / 10)
        distances.append(np.abs(_db(a, floor) - _db(b, floor))[active].mean())
    return float(np.mean(distances))


def _mel_filters() -> np.ndarray:
    to_mel = lambda f: 2595 * np.log10(1 + f / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(20.0), to_mel(24_000.0), MEL_COUNT + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(MEL_WINDOW_SAMPLES, 1 / SAMPLE_RATE)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None] * 23.4).astype(np.float32)


MEL_FILTERS = _mel_filters()


def mel_db(audio: np.ndarray) -> np.ndarray:
    """128-band mel spectrogram, dB `[frames, 128]`, window 2048, hop 512."""
    return _db(magnitudes(audio, MEL_WINDOW_SAMPLES, 512) @ MEL_FILTERS.T, 1e-9)


def mel_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Mean |dB| over the cells of the mel spectrogram, floored 70 dB under the reference's peak."""
    a, b = mel_db(reference), mel_db(other)
    floor = a.max() - RANGE_DB
    active = np.maximum(a.max(1), b.max(1)) > a.max() - ACTIVE_DB
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def a_loudness_db(audio: np.ndarray) -> np.ndarray:
    """A-weighted level (IEC 61672) of frames of 2048 samples, hop 512."""
    f = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE) + 1e-3
    response = 12194**2 * f**4
    response /= (f**2 + 20.6**2) * np.sqrt((f**2 + 107.7**2) * (f**2 + 737.9**2)) * (f**2 + 12194**2)
    weighted = magnitudes(audio, 2048, 512) * (response * 10**0.1).astype(np.float32)
    return 10 * np.log10((weighted**2).sum(1) + 1e-12)


def loudness_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Mean |dB| between the A-weighted levels, floored 60 dB under the reference's loudest frame."""
    a, b = a_loudness_db(reference), a_loudness_db(other)
    floor = a.max() - ACTIVE_DB
    active = np.maximum(a, b) > floor
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def f0_cents(audio: np.ndarray, pitch: float) -> np.ndarray:
    """f0 of each frame (window 8192, hop 1024) in cents from `pitch`; NaN where harmonics 1 .. 6 do not agree.

    Each harmonic's peak within a quarter tone is found on the log spectrum by parabola; f0 is their amplitude-weighted
    mean, each divided by its number.
    """
    spectrum = _db(magnitudes(audio, PITCH_WINDOW_SAMPLES, PITCH_HOP_SAMPLES, PITCH_PADDING), 1e-7)
    nominal = float(midi_to_hz(pitch)) / SAMPLE_RATE * PITCH_WINDOW_SAMPLES * PITCH_PADDING
    frames = np.arange(len(spectrum))
    cents, weight = [], []
    for harmonic in range(1, 7):
        centre = harmonic * nominal
        reach = max(2.0, centre * 0.03)
        low, high = int(centre - reach), int(centre + reach) + 2
        if high >= spectrum.shape[1] - 1:
            break
        peak = low + spectrum[:, low:high].argmax(1)
        left, top, right = (spectrum[frames, peak + i] for i in (-1, 0, 1))
        bend = left - 2 * top + right
        shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1), 0).clip(-0.5, 0.5)
        cents.append(1200 * np.log2((peak + shift) / centre))
        weight.append(10 ** (top / 20))
    cents, weight = np.array(cents), np.array(weight)
    weight = weight * (weight > 0.03 * weight.max(0)) + 1e-12
    mean = (weight * cents).sum(0) / weight.sum(0)
    spread = (weight * np.abs(cents - mean)).sum(0) / weight.sum(0)
    level = 20 * np.log10(weight.sum(0))
    return np.where((spread < 15) & (level > level.max() - 40), mean, np.nan)


def boundary_energy_ratio(audio: np.ndarray, hop_samples: int) -> float:
    """Clicks at the seams: energy of the third difference within 2 samples of the multiples of `hop_samples`, over that
    half-way between them. 1 where seams do not show."""
    difference = np.diff(np.asarray(audio, np.float64), 3) ** 2
    blocks = difference[: len(difference) // hop_samples * hop_samples].reshape(-1, hop_samples)
    half = hop_samples // 2
    # sample s of the third difference reaches s .. s + 3
    seam = np.concatenate([blocks[1:, :2], blocks[:-1, -4:]], 1).sum()
    return float(seam / (blocks[1:, half - 3 : half + 3].sum() + 1e-30))


def click_crest(audio: np.ndarray) -> float:
    """Largest third difference after the first 50 ms, over its rms in the 20 ms round it: dB."""
    difference = np.diff(np.asarray(audio, np.float64), 3) ** 2
    difference = difference[int(0.05 * SAMPLE_RATE) :]
    reach = int(0.02 * SAMPLE_RATE)
    running = np.concatenate([[0], np.cumsum(difference)])
    local = (running[reach:] - running[:-reach]) / reach
    centre = difference[reach // 2 : reach // 2 + len(local)]
    loud = local > local.max() * 1e-6
    return float(10 * np.log10((centre[loud] / local[loud][: len(centre[loud])]).max()))
