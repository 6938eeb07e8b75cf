"""All distances of one decoding from its recording, and their summary over notes."""

import numpy as np

from ..metrics import (
    alike_long,
    crest_db,
    early_db,
    f0_cents,
    highest_ms,
    loudness_distance,
    mel_distance,
    onset_loudest,
    onset_strength_db,
    peak_ms,
    spectral_distance,
)
from ..soundfont import HELD_SECONDS

HELD_FRAMES = int(HELD_SECONDS * 48_000 / 1024)  # of `f0_cents`
ATTACK_SAMPLES = 4800
FIRST_SAMPLES = 1440  # 30 ms


def distances(reference: np.ndarray, other: np.ndarray, pitch: float) -> dict[str, float]:
    """Distances of a note of MIDI `pitch`. dB: `msls`, `mel`, `loudness` (A-weighted level, frame by frame),
    `attack_loudness` (of the first 100 ms), `first_mel` (mel distance of the first 30 ms), `crest` (|difference|).
    Cents: `tuning`, the f0 difference's median, as an absolute value; NaN where there is no f0."""
    reference, other = alike_long(reference, other)
    gap = (f0_cents(other, pitch) - f0_cents(reference, pitch))[:HELD_FRAMES]
    gap = gap[np.isfinite(gap)]
    return {
        "msls": spectral_distance(reference, other),
        "mel": mel_distance(reference, other),
        "loudness": loudness_distance(reference, other),
        "attack_loudness": loudness_distance(reference[:ATTACK_SAMPLES], other[:ATTACK_SAMPLES]),
        "first_mel": mel_distance(reference[:FIRST_SAMPLES], other[:FIRST_SAMPLES]),
        "crest": abs(crest_db(other) - crest_db(reference)),
        "tuning": float(abs(np.median(gap))) if len(gap) > 10 else float("nan"),
    }


def attack_distances(reference: np.ndarray, other: np.ndarray, pitch: float) -> dict[str, float]:
    """|differences| of the attack: `peak` and `highest`, ms, and `onset`, dB (`metrics.peak_ms`, `highest_ms`,
    `onset_strength_db`); `early`, dB, is not absolute: how much more there is in the first millisecond, against the
    loudest of the first 100."""
    loudest = onset_loudest(reference)
    return {
        "peak": abs(peak_ms(other, pitch) - peak_ms(reference, pitch)),
        "highest": abs(highest_ms(other, pitch) - highest_ms(reference, pitch)),
        "early": early_db(other) - early_db(reference),
        "onset": abs(onset_strength_db(other, loudest) - onset_strength_db(reference, loudest)),
    }


def summary(rows: list[dict[str, float]]) -> dict:
    """Mean and median of each figure over the notes that have it."""
    found = {"notes": len(rows)}
    for key in dict.fromkeys(k for row in rows for k in row):
        values = [row[key] for row in rows if key in row and np.isfinite(row[key])]
        if values:
            found[key] = {"mean": float(np.mean(values)), "median": float(np.median(values)), "of": len(values)}
    return found


def cell(found: dict, key: str, digits: int = 2) -> str:
    """`mean / median` of a summary, or a dash."""
    return f"{found[key]['mean']:.{digits}f} / {found[key]['median']:.{digits}f}" if key in found else "–"
