"""The level at which the encoder hears a note, as the engine applies it too."""

import numpy as np

WINDOW_SAMPLES = 2048
HOP_SAMPLES = 1024
TARGET_RMS = 0.1  # -20 dBFS
SILENT_RMS = 1e-7


def encoder_gain(audio: np.ndarray) -> float | None:
    """Gain that brings the loudest 2048-sample window (hop 1024, the last one padded with zeros) of mono `audio` to
    -20 dBFS rms, or None if there is nothing to hear."""
    windows = max(1, -(-(len(audio) - WINDOW_SAMPLES) // HOP_SAMPLES) + 1)
    padded = np.zeros((windows + 1) * HOP_SAMPLES)
    padded[: len(audio)] = audio
    energy = (padded.reshape(-1, HOP_SAMPLES) ** 2).sum(1)
    rms = np.sqrt((energy[:-1] + energy[1:]).max() / WINDOW_SAMPLES)
    return float(TARGET_RMS / rms) if rms > SILENT_RMS else None
