"""How far predicted columns are from a note's: level-weighted, in the units that the ear goes by."""

import torch
from torch import Tensor

from .columns import AMPLITUDE, AMPLITUDE_COUNT, BAND_COUNT, CENTS, DEVIATION, NOISE, SLOT_COUNT

PARTS = ("level", "loud_level", "noise", "deviation", "cents", "energy")
RANGE_DB = 75.0  # partials further than this under the note's loudest do not count


def column_loss(predicted: tuple[Tensor, ...], target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """predicted: amplitude_db `[B, T, 112]`, deviation `[B, T, 80]`, cents `[B, T]`, noise_db `[B, T, 64]`; target
    `[B, T, 257]`; weight of each frame `[B, T]` -> the loss and its parts in the order of `PARTS`."""
    level, deviation, cents, noise = predicted[:4]
    true_level, true_deviation = target[..., AMPLITUDE], target[..., DEVIATION]
    true_cents, true_noise = target[..., CENTS], target[..., NOISE]
    w, total = weight[..., None], weight.sum()
    top = true_level.amax((1, 2), keepdim=True).clamp(min=-70)

    floor = (top - RANGE_DB).clamp(min=-95)
    # What is to be silent may be as silent as it likes.
    level_or_floor = torch.where(true_level <= floor, torch.maximum(level, floor), level)
    true_or_floor = torch.maximum(true_level, floor)
    matter = 0.15 + ((true_or_floor - floor - 10) / 65).clamp(0, 1)
    of_level = (w * matter * (level_or_floor - true_or_floor).abs()).sum() / total / AMPLITUDE_COUNT / 10

    compressed = lambda db: torch.pow(10.0, (db.clamp(max=20) - top) / 50)  # amplitude ^ 0.4: holds the strong partials
    of_loud = (w * (compressed(level_or_floor) - compressed(true_or_floor)).abs()).sum() / total / 8

    noise_floor = (top - 95).clamp(min=-112)
    noise_or_floor = torch.where(true_noise <= noise_floor, torch.maximum(noise, noise_floor), noise)
    true_noise_or_floor = torch.maximum(true_noise, noise_floor)
    audible = torch.minimum(true_noise.amax((1, 2), keepdim=True) - 50, top - 90)
    matter = 0.15 + ((true_noise_or_floor - audible) / 60).clamp(0, 1)
    of_noise = (w * matter * (noise_or_floor - true_noise_or_floor).abs()).sum() / total / BAND_COUNT / 10

    matter = w * ((true_level[..., :SLOT_COUNT] - (top - 55)) / 55).clamp(0, 1) ** 2
    of_deviation = (matter * (deviation - true_deviation).abs()).sum() / (matter.sum() + 1e-3) * 6

    of_cents = (weight * (cents - true_cents).abs()).sum() / total / 30
    of_energy = (weight * (_energy_db(level, noise) - _energy_db(true_level, true_noise)).abs()).sum() / total / 10

    parts = torch.stack([of_level, of_loud, of_noise, of_deviation, of_cents, of_energy])
    return parts.sum(), parts.detach()


def _energy_db(level: Tensor, noise: Tensor) -> Tensor:
    partials = torch.pow(10.0, level.clamp(max=20) / 10).sum(-1) / 2
    return 10 * torch.log10(partials + torch.pow(10.0, noise.clamp(max=20) / 10).sum(-1) * 4 + 1e-9)
