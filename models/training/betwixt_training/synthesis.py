"""Columns -> audio, by the rules that the engine's kernel follows; the reference that the kernel is tested against.

Partials: 1024-sample Hann frames overlapping by half, each a sum of cosines of constant amplitude and frequency, the
phase at a frame's centre carried on by the mean of the two frames' frequencies. Noise: 1024-sample frames of random
phases under a cosine window (power-complementary at a hop of half a frame).
"""

import numpy as np
from scipy import fft

from .columns import (
    AMPLITUDE,
    CENTS,
    COLUMN_OF_PARTIAL,
    DEVIATION,
    HOP_SAMPLES,
    NOISE,
    NOISE_BANDS,
    NOISE_WINDOW_SAMPLES,
    PARTIALS,
    SAMPLE_RATE,
    SLOT_COUNT,
    midi_to_hz,
    partial_count,
)

SILENT_DB = -90.0  # a partial under this is off
HIGHEST_FREQUENCY = 0.49 * SAMPLE_RATE
# |X| of a noise frame's bin of band power p: white noise of variance v has p = 6 v / 1024 under `columns`' definition
# of noise_db, and an inverse FFT of constant |X| has the variance |X|^2 / 1024.
NOISE_MAGNITUDE = NOISE_WINDOW_SAMPLES / np.sqrt(6.0)
_COARSE = _FINE = 32


def start_phases(seed: int = 7) -> np.ndarray:
    """Phases of all partials at the note's first frame, radians `[416]`."""
    return np.random.default_rng(seed).random(len(PARTIALS)) * 2 * np.pi


def partial_tracks(columns: np.ndarray, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """columns `[T, 257]` -> amplitude (linear, 0 where off) and frequency (Hz) of the partials, both `[T, K]`."""
    f0_hz = float(midi_to_hz(pitch))
    count = partial_count(f0_hz)
    columns = columns.astype(np.float64)
    level_db = columns[:, AMPLITUDE][:, COLUMN_OF_PARTIAL[:count]]
    deviation = np.zeros((len(columns), count))
    slots = min(count, SLOT_COUNT)
    deviation[:, :slots] = columns[:, DEVIATION][:, :slots]
    frequency = (PARTIALS[:count] + deviation) * f0_hz * 2 ** (columns[:, CENTS, None] / 1200)
    on = (level_db >= SILENT_DB) & (frequency < HIGHEST_FREQUENCY)
    return np.where(on, 10 ** (level_db / 20), 0.0), frequency


def accumulated_phases(frequency: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Phase at each frame's centre, radians in 0 .. 2 pi: `start` `[K]`, then on by the mean of neighbours' frequencies."""
    turn = 2 * np.pi * frequency / SAMPLE_RATE
    steps = HOP_SAMPLES * 0.5 * (turn[1:] + turn[:-1])
    return np.cumsum(np.concatenate([start[None, : frequency.shape[1]], steps]), 0) % (2 * np.pi)


def partials_audio(columns: np.ndarray, pitch: float, start: np.ndarray | None = None) -> np.ndarray:
    """The tonal part: f32 `[(T - 1) * 512]`, beginning at frame 0's centre."""
    amplitude, frequency = partial_tracks(columns, pitch)
    phase = accumulated_phases(frequency, start_phases() if start is None else start)
    used = amplitude.max(0) > 0
    if not used.any():
        return np.zeros((len(columns) - 1) * HOP_SAMPLES, np.float32)
    turn = 2 * np.pi * frequency[:, used] / SAMPLE_RATE
    return overlap_cosines(amplitude[:, used], turn, phase[:, used])


def noise_audio(columns: np.ndarray, seed: int = 8) -> np.ndarray:
    """The noise part: f32 `[(T - 1) * 512]`, beginning at frame 0's centre."""
    bins = NOISE_WINDOW_SAMPLES // 2 + 1
    power = 10 ** (columns[:, NOISE].astype(np.float64) / 10) @ NOISE_BANDS
    phase = np.exp(2j * np.pi * np.random.default_rng(seed).random((len(columns), bins)))
    frames = fft.irfft(NOISE_MAGNITUDE * np.sqrt(power) * phase, axis=1)
    n = np.arange(NOISE_WINDOW_SAMPLES) - NOISE_WINDOW_SAMPLES // 2
    return _overlap(frames.astype(np.float32), np.cos(np.pi * n / NOISE_WINDOW_SAMPLES))


def audio(columns: np.ndarray, pitch: float) -> np.ndarray:
    """Both parts."""
    return partials_audio(columns, pitch) + noise_audio(columns)


def overlap_cosines(amplitude: np.ndarray, turn: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Amplitude, frequency (radians a sample) and phase at the frames' centres, all `[T, K]` -> f32 `[(T - 1) * 512]`.

    A frame's 1024 samples are a 32 x 32 grid of coarse and fine steps, so that each frame is one small matrix product.
    """
    coarse = _powers(amplitude * np.exp(1j * (phase - HOP_SAMPLES * turn)), turn * _FINE, _COARSE)
    fine = _powers(np.ones_like(turn), turn, _FINE)
    left = np.concatenate([coarse.real, -coarse.imag], 2)
    right = np.concatenate([fine.real, fine.imag], 2).transpose(0, 2, 1)
    frames = np.matmul(left, right).reshape(len(turn), _COARSE * _FINE)
    n = np.arange(_COARSE * _FINE) - HOP_SAMPLES
    return _overlap(frames, 0.5 + 0.5 * np.cos(np.pi * n / HOP_SAMPLES))


def _powers(first: np.ndarray, turn: np.ndarray, count: int) -> np.ndarray:
    """first * exp(j turn n) for n = 0 .. count - 1: complex64 `[T, count, K]`, by doubling."""
    out = np.empty((first.shape[0], count, first.shape[1]), np.complex64)
    out[:, 0] = first
    have = 1
    while have < count:
        step = np.exp(1j * ((turn * have) % (2 * np.pi))).astype(np.complex64)
        np.multiply(out[:, :have], step[:, None], out=out[:, have : 2 * have])
        have *= 2
    return out


def _overlap(frames: np.ndarray, window: np.ndarray) -> np.ndarray:
    half = frames.shape[1] // 2
    frames = frames * window.astype(np.float32)
    return (frames[:-1, half:] + frames[1:, :half]).reshape(-1)
