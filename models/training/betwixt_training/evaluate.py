"""How good a trained model is, on notes that training never saw: `evaluation.json` and `evaluation.md` in the work folder.

Every figure compares audio with audio: the model's decoding, and its ceiling (analysis and resynthesis without a network),
with the rendered note. The ceiling's and the model's notes are decoded at the note's own tuning, which the model takes out.
"""

import json
from pathlib import Path

import numpy as np

from . import synthesis
from .analysis import analyse
from .columns import CENTS, HOP_SAMPLES
from .dataset import FRAMES, Dataset, in_tune
from .instrument import Instrument
from .level import encoder_gain
from .metrics import (
    boundary_energy_ratio,
    click_crest,
    f0_cents,
    loudness_distance,
    mel_db,
    mel_distance,
    spectral_distance,
)
from .notes import HELD_INSTRUMENT, HELD_PITCH, TRAIN, Note
from .recordings import RECORDINGS
from .soundfont import FONTS, HELD_SECONDS, Soundfont, font_path

HELD_FRAMES = int(HELD_SECONDS * 48_000 / 1024)
SEPARATION_PITCHES = (48, 60)
SEPARATION_NAMES = ("Flute", "Upright Bass", "Church Organ")
TRANSPOSITIONS = (-12, 12)
# General MIDI programs and pitches, from all families, whose octaves above and below the font also holds.
TRANSPOSED = (
    (0, 60), (4, 55), (11, 65), (16, 62), (19, 57), (24, 52), (25, 57), (32, 43), (33, 40), (40, 67), (42, 50),
    (48, 60), (52, 60), (56, 65), (60, 57), (65, 60), (71, 64), (73, 72), (75, 72), (81, 55), (89, 60), (104, 60),
)  # fmt: skip


class Fonts:
    """Normalised notes of the soundfonts."""

    def __init__(self, folder: Path):
        self._fonts = {font: Soundfont(font_path(font, folder)) for font in FONTS}

    def note(self, font: str, program: int, pitch: int, velocity: int) -> np.ndarray | None:
        """The note at the encoder's level, or None if it is silent."""
        audio = self._fonts[font].note(program, pitch, velocity)
        gain = encoder_gain(audio)
        return None if gain is None else audio * np.float32(gain)


def distances(reference: np.ndarray, other: np.ndarray, pitch: float) -> dict[str, float]:
    """All distances of one decoding; `tuning` is the f0 difference's median, cents, `f0` its mean absolute value."""
    length = min(len(reference), len(other))
    reference, other = reference[:length], other[:length]
    gap = (f0_cents(other, pitch) - f0_cents(reference, pitch))[:HELD_FRAMES]
    gap = gap[np.isfinite(gap)]
    return {
        "msls": spectral_distance(reference, other),
        "mel": mel_distance(reference, other),
        "loudness": loudness_distance(reference, other),
        "attack_loudness": loudness_distance(reference[:4800], other[:4800]),
        "tuning": float(abs(np.median(gap))) if len(gap) > 10 else float("nan"),
        "f0": float(np.abs(gap).mean()) if len(gap) > 10 else float("nan"),
    }


def evaluate_split(model: Instrument, data: Dataset, fonts: Fonts, split: str, count: int) -> dict[str, list[dict]]:
    """`count` seeded notes of a split: the distances of the ceiling, of the model and, where there is one, of the nearest
    training note of the same program, re-pitched."""
    rng = np.random.default_rng(5)
    pool = [i for i in data.indices(split) if 28 <= data.pitch[i] <= 91]
    chosen = sorted(rng.choice(pool, min(count, len(pool)), replace=False))
    training: dict[tuple[str, int], list[int]] = {}
    for i in data.indices(TRAIN):
        training.setdefault((data.notes[i].font, data.notes[i].program), []).append(i)
    results: dict[str, list[dict]] = {}
    for i in chosen:
        note = data.notes[i]
        reference = fonts.note(note.font, note.program, note.pitch, note.velocity)
        columns = analyse(reference, note.pitch)[:FRAMES]
        tuned = note.pitch + float(np.median(columns[:, CENTS] - in_tune(columns)[:, CENTS])) / 100
        embedding = model.encode(reference, note.pitch)
        systems = {"ceiling": synthesis.audio(columns, note.pitch), "model": model.play(embedding, tuned)}
        near = training.get((note.font, note.program))
        if near:
            nearest = min(near, key=lambda j: (abs(data.pitch[j] - note.pitch), abs(data.notes[j].velocity - note.velocity)))
            systems["nearest training note"] = synthesis.audio(data.columns(nearest).astype(np.float32), tuned)
        for name, audio in systems.items():
            results.setdefault(name, []).append(distances(reference, audio, tuned))
    return results


