"""What lies between two notes: the targets of training items whose embedding is a blend of two.

Levels are interpolated in dB, for then equal steps of the blend are equal steps to the ear, and the loudness is put back to
what lies between the parents', for two spectra that have little in common would leave a hole.
"""

import torch
from torch import Tensor

from .columns import AMPLITUDE, AMPLITUDE_COUNT, CENTS, DEVIATION, NOISE, SLOT_COUNT
from .losses import NOISE_RANGE_DB, RANGE_DB, loudness_db, top_db


def mixed_columns(first: Tensor, second: Tensor, share: Tensor, pitch: Tensor) -> Tensor:
    """Columns `[B, T, 257]` of two notes of pitch `[B]`, `share` `[B]` of the second -> columns of what lies between."""
    s = share[:, None, None]

    def floored(columns):
        level, noise = columns[..., AMPLITUDE], columns[..., NOISE]
        top = top_db(level, noise)
        return torch.maximum(level, top - RANGE_DB), torch.maximum(noise, top - NOISE_RANGE_DB)

    (level_a, noise_a), (level_b, noise_b) = floored(first), floored(second)
    level, noise = torch.lerp(level_a, level_b, s), torch.lerp(noise_a, noise_b, s)
    between = torch.lerp(loudness_db(level_a, noise_a, pitch), loudness_db(level_b, noise_b, pitch), s[..., 0])
    gain = (between - loudness_db(level, noise, pitch))[..., None]
    # A partial lies where the stronger parent has it.
    weight_a = (1 - s) * torch.pow(10.0, level_a[..., :SLOT_COUNT] / 20)
    weight_b = s * torch.pow(10.0, level_b[..., :SLOT_COUNT] / 20)
    deviation = (weight_a * first[..., DEVIATION] + weight_b * second[..., DEVIATION]) / (weight_a + weight_b)
    cents = torch.lerp(first[..., CENTS, None], second[..., CENTS, None], s)
    assert level.shape[-1] == AMPLITUDE_COUNT
    return torch.cat([level + gain, deviation, cents, noise + gain], -1)
