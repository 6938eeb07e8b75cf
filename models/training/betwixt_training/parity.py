"""Are the exported graphs what was trained? Figures, on seeded input; each is a largest absolute difference, but for what 8-bit
weights lose, which are means."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from .columns import SAMPLE_RATE, midi_to_hz
from .decoder import DIMS, Decoder
from .encoder import Encoder, EncoderNet
from .export import COLUMNS, export_decoder
from .instrument import Graphs, session
from .level import TARGET_RMS

# What is allowed between ONNX Runtime and PyTorch: rounding of float32 in another order.
ALLOWED = {"embedding": 1e-3, "amplitude_db": 1e-2, "deviation": 1e-4, "cents": 1e-2, "noise_db": 1e-2}
# What 8-bit weights may lose, on average.
ALLOWED_LOSS = {"level_db": 0.2, "flutter_db": 0.15, "noise_db": 0.3, "cents": 0.15, "deviation": 2e-3}


def probe_audio(pitch: float, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A decaying harmonic tone with some noise, f32."""
    t = np.arange(samples) / SAMPLE_RATE
    tone = sum(0.5**k * np.sin(2 * np.pi * (k + 1) * midi_to_hz(pitch) * t) for k in range(6))
    tone = tone * np.exp(-2 * t) + 0.01 * rng.standard_normal(samples)
    return (tone * TARGET_RMS).astype(np.float32)


def probe_frames(frames: int, pitches: list[float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wandering embeddings in -1 .. 1 `[B, frames, 16]` and pitches `[B, frames]`."""
    walk = np.cumsum(rng.standard_normal((len(pitches), frames, DIMS)) * 0.2, 1)
    return np.tanh(walk).astype(np.float32), np.repeat(np.float32(pitches)[:, None], frames, 1)


def against_torch(folder: Path, encoder: EncoderNet, decoder: Decoder) -> dict[str, float]:
    """ONNX Runtime (one CPU thread) against PyTorch, by output: the encoder as it lies in `folder`, the decoder as it would be
    without 8-bit weights."""
    graphs, rng = Graphs(folder), np.random.default_rng(0)
    whole = Encoder(encoder).eval()
    found = dict.fromkeys(ALLOWED, 0.0)
    with torch.no_grad():
        for pitch, samples in ((28.5, 100_001), (60.0, 48_000), (96.0, 1_000)):
            audio = probe_audio(pitch, samples, rng)[None]
            ours = graphs.encode(audio, np.float32([pitch]))
            theirs = whole(torch.from_numpy(audio), torch.tensor([pitch])).numpy()
            assert ours.shape == theirs.shape == (1, -(-samples // 1536), DIMS)
            found["embedding"] = max(found["embedding"], float(np.abs(ours - theirs).max()))
        frames, pitches = probe_frames(150, [24.0, 60.25, 96.0], rng)
        with tempfile.TemporaryDirectory() as scratch:
            export_decoder(decoder, Path(scratch) / "decoder.onnx", None)
            inputs = {"embedding": frames, "pitch": pitches}
            inputs |= {f"state.{i}": state.numpy() for i, state in enumerate(decoder.start(3))}
            ours = session(Path(scratch) / "decoder.onnx").run(COLUMNS, inputs)
        theirs = decoder(torch.from_numpy(frames), torch.from_numpy(pitches), *decoder.start(3))[: len(COLUMNS)]
        for name, a, b in zip(COLUMNS, ours, theirs, strict=True):
            found[name] = float(np.abs(a - b.numpy()).max())
    return found


def quantisation_loss(folder: Path, decoder: Decoder, runs: list[tuple[np.ndarray, float]]) -> dict[str, float]:
    """What the 8-bit decoder in `folder` differs by from the network, means over `runs` (`export.typical_runs`): `level_db`
    (amplitudes, weighted by the amplitude), `flutter_db` (how much that moves from frame to frame), `noise_db` of all bands,
    `cents`, `deviation`."""
    graphs = Graphs(folder)
    rows = []
    with torch.no_grad():
        for frames, pitch in runs:
            frames, pitches = frames[None], np.full((1, len(frames)), pitch, np.float32)
            ours, _ = graphs.decode(frames, pitches, graphs.start(1))
            theirs = decoder(torch.from_numpy(frames), torch.from_numpy(pitches), *decoder.start(1))[: len(COLUMNS)]
            level, deviation, cents, noise = (ours[i][0] - theirs[i][0].numpy() for i in range(4))
            weight = 10 ** (theirs[0][0].numpy() / 20)
            weight = weight / weight.sum(1, keepdims=True)
            flutter = (np.abs(np.diff(level, axis=0)) * weight[1:]).sum(1)
            rows.append(
                [(np.abs(level) * weight).sum(1).mean(), flutter.mean()]
                + [np.abs(part).mean() for part in (noise, cents, deviation)]
            )
    return dict(zip(ALLOWED_LOSS, np.mean(rows, 0).tolist(), strict=True))


def state_passing(folder: Path) -> float:
    """A note decoded in runs of 1, 2, 4, 8, 16 and 33 frames against decoded at once: columns and final state."""
    graphs = Graphs(folder)
    frames, pitches = probe_frames(99, [43.0], np.random.default_rng(1))
    whole, last = graphs.decode(frames, pitches, graphs.start(1))
    worst = 0.0
    for run in (1, 2, 4, 8, 16, 33):
        state, pieces = graphs.start(1), []
        for first in range(0, frames.shape[1], run):
            piece, state = graphs.decode(frames[:, first : first + run], pitches[:, first : first + run], state)
            pieces.append(piece)
        joined = [np.concatenate(column, 1) for column in zip(*pieces)]
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip([*whole, *last], [*joined, *state])))
    return worst


def batching(folder: Path) -> dict[str, float]:
    """A batch of notes against each note alone, for runs of 1 to 16 frames (decoder), and for equal pitches and for mixed
    ones (encoder)."""
    graphs, rng = Graphs(folder), np.random.default_rng(2)
    pitches = [28.0, 45.0, 60.5, 72.0, 90.0]
    found = {"decoder": 0.0}
    for count in (1, 2, 4, 8, 16):
        frames, pitch = probe_frames(count, pitches, rng)
        together, _ = graphs.decode(frames, pitch, graphs.start(len(pitches)))
        for i in range(len(pitches)):
            alone, _ = graphs.decode(frames[i : i + 1], pitch[i : i + 1], graphs.start(1))
            found["decoder"] = max(found["decoder"], *(float(np.abs(a[i] - b[0]).max()) for a, b in zip(together, alone)))
    for name, told in (("encoder_one_pitch", [60.0] * 3), ("encoder_mixed_pitches", [28.0, 60.0, 90.0])):
        audio, pitch = np.stack([probe_audio(p, 48_000, rng) for p in told]), np.float32(told)
        together = graphs.encode(audio, pitch)
        alone = [graphs.encode(audio[i : i + 1], pitch[i : i + 1])[0] for i in range(len(told))]
        found[name] = float(np.abs(together - np.stack(alone)).max())
    return found