def evaluate_transposition(model: Instrument, fonts: Fonts) -> dict[str, list[dict]]:
    """Encode once, decode an octave up and down, against the font's own note there; and encoded there, as the bound."""
    results: dict[str, list[dict]] = {"transposed": [], "encoded at the target pitch": []}
    for program, pitch in TRANSPOSED:
        embedding = model.encode(fonts.note("fluid", program, pitch, 100), pitch)
        for step in TRANSPOSITIONS:
            target = pitch + step
            reference = fonts.note("fluid", program, target, 100)
            results["transposed"].append(distances(reference, model.play(embedding, target), target))
            there = model.play(model.encode(reference, target), target)
            results["encoded at the target pitch"].append(distances(reference, there, target))
    return results


def evaluate_tuning(model: Instrument, fonts: Fonts) -> dict[str, float]:
    """How far decoded factory sounds are from the pitch they are asked for, in absolute cents, over seven pitches."""
    errors = []
    for recording in RECORDINGS:
        audio = fonts.note(recording.font, recording.program, recording.pitch, recording.velocity)
        embedding = model.encode(audio, recording.pitch)
        for pitch in range(36, 85, 8):
            cents = f0_cents(model.play(embedding, pitch), pitch)[4:HELD_FRAMES]
            cents = cents[np.isfinite(cents)]
            if len(cents) > 10:
                errors.append(abs(float(np.median(cents))))
    return {
        "notes": len(errors),
        "mean": float(np.mean(errors)),
        "median": float(np.median(errors)),
        "p95": float(np.percentile(errors, 95)),
        "max": float(np.max(errors)),
    }


def evaluate_clicks(model: Instrument, fonts: Fonts) -> dict[str, dict[str, float]]:
    """Seams and clicks in decoded factory sounds, beside the recordings'."""
    rows: dict[str, list] = {"recording": [], "model": []}
    for recording in RECORDINGS:
        audio = fonts.note(recording.font, recording.program, recording.pitch, recording.velocity)
        decoded = model.play(model.encode(audio, recording.pitch), recording.pitch)
        for name, x in (("recording", audio), ("model", decoded)):
            rows[name].append((boundary_energy_ratio(x, HOP_SAMPLES), click_crest(x)))
    return {
        name: {
            "seam_energy_ratio_median": float(np.median([r[0] for r in of])),
            "seam_energy_ratio_max": float(np.max([r[0] for r in of])),
            "largest_crest_db_median": float(np.median([r[1] for r in of])),
            "largest_crest_db_max": float(np.max([r[1] for r in of])),
        }
        for name, of in rows.items()
    }


def evaluate_separation(model: Instrument, fonts: Fonts) -> dict:
    """Is a decoded sound nearer to its own instrument's recording at that pitch than to any other's? Encoded at the
    recordings' own pitches, decoded at one pitch for all. Mel distances `[decoded][recording]` of three, and the share of
    all factory sounds whose nearest recording is their own."""
    embeddings = {}
    for r in RECORDINGS:
        embeddings[r.name] = model.encode(fonts.note(r.font, r.program, r.pitch, r.velocity), r.pitch)
    result = {}
    for pitch in SEPARATION_PITCHES:
        heard = {r.name: mel_db(fonts.note(r.font, r.program, pitch, r.velocity)) for r in RECORDINGS}
        matrix = {}
        for name, embedding in embeddings.items():
            decoded = mel_db(model.play(embedding, pitch))
            matrix[name] = {other: _mel_gap(theirs, decoded) for other, theirs in heard.items()}
        own = [min(row, key=row.get) == name for name, row in matrix.items()]
        top3 = [name in sorted(row, key=row.get)[:3] for name, row in matrix.items()]
        three = {a: {b: matrix[a][b] for b in SEPARATION_NAMES} for a in SEPARATION_NAMES}
        result[str(pitch)] = {"three": three, "nearest_is_own": sum(own), "own_in_nearest_3": sum(top3), "of": len(own)}
    return result


