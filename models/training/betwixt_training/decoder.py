"""The decoder: embedding and pitch at frame rate -> the columns of `columns.py`. Causal, with a small state."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import PITCH_CODE_WIDTH, CausalBlock, pitch_code
from .columns import AMPLITUDE_COUNT, BAND_COUNT, FRAME_WIDTH, SLOT_COUNT, SLOTS

DIMS = 16
FRAMES_PER_EMBEDDING = 3  # 3 * 512 samples = 32 ms
DELAYS = (1, 2, 4, 8)


def at_decoder_frames(embedding: Tensor) -> Tensor:
    """`[B, J, 16]` -> `[B, 3J, 16]`: embedding frame j sits at decoder frame 3j + 1, linear between, held at the ends."""
    held = torch.cat([embedding[:, :1], embedding, embedding[:, -1:]], 1)
    before, here, after = held[:, :-2], embedding, held[:, 2:]
    thirds = [before / 3 + here * 2 / 3, here, here * 2 / 3 + after / 3]
    return torch.stack(thirds, 2).reshape(embedding.shape[0], -1, embedding.shape[2])


class Decoder(nn.Module):
    """About 1 M parameters, all in per-frame matrix products."""

    def __init__(self, width: int = 192, hidden: int = 384):
        super().__init__()
        self.width = width
        self.first = nn.Linear(DIMS + PITCH_CODE_WIDTH, width)
        self.second = nn.Linear(width, width)
        self.blocks = nn.ModuleList([CausalBlock(width, hidden, d) for d in DELAYS])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, FRAME_WIDTH)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        slope = torch.tensor(0.02 * np.minimum(SLOTS / 8, 1), dtype=torch.float32)
        self.register_buffer("near_slope", slope, persistent=False)

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
        amplitude, deviation, cents, noise = y.split([AMPLITUDE_COUNT, SLOT_COUNT, 1, BAND_COUNT], -1)
        # A nearly dead zone, the deader the lower the slot, keeps harmonic sounds harmonic and in tune; inharmonic ones
        # reach out of it.
        deviation = self.near_slope * deviation + 0.4 * functional.softshrink(deviation, 0.25)
        return (
            amplitude * 40 - 70,
            0.5 * torch.tanh(2 * deviation),
            50 * torch.tanh(cents[..., 0]),
            noise * 40 - 90,
            *following,
        )
