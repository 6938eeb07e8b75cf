"""Spectrograms of recordings beside what the model makes of them, as PNG. Needs matplotlib (the extra `pictures`)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .metrics import magnitudes
from .soundfont import Missing

LINES_WINDOW_SAMPLES, LINES_HOP_SAMPLES = 4096, 512
ATTACK_WINDOW_SAMPLES, ATTACK_HOP_SAMPLES = 256, 32
LOWEST_DB, HIGHEST_DB = -100, -20


@dataclass
class Panel:
    """One spectrogram: `audio` (48 kHz) from 0 Hz to `top_khz`, its lines resolved or, with `attack`, its time."""

    title: str
    audio: np.ndarray
    top_khz: float = 24.0
    attack: bool = False


def spectrogram_page(path: Path, rows: list[list[Panel]]) -> None:
    """A PNG at `path`, 80 dB deep, with the panels row by row. Raises `Missing` without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise Missing("pictures need matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = max(len(row) for row in rows)
    figure, axes = pyplot.subplots(len(rows), columns, figsize=(4 * columns, 2 * len(rows)), squeeze=False)
    for row, of_row in zip(rows, axes):
        for axis in of_row[len(row) :]:
            axis.axis("off")
        for panel, axis in zip(row, of_row):
            window, hop = LINES_WINDOW_SAMPLES, LINES_HOP_SAMPLES
            if panel.attack:
                window, hop = ATTACK_WINDOW_SAMPLES, ATTACK_HOP_SAMPLES
            level = 20 * np.log10(magnitudes(panel.audio, window, hop) + 1e-6)
            seconds = len(panel.audio) / 48_000
            axis.imshow(
                level.T,
                origin="lower",
                aspect="auto",
                vmin=LOWEST_DB,
                vmax=HIGHEST_DB,
                extent=[0, seconds, 0, 24],
                cmap="magma",
            )
            axis.set_ylim(0, panel.top_khz)
            axis.set_title(panel.title, fontsize=8)
            axis.tick_params(labelsize=6)
    figure.tight_layout(pad=0.4)
    figure.savefig(path, dpi=75)
    pyplot.close(figure)
