"""Decoded factory sounds as they are played: in tune at every pitch, without clicks, and like themselves more than like
others."""

import numpy as np

from ..columns import HOP_SAMPLES
from ..instrument import Instrument
from ..metrics import ACTIVE_DB, RANGE_DB, alike_long, boundary_energy_ratio, click_crest, f0_cents, mel_db
from ..recordings import RECORDINGS
from .bench import Bench
from .distances import HELD_FRAMES

TUNING_PITCHES = range(36, 85, 8)
SEPARATION_PITCHES = (48, 60)


def measure_sound(model: Instrument, job: tuple[np.ndarray, int]) -> dict:
    """Tuning errors, absolute cents; seams and clicks of recording and decoding; mel spectrograms at the separation's
    pitches."""
    audio, pitch = job
    embedding = model.encode(audio, pitch)
    cents = [f0_cents(model.play(embedding, p), p)[4:HELD_FRAMES] for p in TUNING_PITCHES]
    cents = [c[np.isfinite(c)] for c in cents]
    clicks = lambda x: (boundary_energy_ratio(x, HOP_SAMPLES), click_crest(x))
    return {
        "tuning": [abs(float(np.median(c))) for c in cents if len(c) > 10],
        "recording": clicks(audio),
        "model": clicks(model.play(embedding, pitch)),
        "mel": {p: mel_db(model.play(embedding, p)) for p in SEPARATION_PITCHES},
    }


def measure(bench: Bench) -> dict:
    """The three of them."""
    recorded = lambda r, pitch: bench.sounds.note(r.font, r.program, pitch, r.velocity)
    rows = bench.map(measure_sound, ((recorded(r, r.pitch), r.pitch) for r in RECORDINGS), "playing")
    errors = [e for row in rows for e in row["tuning"]]
    found = {
        "tuning": {
            "notes": len(errors), "mean": float(np.mean(errors)), "median": float(np.median(errors)),
            "p95": float(np.percentile(errors, 95)), "max": float(np.max(errors)),
        },
        "clicks": {name: _clicks([row[name] for row in rows]) for name in ("recording", "model")},
        "separation": {},
    }  # fmt: skip
    for pitch in SEPARATION_PITCHES:
        theirs = [mel_db(recorded(r, pitch)) for r in RECORDINGS]
        gaps = np.array([[_mel_gap(reference, row["mel"][pitch]) for reference in theirs] for row in rows])
        rank = (gaps < np.diag(gaps)[:, None]).sum(1)
        found["separation"][str(pitch)] = {
            "nearest_is_own": int((rank == 0).sum()),
            "own_in_nearest_3": int((rank < 3).sum()),
            "of": len(rank),
        }
    return found


def _clicks(rows: list[tuple[float, float]]) -> dict[str, float]:
    seams, crests = np.array(rows).T
    return {
        "seam_energy_ratio_median": float(np.median(seams)),
        "seam_energy_ratio_max": float(seams.max()),
        "largest_crest_db_median": float(np.median(crests)),
        "largest_crest_db_max": float(crests.max()),
    }


def _mel_gap(reference: np.ndarray, other: np.ndarray) -> float:
    """`metrics.mel_distance` of spectrograms already made."""
    a, b = alike_long(reference, other)
    floor = a.max() - RANGE_DB
    active = np.maximum(a.max(1), b.max(1)) > a.max() - ACTIVE_DB
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def tables(found: dict) -> list[str]:
    """Markdown."""
    t = found["tuning"]
    lines = [
        f"Tuning of {t['notes']} decoded notes ({len(RECORDINGS)} factory sounds at {len(TUNING_PITCHES)} pitches) against the pitch asked "
        f"for, cents: mean {t['mean']:.2f}, median {t['median']:.2f}, 95 % {t['p95']:.2f}, largest {t['max']:.2f}.",
        "",
        "| clicks | seam energy ratio, median | largest | largest crest dB, median | largest |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | " + " | ".join(f"{v:.2f}" for v in row.values()) + " |" for name, row in found["clicks"].items()
    ]
    for pitch, s in found["separation"].items():
        lines += ["", f"Decoded at MIDI {pitch}, the nearest of all {s['of']} recordings there is its own: {s['nearest_is_own']}; among the "
                  f"nearest three: {s['own_in_nearest_3']}."]  # fmt: skip
    return lines
