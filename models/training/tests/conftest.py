"""What several tests share: tones whose every partial is known, and a tiny data set made of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from betwixt_training.columns import SAMPLE_RATE, midi_to_hz
from betwixt_training.dataset import make_dataset
from betwixt_training.notes import HELD_INSTRUMENT, HELD_PITCH, TRAIN, Note
from betwixt_training.soundfont import NOTE_SAMPLES


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def tone(pitch: float, brightness: float = 0.5, seconds: float = 4.0, decay: float = 1.0) -> np.ndarray:
    """Twelve harmonics of amplitude 0.1 * brightness ** (k - 1), decaying by `decay` nepers a second."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f0_hz = float(midi_to_hz(pitch))
    partials = [
        0.1 * brightness ** (k - 1) * np.sin(2 * np.pi * k * f0_hz * t + k)
        for k in range(1, 13)
        if k * f0_hz < 20_000
    ]
    return (np.sum(partials, 0) * np.exp(-decay * t)).astype(np.float32)


@dataclass(frozen=True)
class ToneSource:
    """Stands where the soundfonts stand: a program is a brightness."""

    def open(self):
        def render(note: Note) -> np.ndarray:
            return tone(note.pitch, 0.2 + 0.1 * (note.program % 8))[:NOTE_SAMPLES]

        return render


TINY_NOTES = [Note("tones", program, pitch, 100, TRAIN) for program in (1, 4) for pitch in (55, 62)] + [
    Note("tones", 1, 59, 90, HELD_PITCH),
    Note("tones", 6, 60, 100, HELD_INSTRUMENT),
]
TINY_SHARD = 2


@pytest.fixture(scope="session")
def tiny_work(tmp_path_factory) -> Path:
    """A work folder whose data are six tones; tests must not change it."""
    work = tmp_path_factory.mktemp("work")
    make_dataset(work / "data", TINY_NOTES, ToneSource(), 1, TINY_SHARD, log=lambda line: None)
    return work
