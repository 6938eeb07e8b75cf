"""What lies between two notes: the targets of training items whose embedding is a blend of two.

Levels are interpolated in dB, floored where the ear loses them, and the loudness is put back to what lies between the
parents', for two spectra that have little in common would leave a hole. How far along that way a blend is, is not its
share but the share's part of the way as the ear goes it: of the mel distance travelled, frame by frame. So equal steps of
a blend are equal steps to the ear, and the middle is as far from the one parent as from the other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .columns import AMPLITUDE, CENTS, DEVIATION, NOISE, SLOT_COUNT
from .decoder import FRAMES_PER_EMBEDDING
from .losses import MEL_ACTIVE_DB, MEL_RANGE_DB, loudness_db, top_db
from .mel import mel_of_columns

# How far under a note's loudest what is not there begins to come in. Higher, and the parents would show a step; lower, and
# the way would begin below what is heard. Partials, noise density, loudness.
FLOOR_DB, NOISE_FLOOR_DB, LOUDNESS_FLOOR_DB = 72.0, 92.0, 66.0
NODES = 11  # of the way, at which its length is measured
LEAST_STEP_DB = 1e-3  # where nothing is heard, shares are taken as they are


def mixed_columns(
    first: Tensor, second: Tensor, share: Tensor, pitch: Tensor, loudest: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Columns `[B, T, 257]` of two notes of pitch `[B]`, T a multiple of 3, `share` `[B]` of the second -> columns of what
    lies between. `loudest`: each note's loudest frame `[B, 257]`, if the columns are a part of them only."""
    way = _Way.between(first, second, pitch, loudest or (first[:, 0], second[:, 0]))
    along = way.at_share(share)
    straight = share[:, None].expand_as(along)
    spectrum = way.spectrum(along, torch.maximum(way.loudness(along), way.loudness(straight)))
    # A partial lies where the stronger parent has it.
    weight_a = (1 - along[..., None]) * torch.pow(10.0, way.first[0][..., :SLOT_COUNT] / 10)
    weight_b = along[..., None] * torch.pow(10.0, way.second[0][..., :SLOT_COUNT] / 10)
    deviation = (weight_a * first[..., DEVIATION] + weight_b * second[..., DEVIATION]) / (weight_a + weight_b + 1e-30)
    cents = torch.lerp(first[..., CENTS], second[..., CENTS], straight)[..., None]
    return torch.cat([spectrum[0], deviation, cents, spectrum[1]], -1)


@dataclass(frozen=True)
class _Way:
    """From one note's spectrum to another's."""

    pitch: Tensor  # [B]
    first: tuple[Tensor, Tensor]  # level and noise, floored, [B, T, ...]
    second: tuple[Tensor, Tensor]
    loudness_ends: tuple[Tensor, Tensor]  # of both, [B, T]
    peak: Tensor  # the highest mel band of both, [B]

    @staticmethod
    def between(first: Tensor, second: Tensor, pitch: Tensor, loudest: tuple[Tensor, Tensor]) -> "_Way":
        """Of two notes' columns `[B, T, 257]` and their loudest frames `[B, 257]`."""
        (of_a, loudness_a, peak_a), (of_b, loudness_b, peak_b) = (
            _floored(columns, frame, pitch) for columns, frame in ((first, loudest[0]), (second, loudest[1]))
        )
        return _Way(pitch, of_a, of_b, (loudness_a, loudness_b), torch.maximum(peak_a, peak_b))

    def loudness(self, along: Tensor) -> Tensor:
        """A-weighted level `[B, T]` at `along` `[B, T]`, linear in dB."""
        return torch.lerp(*self.loudness_ends, along)

    def spectrum(self, along: Tensor, loudness: Tensor) -> tuple[Tensor, Tensor]:
        """Level and noise at `along` `[B, T]`, as loud as `loudness` `[B, T]`."""
        level, noise = (torch.lerp(a, b, along[..., None]) for a, b in zip(self.first, self.second))
        gain = (loudness - loudness_db(level, noise, self.pitch))[..., None]
        return level + gain, noise + gain

    def at_share(self, share: Tensor) -> Tensor:
        """How far along the way `[B, T]` as much of it has been heard as `share` `[B]` says; one for three frames."""
        thin = self.every_third()
        mels = []
        for node in torch.linspace(0, 1, NODES):
            along = node.expand(thin.loudness_ends[0].shape)
            mels.append(mel_of_columns(*thin.spectrum(along, thin.loudness(along)), self.pitch))
        mel = torch.stack(mels)
        peak = torch.maximum(self.peak, mel[[0, -1]].amax((0, 2, 3)))[:, None, None]
        heard = (mel.amax((0, 3)) > peak[..., 0] - MEL_ACTIVE_DB).float()
        mel = torch.maximum(mel, peak - MEL_RANGE_DB)
        steps = (mel[1:] - mel[:-1]).abs().mean(3) * heard + LEAST_STEP_DB
        length = torch.cat([torch.zeros_like(steps[:1]), steps.cumsum(0)])
        length = length / length[-1:]
        node = (length[1:-1] <= share[:, None]).sum(0)  # of the piece of the way in which the share lies
        before, after = (length.gather(0, (node + i)[None])[0] for i in (0, 1))
        along = (node + (share[:, None] - before) / (after - before)) / (NODES - 1)
        return along.clamp(0, 1).repeat_interleave(FRAMES_PER_EMBEDDING, 1)

    def every_third(self) -> "_Way":
        """Of the middle one of each three frames only."""
        third = lambda of: tuple(x[:, 1::FRAMES_PER_EMBEDDING] for x in of)
        thirds = (third(x) for x in (self.first, self.second, self.loudness_ends))
        return _Way(self.pitch, *thirds, self.peak)


def _floored(columns: Tensor, loudest: Tensor, pitch: Tensor):
    """(level, noise) and loudness of columns `[B, T, 257]`, floored by the whole note's, and its highest mel band `[B]`."""
    all_of_it = torch.cat([columns, loudest[:, None]], 1)
    level, noise = all_of_it[..., AMPLITUDE], all_of_it[..., NOISE]
    loudness = loudness_db(level, noise, pitch)
    loudness = torch.maximum(loudness, loudness.amax(1, keepdim=True) - LOUDNESS_FLOOR_DB)
    peak = mel_of_columns(level[:, -1:], noise[:, -1:], pitch).amax((1, 2))
    top = top_db(level, noise)
    floored = torch.maximum(level, top - FLOOR_DB), torch.maximum(noise, top - NOISE_FLOOR_DB)
    return tuple(x[:, :-1] for x in floored), loudness[:, :-1], peak
