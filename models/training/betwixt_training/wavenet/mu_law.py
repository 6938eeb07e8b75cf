"""NSynth's mu-law: audio in -1 .. 1 <-> whole numbers -128 .. 127 (magenta `models/nsynth/utils.py`)."""

import numpy as np

MU = 255
LEVELS = 256


def encode(audio: np.ndarray) -> np.ndarray:
    """Audio of any shape, clipped to -1 .. 1 -> int32 -128 .. 127."""
    audio = np.clip(np.asarray(audio, np.float32), -1, 1)
    level = np.sign(audio) * np.log(1 + MU * np.abs(audio)) / np.float32(np.log(1 + MU))
    # +1.0 itself would be 128.
    return np.minimum(np.floor(level * (LEVELS // 2)), LEVELS // 2 - 1).astype(np.int32)


def decode(levels: np.ndarray) -> np.ndarray:
    """Whole numbers -128 .. 127 of any shape -> audio f32, the middle of the level; 0 is silence."""
    level = (np.asarray(levels, np.float32) + 0.5) * np.float32(2 / LEVELS)
    audio = np.sign(level) / MU * (np.power(np.float32(1 + MU), np.abs(level)) - 1)
    return np.where(np.asarray(levels) == 0, 0, audio).astype(np.float32)


def inflow(audio: np.ndarray) -> np.ndarray:
    """What the network hears of audio: its level in -1 .. 1, f32."""
    return encode(audio).astype(np.float32) / (LEVELS // 2)
