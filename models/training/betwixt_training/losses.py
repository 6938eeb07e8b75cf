"""How far predicted columns are from a note's: level-weighted, in the units that the ear goes by."""

import torch
from torch import Tensor

from .columns import AMPLITUDE, AMPLITUDE_COUNT, BAND_COUNT, CENTS, DEVIATION, NOISE, SLOT_COUNT
from .loudness import BAND_WEIGHTS_DB, COLUMN_WEIGHTS_DB, power_sum_db
from .mel import mel_of_columns

PARTS = ("level", "loud_level", "noise", "deviation", "cents", "mel", "loudness")
RANGE_DB = 75.0  # partials further than this under the note's loudest do not count
NOISE_RANGE_DB = 95.0
MEL_RANGE_DB, MEL_ACTIVE_DB = 70.0, 60.0  # as in `metrics`
LOUDNESS_RANGE_DB = 65.0
_COLUMN_WEIGHTS_DB = torch.from_numpy(COLUMN_WEIGHTS_DB)
_BAND_WEIGHTS_DB = torch.from_numpy(BAND_WEIGHTS_DB)


def top_db(level: Tensor, noise: Tensor) -> Tensor:
    """The loudest column of each note, dB `[B, 1, 1]`, noise counted by what a band of it adds up to."""
    return torch.maximum(level.amax((1, 2), keepdim=True), noise.amax((1, 2), keepdim=True) + 8).clamp(min=-70)


def loudness_db(level: Tensor, noise: Tensor, pitch: Tensor) -> Tensor:
    """A-weighted level of frames `[B, T]`, dB; pitch `[B]`."""
    return power_sum_db(level + _COLUMN_WEIGHTS_DB[pitch.round().long()][:, None], noise + _BAND_WEIGHTS_DB)


def column_loss(predicted: tuple[Tensor, ...], target: Tensor, pitch: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """predicted: amplitude_db `[B, T, 112]`, deviation `[B, T, 80]`, cents `[B, T]`, noise_db `[B, T, 64]`; target
    `[B, T, 257]`; pitch `[B]`; weight of each frame `[B, T]` -> the loss and its parts in the order of `PARTS`."""
    level, deviation, cents, noise = predicted[:4]
    true_level, true_deviation = target[..., AMPLITUDE], target[..., DEVIATION]
    true_cents, true_noise = target[..., CENTS], target[..., NOISE]
    w, total = weight[..., None], weight.sum()
    top = top_db(true_level, true_noise)

    floor = (top - RANGE_DB).clamp(min=-95)
    # What is to be silent may be as silent as it likes.
    level_or_floor = torch.where(true_level <= floor, torch.maximum(level, floor), level)
    true_or_floor = torch.maximum(true_level, floor)
    matter = 0.15 + ((true_or_floor - floor - 10) / 65).clamp(0, 1)
    of_level = (w * matter * (level_or_floor - true_or_floor).abs()).sum() / total / AMPLITUDE_COUNT / 10

    compressed = lambda db: torch.pow(10.0, (db.clamp(max=20) - top) / 50)  # amplitude ^ 0.4: holds the strong partials
    of_loud = (w * (compressed(level_or_floor) - compressed(true_or_floor)).abs()).sum() / total / 8

    noise_floor = (top - NOISE_RANGE_DB).clamp(min=-112)
    noise_or_floor = torch.where(true_noise <= noise_floor, torch.maximum(noise, noise_floor), noise)
    true_noise_or_floor = torch.maximum(true_noise, noise_floor)
    audible = torch.minimum(true_noise.amax((1, 2), keepdim=True) - 50, top - 90)
    matter = 0.15 + ((true_noise_or_floor - audible) / 60).clamp(0, 1)
    of_noise = (w * matter * (noise_or_floor - true_noise_or_floor).abs()).sum() / total / BAND_COUNT / 10

    matter = w * ((true_level[..., :SLOT_COUNT] - (top - 55)) / 55).clamp(0, 1) ** 2
    of_deviation = (matter * (deviation - true_deviation).abs()).sum() / (matter.sum() + 1e-3) * 6

    of_cents = (weight * (cents - true_cents).abs()).sum() / total / 15

    mel, true_mel = (mel_of_columns(a, b, pitch) for a, b in ((level, noise), (true_level, true_noise)))
    loudest = true_mel.amax((1, 2), keepdim=True)
    mel_floor = loudest - MEL_RANGE_DB
    active = weight * (0.1 + 0.9 * (true_mel.amax(2) > loudest[..., 0] - MEL_ACTIVE_DB))
    gap = (torch.maximum(mel, mel_floor) - torch.maximum(true_mel, mel_floor)).abs().mean(2)
    of_mel = (active * gap).sum() / active.sum() / 3.5

    ours, true = (loudness_db(a, b, pitch) for a, b in ((level, noise), (true_level, true_noise)))
    loudness_floor = (true.amax(1, keepdim=True) - LOUDNESS_RANGE_DB).clamp(min=-95)
    gap = (torch.maximum(ours, loudness_floor) - torch.maximum(true, loudness_floor)).abs()
    of_loudness = (active * gap).sum() / active.sum() / 5

    parts = torch.stack([of_level, of_loud, of_noise, of_deviation, of_cents, of_mel, of_loudness])
    return parts.sum(), parts.detach()
