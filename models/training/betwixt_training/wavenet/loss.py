"""What a decoder in 8 bits loses: how far its distributions are from those of float32, step by step, both fed the same notes.

The notes are synthesised here, so that the figure can be had, and had again, on any machine.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from .network import HOP_SAMPLES, SAMPLE_RATE

STEPS = 20_000  # of all notes together
_FULL_SCALE = 0.8


@dataclass(frozen=True)
class Loss:
    """`agreement`: share of the steps in which the likeliest class is the same; `divergence_nats`: mean over the steps of
    KL(float32 || 8 bits)."""

    agreement: float
    divergence_nats: float
    steps: int
    notes: int


def measure(exact, quantised, encoder: Path, steps: int = STEPS) -> Loss:
    """Compares two `step_runner.StepRunner`s that have played nothing yet. `encoder`: the graph file that makes their
    embeddings; `steps`: of all notes together."""
    notes = test_notes()
    length = -(-steps // len(notes))
    heard = notes[:, : -(-length // HOP_SAMPLES) * HOP_SAMPLES]
    embeddings = encode(encoder, heard)
    agreed, divergence = 0, 0.0
    previous = np.zeros(len(notes), np.float32)
    for n in range(length):
        embedding = np.ascontiguousarray(embeddings[:, n // HOP_SAMPLES])
        exact_log = log_softmax(exact.step(previous, embedding))
        quantised_log = log_softmax(quantised.step(previous, embedding))
        agreed += int((exact_log.argmax(1) == quantised_log.argmax(1)).sum())
        divergence += float((np.exp(exact_log) * (exact_log - quantised_log)).sum())
        previous = heard[:, n].copy()
    count = length * len(notes)
    return Loss(agreed / count, divergence / count, count, len(notes))


def encode(encoder: Path, audio: np.ndarray) -> np.ndarray:
    """Audio `[B, samples]` at 16 kHz -> embeddings `[B, frames, 16]`, through the graph file."""
    session = onnxruntime.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"audio": audio})[0]


def test_notes() -> np.ndarray:
    """Four notes of one second, f32 `[4, 16000]`: a low one with many harmonics, an organ, a bell that dies away, a breathy
    one with vibrato."""
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    low = sum(np.sin(2 * np.pi * 55 * k * t + k) / k for k in range(1, 40))
    organ = sum(np.sin(2 * np.pi * 220 * k * t) for k in (1, 2, 3, 4, 8)) * np.minimum(1, t / 0.02)
    bell = sum(np.exp(-(3 + 2 * k) * t) * np.sin(2 * np.pi * 440 * r * t) for k, r in enumerate((1, 2.76, 5.4, 8.93)))
    cycles = 330 * t + 0.6 * np.sin(2 * np.pi * 5 * t)
    breath = sum(0.5**k * np.sin(2 * np.pi * k * cycles) for k in range(1, 6)) + 0.05 * noise
    notes = np.stack([low, organ, bell, breath])
    return (_FULL_SCALE * notes / np.abs(notes).max(1, keepdims=True)).astype(np.float32)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logits `[B, 256]` -> logarithms of probabilities, f64."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
