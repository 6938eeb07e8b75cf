"""Does a recording that is not quite as told, in time, level, pitch and silence, still encode well?

Each disturbed note is encoded, decoded at the tuning of the undisturbed one, and compared with the recording (late
where it was made late): what stands in the table is how much further off it is than the undisturbed note's decoding.
"""

import numpy as np

from ..dataset import Dataset
from ..instrument import Instrument
from ..metrics import f0_cents, loudness_distance, mel_distance, own_tuning
from ..notes import HELD_INSTRUMENT, HELD_PITCH, Note
from .bench import Bench
from .distances import cell, summary
from .splits import split_notes

FLOOR_DB = -60.0  # re full scale; the notes' loudest window is at -20
# Name -> (semitones told wrong, samples late, gain dB, noise floor dB or None).
DISTURBANCES: dict[str, tuple[float, int, float, float | None]] = {
    "told 0.3 semitones high": (0.3, 0, 0.0, None),
    "told 0.3 semitones low": (-0.3, 0, 0.0, None),
    "200 samples late": (0.0, 200, 0.0, None),
    "500 samples late": (0.0, 500, 0.0, None),
    "6 dB softer": (0.0, 0, -6.0, None),
    "20 dB softer": (0.0, 0, -20.0, None),
    "noise at -60 dBFS": (0.0, 0, 0.0, FLOOR_DB),
}


def disturbed(audio: np.ndarray, late: int, gain_db: float, floor_db: float | None) -> np.ndarray:
    """The recording as it comes to the encoder."""
    moved = np.concatenate([np.zeros(late, np.float32), audio[: len(audio) - late]]) * np.float32(10 ** (gain_db / 20))
    if floor_db is None:
        return moved
    return moved + np.random.default_rng(4).standard_normal(len(audio), np.float32) * np.float32(10 ** (floor_db / 20))


def measure_note(model: Instrument, job: tuple[Note, np.ndarray]) -> dict[str, dict[str, float]]:
    """Disturbance -> what it adds to the mel and loudness distances, dB, and to the tuning, cents."""
    note, audio = job
    tuned = own_tuning(audio, note.pitch)
    plain = model.play(model.encode(audio, note.pitch), tuned)
    found = {}
    for name, (semitones, late, gain_db, floor_db) in DISTURBANCES.items():
        heard = model.play(model.encode(disturbed(audio, late, gain_db, floor_db), note.pitch + semitones), tuned)
        # the note itself, without noise or gain, as late as it was made
        there, before = disturbed(audio, late, 0.0, None), disturbed(plain, late, 0.0, None)
        gap = f0_cents(heard, tuned)[4:140] - f0_cents(plain, tuned)[4:140]
        gap = gap[np.isfinite(gap)]
        found[name] = {
            "mel": mel_distance(there, heard) - mel_distance(there, before),
            "loudness": loudness_distance(there, heard) - loudness_distance(there, before),
            "moved": mel_distance(before, heard),
            "tuning": abs(float(np.median(gap))) if len(gap) > 10 else float("nan"),
        }
    return found


def measure(bench: Bench, data: Dataset, count: int) -> dict:
    """Disturbance -> summary, over `count` notes, of held-out instruments and pitches."""
    notes = split_notes(data, HELD_INSTRUMENT, count // 2) + split_notes(data, HELD_PITCH, count - count // 2)
    jobs = ((n, audio) for n in notes if (audio := bench.sounds.render(n)) is not None)
    rows = bench.map(measure_note, jobs, "robustness")
    return {name: summary([r[name] for r in rows]) for name in DISTURBANCES}


def tables(found: dict) -> list[str]:
    """Markdown."""
    lines = [
        "| recording | mel, added dB | A-loudness, added dB | from the undisturbed decoding, mel dB | tuning moved, cents |",
        "|---|---|---|---|---|",
    ]
    for name, row in found.items():
        cells = [cell(row, k) for k in ("mel", "loudness", "moved", "tuning")]
        lines.append(f"| {name} ({row['notes']}) | " + " | ".join(cells) + " |")
    return lines
