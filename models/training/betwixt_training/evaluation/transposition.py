"""Encoded once, decoded at another pitch, against the font's own note there.

Beside it: the note encoded at the target pitch (what the model could do at best), and the recording, plainly resampled
(compared until either's release). Decoded at the tuning of the font's own note. A font's note at another key is often
another sample, another string or register, so that even a perfect transposition has a distance.
"""

from dataclasses import dataclass

import numpy as np

from ..instrument import Instrument
from ..metrics import own_tuning
from ..notes import is_held_out
from .bench import Bench
from .crepe import f0_error
from .distances import cell, distances, summary
from .goals import Goal
from .sounds import held_samples, resampled

STEPS = (-24, -12, -5, 5, 12, 24)
SIZES = (5, 12, 24)
TRANSPOSED, BOUND, SAMPLER = "transposed", "encoded at the target pitch", "resampled"
# General MIDI programs and pitches, from all families, whose octaves above and below the font also holds.
KNOWN = (
    (0, 60), (4, 55), (11, 65), (16, 62), (19, 57), (24, 52), (25, 57), (32, 43), (33, 40), (40, 67), (42, 50),
    (48, 60), (52, 60), (56, 65), (60, 57), (65, 60), (71, 64), (73, 72), (75, 72), (81, 55), (89, 60), (104, 60),
)  # fmt: skip
# The programs that training has in no font.
HELD_OUT = (
    (8, 72), (18, 60), (28, 52), (38, 40), (48, 60), (58, 43), (68, 69), (78, 76), (88, 60), (98, 64), (108, 65),
)  # fmt: skip
LISTS = {"held-out instruments": HELD_OUT, "22 sounds of all families": KNOWN}


@dataclass
class Job:
    """A note and the font's own notes at other pitches."""

    audio: np.ndarray
    pitch: int
    targets: dict[int, np.ndarray]  # by step


def measure_note(model: Instrument, job: Job) -> dict[int, dict[str, dict]]:
    """Step -> system -> distances."""
    embedding = model.encode(job.audio, job.pitch)
    found = {}
    for step, reference in job.targets.items():
        target = job.pitch + step
        tuned = own_tuning(reference, target)
        there = model.play(model.encode(reference, target), tuned)
        sampler, until = resampled(job.audio, step), held_samples(step)
        moved = model.play(embedding, tuned)
        found[step] = {
            TRANSPOSED: distances(reference, moved, tuned),
            BOUND: distances(reference, there, tuned),
            SAMPLER: distances(reference[:until], sampler[:until], tuned),
        }
        if abs(step) == 12:  # CREPE takes longer than all the rest
            found[step][TRANSPOSED] |= f0_error(reference, moved, target) or {}
    return found


def jobs(bench: Bench, programs) -> list[Job]:
    """Of the font `fluid`; targets out of the recorded range are left out."""
    found = []
    for program, pitch in programs:
        targets = {}
        for step in STEPS:
            if bench.sounds.has("fluid", program, pitch + step):
                audio = bench.sounds.note("fluid", program, pitch + step)
                if audio is not None:
                    targets[step] = audio
        found.append(Job(bench.sounds.note("fluid", program, pitch), pitch, targets))
    return found


def measure(bench: Bench) -> dict:
    """List -> step size -> system -> summary."""
    assert all(is_held_out(program) for program, _ in HELD_OUT)
    found: dict = {}
    for name, programs in LISTS.items():
        rows = bench.map(measure_note, jobs(bench, programs), f"transposition, {name}")
        found[name] = {}
        for size in SIZES:
            of_size = [r[step] for r in rows for step in (-size, size) if step in r]
            found[name][str(size)] = {s: summary([r[s] for r in of_size]) for s in (TRANSPOSED, BOUND, SAMPLER)}
    return found


def tables(found: dict) -> list[str]:
    """Markdown."""
    heads = ("MSLS dB", "mel dB", "A-loudness dB", "tuning, cents", "F0 outliers, %")
    lines = ["| sounds | semitones | decoded | " + " | ".join(heads) + " |", "|---" * (len(heads) + 3) + "|"]
    for name, sizes in found.items():
        for size, systems in sizes.items():
            for system, row in systems.items():
                outliers = f"{100 * row['outliers']['mean']:.2f}" if "outliers" in row else "–"
                cells = [cell(row, k) for k in ("msls", "mel", "loudness", "tuning")] + [outliers]
                lines.append(f"| {name} ({row['notes']}) | ±{size} | {system} | " + " | ".join(cells) + " |")
    return lines


def goals(found: dict) -> list[Goal]:
    """Done when 2."""
    wanted = []
    for name, sizes in found.items():
        row = sizes["12"][TRANSPOSED]
        wanted.append(Goal(f"transposed ±12, {name}: mel distance, dB", row["mel"]["mean"], 3.0))
        wanted.append(Goal(f"transposed ±12, {name}: A-loudness L1, dB", row["loudness"]["mean"], 2.0))
    return wanted
