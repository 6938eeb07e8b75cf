"""The decoder: embedding and pitch at frame rate -> the columns of `columns.py`. Causal, with a small state."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import PITCH_CODE_WIDTH, CausalBlock, pitch_code
from .columns import AMPLITUDE_COUNT, BAND_COUNT, FRAME_WIDTH, SLOT_COUNT, SLOTS
from .loudness import (
    BAND_WEIGHTS_DB,
    COLUMN_WEIGHTS_DB,
    LOUDNESS_MIDDLE_DB,
    LOUDNESS_REACH_DB,
    PER_DB,
    PITCH_COUNT,
)

DIMS = 16
# What two dimensions mean, so that level and vibrato survive, and blends of them are what a producer expects; the rest is learnt.
LOUDNESS_DIM, CENTS_DIM = 0, 1
FRAMES_PER_EMBEDDING = 3  # 3 * 512 samples = 32 ms
DELAYS = (1, 2, 4, 8)
SPECTRUM_COUNT = AMPLITUDE_COUNT + BAND_COUNT


def at_decoder_frames(embedding: Tensor) -> Tensor:
    """`[B, J, 16]` -> `[B, 3J, 16]`: embedding frame j sits at decoder frame 3j + 1, linear between, held at the ends."""
    held = torch.cat([embedding[:, :1], embedding, embedding[:, -1:]], 1)
    before, here, after = held[:, :-2], embedding, held[:, 2:]
    thirds = [before / 3 + here * 2 / 3, here, here * 2 / 3 + after / 3]
    return torch.stack(thirds, 2).reshape(embedding.shape[0], -1, embedding.shape[2])


class Decoder(nn.Module):
    """All in per-frame matrix products. The network makes a spectrum's shape; its loudness is the embedding's, and the
    network's correction, so that no blend of two sounds is louder or softer than what lies between them."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.width = width
        self.first = nn.Linear(DIMS + PITCH_CODE_WIDTH, width)
        self.second = nn.Linear(width, width)
        self.blocks = nn.ModuleList([CausalBlock(width, hidden, d) for d in DELAYS])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, FRAME_WIDTH + 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[AMPLITUDE_COUNT:SPECTRUM_COUNT] = -0.5  # noise begins 20 dB under the partials
        # Written so that the graph has few nodes: softshrink is a line less a clamped line.
        slope = torch.tensor(0.04 * np.minimum(SLOTS / 8, 1) + 0.8, dtype=torch.float32)
        self.register_buffer("slope", slope, persistent=False)
        bands = torch.from_numpy(BAND_WEIGHTS_DB)[None].expand(PITCH_COUNT, -1)
        weights = torch.cat([torch.from_numpy(COLUMN_WEIGHTS_DB), bands], 1) * PER_DB
        self.register_buffer("weights", weights, persistent=False)

    def start(self, batch: int) -> list[Tensor]:
        """The state at the start of a note: zeros `[batch, delay, width]`, one a block."""
        return [torch.zeros(batch, d, self.width) for d in DELAYS]

    def forward(self, embedding: Tensor, pitch: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """embedding `[B, F, 16]`, pitch `[B, F]`, state as `start` -> amplitude_db `[B, F, 112]`,
        deviation `[B, F, 80]`, cents `[B, F]`, noise_db `[B, F, 64]`, then the next state."""
        x = torch.cat([embedding, pitch_code(pitch)], -1)
        x = self.second(functional.gelu(self.first(x), approximate="tanh"))
        following = []
        for block, past in zip(self.blocks, state, strict=True):
            x, past = block(x, past)
            following.append(past)
        y = self.head(self.norm(x)).float()
        spectrum, deviation, cents, correction = y.split([SPECTRUM_COUNT, SLOT_COUNT, 1, 1], -1)
        measured = embedding[..., :2].float().clamp(-1, 1)  # a blend pushed past the edge is not to deafen
        loudness_db = measured[..., :1] * LOUDNESS_REACH_DB + (LOUDNESS_MIDDLE_DB + 10 * correction)
        # The softmax makes the weighted powers of a frame's columns add up to 1; row by row, whatever the batch.
        weights = self.weights[pitch.round().clamp(0, PITCH_COUNT - 1).long()]
        shape = torch.log_softmax(spectrum * (40 * PER_DB) + weights, -1) - weights
        amplitude, noise = (shape * (1 / PER_DB) + loudness_db).split([AMPLITUDE_COUNT, BAND_COUNT], -1)
        # A nearly dead zone, the deader the lower the slot, keeps harmonic sounds harmonic and in tune; inharmonic ones
        # reach out of it.
        deviation = self.slope * deviation - 0.8 * deviation.clamp(-0.25, 0.25)
        return (
            amplitude,
            0.5 * torch.tanh(deviation),
            100 * measured[..., 1] + 50 * torch.tanh(cents[..., 0]),
            noise,
            *following,
        )
