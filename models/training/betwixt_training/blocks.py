"""The building stones of both networks: a residual block of plain matrix products, and the code of a pitch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PITCH_CODE_WIDTH = 25


def pitch_code(pitch: Tensor) -> Tensor:
    """MIDI pitch `[...]` (fractional) -> `[..., 25]`: 24 radial bumps 3.65 semitones apart, and the pitch itself."""
    centres = torch.linspace(18, 102, PITCH_CODE_WIDTH - 1, device=pitch.device)
    bumps = torch.exp(-0.5 * ((pitch[..., None] - centres) / 4.5) ** 2)
    return torch.cat([bumps, (pitch[..., None] - 60) / 36], -1)


class CausalBlock(nn.Module):
    """x + MLP(LN(x), LN(x) `delay` frames earlier). Its state is the last `delay` normalised frames."""

    def __init__(self, width: int, hidden: int, delay: int):
        super().__init__()
        self.delay = delay
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(2 * width, hidden)
        self.outer = nn.Linear(hidden, width)
        nn.init.normal_(self.outer.weight, std=0.02)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x `[B, F, width]`, state `[B, delay, width]` -> the same two shapes."""
        now = self.norm(x)
        history = torch.cat([state, now], 1)
        pair = torch.cat([now, history[:, : now.shape[1]]], -1)
        y = x + self.outer(functional.gelu(self.inner(pair), approximate="tanh"))
        return y, history[:, now.shape[1] :]


class CentredBlock(nn.Module):
    """x + MLP(LN(x) `reach` frames earlier, now, and `reach` frames later); zeros beyond the ends."""

    def __init__(self, width: int, hidden: int, reach: int):
        super().__init__()
        self.reach = reach
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(3 * width, hidden)
        self.outer = nn.Linear(hidden, width)
        nn.init.normal_(self.outer.weight, std=0.02)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x `[B, F, width]` -> `[B, F, width]`."""
        now = self.norm(x)
        padded = functional.pad(now, (0, 0, self.reach, self.reach))
        frames = x.shape[1]
        triple = torch.cat([padded[:, :frames], now, padded[:, 2 * self.reach :]], -1)
        return x + self.outer(functional.gelu(self.inner(triple), approximate="tanh"))
