"""The mel spectrum of a frame, reckoned from its columns: what `metrics.mel_db` would see of them, for the loss."""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from .columns import (
    AMPLITUDE_COUNT,
    BAND_COUNT,
    COLUMN_OF_PARTIAL,
    NOISE_CENTRES_HZ,
    PARTIALS,
    SAMPLE_RATE,
    midi_to_hz,
    partial_count,
)
from .loudness import PER_DB, PITCH_COUNT
from .metrics import MEL_FILTERS, MEL_WINDOW_SAMPLES

_BINS = MEL_WINDOW_SAMPLES // 2 + 1


@cache
def _tables() -> tuple[Tensor, Tensor]:
    """Power in each mel band of a partial column of 0 dB `[128, 112, bands]` (by pitch) and of a noise column `[64, bands]`."""
    filters = MEL_FILTERS / MEL_FILTERS.sum(1, keepdims=True)
    bin_hz = SAMPLE_RATE / MEL_WINDOW_SAMPLES
    columns = np.zeros((PITCH_COUNT, AMPLITUDE_COUNT, len(filters)), np.float32)
    for pitch in range(PITCH_COUNT):
        f0_hz = float(midi_to_hz(pitch))
        count = partial_count(f0_hz)
        place = PARTIALS[:count] * f0_hz / bin_hz
        nearest = np.round(place).astype(int)
        lobe = np.zeros((count, _BINS))
        for step in range(-2, 3):  # the Hann window's main lobe
            at = nearest + step
            inside = (at >= 0) & (at < _BINS)
            off = (at - place)[inside]
            edge = np.abs(np.abs(off) - 1) < 1e-6
            gain = np.where(edge, 0.5, np.sinc(off) / np.where(edge, 1, 1 - off**2))
            lobe[np.nonzero(inside)[0], at[inside]] = gain**2
        np.add.at(columns[pitch], COLUMN_OF_PARTIAL[:count], (lobe @ filters.T).astype(np.float32))
    spread = np.stack([np.interp(np.arange(_BINS) * bin_hz, NOISE_CENTRES_HZ, row) for row in np.eye(BAND_COUNT)])
    noise = (spread @ filters.T / 2).astype(np.float32)  # a window twice as long as the noise's: half the density
    return torch.from_numpy(columns), torch.from_numpy(noise)


def mel_of_columns(level_db: Tensor, noise_db: Tensor, pitch: Tensor) -> Tensor:
    """level `[B, T, 112]`, noise `[B, T, 64]`, pitch `[B]` -> mel spectrum, dB `[B, T, 128]`."""
    columns, noise = _tables()
    of_partials = torch.bmm(torch.exp(level_db * PER_DB), columns[pitch.round().long()])
    power = of_partials + torch.exp(noise_db * PER_DB) @ noise
    return torch.log(power + 1e-12) * (10 / math.log(10))