def _mel_gap(reference: np.ndarray, other: np.ndarray) -> float:
    length = min(len(reference), len(other))
    a, b = reference[:length], other[:length]
    floor = a.max() - 70
    active = np.maximum(a.max(1), b.max(1)) > a.max() - 60
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def evaluate(model: Instrument, data: Dataset, fonts: Fonts, count: int, log=print) -> dict:
    """All of the above, `count` notes a split."""
    result: dict = {"splits": {}}
    for split in (HELD_PITCH, HELD_INSTRUMENT):
        result["splits"][split] = {k: _summary(v) for k, v in evaluate_split(model, data, fonts, split, count).items()}
        log(f"{split}: {json.dumps(result['splits'][split])}")
    for name, of in (
        ("transposition", lambda: {k: _summary(v) for k, v in evaluate_transposition(model, fonts).items()}),
        ("tuning", lambda: evaluate_tuning(model, fonts)),
        ("clicks", lambda: evaluate_clicks(model, fonts)),
        ("separation", lambda: evaluate_separation(model, fonts)),
    ):
        result[name] = of()
        log(f"{name}: {json.dumps(result[name])}")
    return result


def _summary(rows: list[dict]) -> dict:
    summary = {"notes": len(rows)}
    for key in rows[0]:
        values = [r[key] for r in rows if np.isfinite(r[key])]
        summary[key] = {"mean": float(np.mean(values)), "median": float(np.median(values)), "of": len(values)}
    return summary


def as_markdown(result: dict) -> str:
    """The tables of a model card."""
    keys = ("msls", "mel", "loudness", "attack_loudness", "tuning", "f0")
    lines = [
        "| notes | system | MSLS dB | mel dB | A-loudness dB | first 100 ms | tuning, cents | f0, cents |",
        "|---|---|---|---|---|---|---|---|",
    ]
    cell = lambda s: f"{s['mean']:.2f} / {s['median']:.2f}"
    groups = {**result["splits"], "an octave away": result["transposition"]}
    for group, systems in groups.items():
        for system, row in systems.items():
            name = f"{group.replace('_', ' ')} ({row['notes']})"
            lines.append(f"| {name} | {system} | " + " | ".join(cell(row[k]) for k in keys) + " |")
    for pitch, found in result["separation"].items():
        lines += ["", f"Mel distance, dB, of the sound decoded at MIDI {pitch} (rows) to the recordings at {pitch} (columns):", ""]
        names = list(found["three"])
        lines += ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        lines += [f"| {a} | " + " | ".join(f"{found['three'][a][b]:.2f}" for b in names) + " |" for a in names]
        lines += ["", f"Nearest of all {found['of']} recordings is its own: {found['nearest_is_own']}; among the nearest "
                  f"three: {found['own_in_nearest_3']}."]  # fmt: skip
    t, c = result["tuning"], result["clicks"]
    lines += [
        "",
        f"Tuning of {t['notes']} decoded notes against the pitch asked for, cents: mean {t['mean']:.2f}, median "
        f"{t['median']:.2f}, 95 % {t['p95']:.2f}, largest {t['max']:.2f}.",
        "",
        "| clicks | seam energy ratio, median | largest | largest crest dB, median | largest |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {name} | " + " | ".join(f"{v:.2f}" for v in row.values()) + " |" for name, row in c.items()]
    return "\n".join(lines) + "\n"
