"""Spectrograms of recordings beside what the model makes of them. Needs matplotlib (the extra `pictures`)."""

from pathlib import Path

import numpy as np

from .metrics import magnitudes


def spectrograms(path: Path, signals: dict[str, np.ndarray], columns: int = 2) -> None:
    """One panel a signal (48 kHz), 0 to 24 kHz, 80 dB deep, as PNG at `path`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(signals) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(6 * columns, 2.4 * rows), squeeze=False)
    for axis, (title, audio) in zip(axes.flat, signals.items()):
        level = 20 * np.log10(magnitudes(audio, 2048, 512) + 1e-6)
        extent = [0, len(audio) / 48_000, 0, 24]
        axis.imshow(level.T, origin="lower", aspect="auto", vmin=-100, vmax=-20, extent=extent)
        axis.set_title(title, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)
