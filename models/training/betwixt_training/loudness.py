"""How loud a frame is: A-weighted power of its columns and of the front's bands, in the same measure, so that the level an
encoder hears is the level a decoder is held to.

The weight is that of IEC 61672 with a floor of -20 dB, for the fundamental of a bass is not nothing.
"""

import math

import numpy as np
import torch
from torch import Tensor

from .columns import (
    AMPLITUDE_COUNT,
    COLUMN_OF_PARTIAL,
    NOISE_BANDS,
    NOISE_CENTRES_HZ,
    PARTIALS,
    midi_to_hz,
    partial_count,
)

LEAST_WEIGHT_DB = -20.0
# Loudness of -110 .. -10 dB is -1 .. 1 in an embedding.
LOUDNESS_MIDDLE_DB, LOUDNESS_REACH_DB = -60.0, 50.0
PITCH_COUNT = 128
INAUDIBLE_DB = -300.0
PER_DB = math.log(10) / 10


def a_weight_db(hz: np.ndarray) -> np.ndarray:
    """A-weighting of IEC 61672, dB, 0 at 1 kHz, not under `LEAST_WEIGHT_DB`."""
    square = np.asarray(hz, np.float64) ** 2 + 1e-6
    gain = 12194**2 * square**2
    gain /= (square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12194**2)
    return np.maximum(20 * np.log10(gain) + 2.0, LEAST_WEIGHT_DB)


def _column_weights_db() -> np.ndarray:
    """`[128, 112]`: what an amplitude column of 0 dB adds to the power of a note of that pitch, dB."""
    table = np.full((PITCH_COUNT, AMPLITUDE_COUNT), INAUDIBLE_DB)
    for pitch in range(PITCH_COUNT):
        f0_hz = float(midi_to_hz(pitch))
        count = partial_count(f0_hz)
        power = np.bincount(
            COLUMN_OF_PARTIAL[:count], 0.5 * 10 ** (a_weight_db(PARTIALS[:count] * f0_hz) / 10), AMPLITUDE_COUNT
        )
        sounds = power > 0
        table[pitch, sounds] = 10 * np.log10(power[sounds])
    return table


# A noise column of 0 dB is white noise of variance 1/3 a bin (`columns.py`, `synthesis.NOISE_MAGNITUDE`).
BAND_WEIGHTS_DB = (a_weight_db(NOISE_CENTRES_HZ) + 10 * np.log10(NOISE_BANDS.sum(1) / 3)).astype(np.float32)
COLUMN_WEIGHTS_DB = _column_weights_db().astype(np.float32)


def power_sum_db(*parts_db: Tensor) -> Tensor:
    """10 log10 of the sum over the last axis, and over the parts, of the powers that the parts give in dB."""
    return torch.log(sum(torch.exp(part * PER_DB).sum(-1) for part in parts_db) + 1e-13) / PER_DB
