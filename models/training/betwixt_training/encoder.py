"""The encoder: audio and pitch -> embedding, one frame of 16 values in -1 .. 1 every 1536 samples."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import PITCH_CODE_WIDTH, CentredBlock, pitch_code
from .decoder import CENTS_DIM, DIMS, FRAMES_PER_EMBEDDING, LOUDNESS_DIM
from .front import CENTS_COLUMN, FRONT_WIDTH, LOUDNESS_COLUMN, Front

REACHES = (1, 2, 4)
AGE_WIDTH = 3


def age_code(frame: Tensor) -> Tensor:
    """Decoder frame number since the note's start `[...]` -> `[..., 3]`: how long ago the note was struck."""
    return torch.stack([torch.exp(-frame / 4), torch.exp(-frame / 16), torch.exp(-frame / 64)], -1)


class EncoderNet(nn.Module):
    """What the front hears -> embedding. About 1 M parameters.

    Two dimensions carry what the front measures, loudness and cents, corrected by the network; the rest is the network's."""

    def __init__(self, width: int = 208, hidden: int = 336):
        super().__init__()
        self.width = width
        self.first = nn.Linear(FRONT_WIDTH + AGE_WIDTH + PITCH_CODE_WIDTH, width)
        self.down = nn.Linear(FRAMES_PER_EMBEDDING * width, width)
        self.blocks = nn.ModuleList([CentredBlock(width, hidden, r) for r in REACHES])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, DIMS)

    def forward(self, heard: Tensor, pitch: Tensor, frame: Tensor) -> Tensor:
        """heard `[B, T, FRONT_WIDTH]` (T a multiple of 3), pitch `[B]`, frame `[B, T]` -> `[B, T / 3, 16]`."""
        batch, frames, _ = heard.shape
        code = pitch_code(pitch)[:, None].expand(batch, frames, -1)
        x = functional.gelu(self.first(torch.cat([heard, age_code(frame), code], -1)), approximate="tanh")
        x = self.down(x.reshape(batch, -1, FRAMES_PER_EMBEDDING * self.width))
        for block in self.blocks:
            x = block(x)
        found = torch.tanh(self.head(self.norm(x)))
        measured = heard[:, 1::FRAMES_PER_EMBEDDING]
        loudness = measured[..., LOUDNESS_COLUMN, None] + found[..., LOUDNESS_DIM, None]
        cents = measured[..., CENTS_COLUMN, None] + found[..., CENTS_DIM, None]
        return torch.cat([loudness.clamp(-1, 1), cents.clamp(-1, 1), found[..., CENTS_DIM + 1 :]], -1)


class Encoder(nn.Module):
    """Front and network in one: what `encoder.onnx` holds."""

    def __init__(self, net: EncoderNet):
        super().__init__()
        self.front = Front()
        self.net = net

    def forward(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """audio `[B, samples]`, pitch `[B]` -> embedding `[B, ceil(samples / 1536), 16]`."""
        heard = self.front(audio, pitch)
        frame = torch.arange(heard.shape[1], device=heard.device).float()[None].expand(heard.shape[0], -1)
        return self.net(heard, pitch, frame)
