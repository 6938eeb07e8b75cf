"""Notes that training never saw, through the model: of known instruments, of unknown ones, and of an unseen bank.

Beside the model stand the ceiling (analysis and resynthesis, no network); the nearest training note, of the same
program where there is one (nearest in pitch, then velocity), else the nearest of all within 2 semitones by its columns,
which no player could know (an oracle), both re-pitched by resynthesis; and that note's recording, plainly resampled
(compared until either's release). Model and nearest note are decoded at the tuning of the recording, which the model
takes out.
"""

from dataclasses import dataclass

import numpy as np

from .. import synthesis
from ..analysis import analyse
from ..columns import AMPLITUDE, NOISE
from ..dataset import FRAMES, Dataset
from ..instrument import Instrument
from ..metrics import own_tuning
from ..notes import DRUMS, HELD_INSTRUMENT, HELD_PITCH, HELD_VELOCITY, SYNTHESISED, TRAIN, Note
from ..soundfont import FONTS
from .bench import Bench
from .crepe import f0_error_of_tracks, track
from .distances import attack_distances, cell, distances, summary
from .goals import Goal
from .sounds import UNSEEN_BANK, held_samples, resampled

HELD_SYNTHESISED, HELD_DRUMS = "held_instrument, synthesised", "held_instrument, drums"
# Split -> (split of the data, which of its fonts): what is not of a soundfont's programs is told apart.
SPLITS = {
    HELD_PITCH: (HELD_PITCH, lambda font: font in FONTS),
    HELD_VELOCITY: (HELD_VELOCITY, lambda font: font in FONTS),
    HELD_INSTRUMENT: (HELD_INSTRUMENT, lambda font: font in FONTS),
    HELD_SYNTHESISED: (HELD_INSTRUMENT, lambda font: font == SYNTHESISED),
    HELD_DRUMS: (HELD_INSTRUMENT, lambda font: font.startswith(DRUMS)),
}
GOAL_SPLITS = (HELD_PITCH, HELD_INSTRUMENT, UNSEEN_BANK)  # the others get half as many notes
LOWEST, HIGHEST = 28, 91
ORACLE_SEMITONES, ORACLE_STRIDE = 2, 12
CEILING, MODEL, NEAREST, RESAMPLED = "ceiling", "model", "nearest training note", "its recording, resampled"
# Figure, heading.
FIGURES = {
    "msls": "MSLS dB", "mel": "mel dB", "loudness": "A-loudness dB", "attack_loudness": "first 100 ms, A-loudness dB",
    "first_mel": "first 30 ms, mel dB", "crest": "crest dB", "tuning": "tuning, cents",
    "f0": "F0 L1, semitones", "outliers": "F0 outliers, %",
}  # fmt: skip


@dataclass
class Job:
    """A note to measure, and what is nearest to it in the training notes."""

    note: Note
    audio: np.ndarray
    nearest_columns: np.ndarray | None
    nearest_audio: np.ndarray | None
    nearest_semitones: float


def split_notes(data: Dataset, split: str, count: int) -> list[Note]:
    """`count` seeded notes of one of `SPLITS`, in the data's order."""
    rng = np.random.default_rng(5)
    of_data, of_fonts = SPLITS[split]
    pool = [i for i in data.indices(of_data) if of_fonts(data.notes[i].font)]
    pool = [i for i in pool if LOWEST <= data.notes[i].pitch <= HIGHEST]
    return [data.notes[i] for i in sorted(rng.choice(pool, min(count, len(pool)), replace=False))] if pool else []


class Nearest:
    """The training notes, to find the nearest one in."""

    def __init__(self, data: Dataset):
        self._data = data
        self._training = data.indices(TRAIN)
        self._pitch = np.array([data.notes[i].pitch for i in self._training])
        self._of_program: dict[tuple[str, int], list[int]] = {}
        for i in self._training:
            self._of_program.setdefault((data.notes[i].font, data.notes[i].program), []).append(i)

    def find(self, note: Note, audio: np.ndarray) -> int:
        """The nearest training note's index."""
        same = self._of_program.get((note.font, note.program))
        if same:
            of = self._data.notes
            return min(same, key=lambda j: (abs(of[j].pitch - note.pitch), abs(of[j].velocity - note.velocity)))
        wanted = _coarse(analyse(audio, note.pitch)[:FRAMES])
        candidates = self._training[np.abs(self._pitch - note.pitch) <= ORACLE_SEMITONES]
        return min(candidates, key=lambda j: np.abs(_coarse(self._data.columns(j)) - wanted).mean())


def _coarse(columns: np.ndarray) -> np.ndarray:
    some = np.asarray(columns[::ORACLE_STRIDE], np.float32)
    return np.concatenate([np.maximum(some[:, AMPLITUDE], -95), np.maximum(some[:, NOISE], -112)], 1)


def jobs(bench: Bench, data: Dataset, nearest: Nearest, notes: list[Note]):
    """The jobs of `notes`, silent ones left out."""
    for note in notes:
        audio = bench.sounds.render(note)
        if audio is None:
            continue
        j = nearest.find(note, audio)
        recording, columns = bench.sounds.render(data.notes[j]), data.columns(j).astype(np.float32)
        yield Job(note, audio, columns, recording, note.pitch - data.notes[j].pitch)


def measure_note(model: Instrument, job: Job) -> dict[str, dict]:
    """The distances of all systems."""
    reference, pitch = job.audio, job.note.pitch
    tuned = own_tuning(reference, pitch)
    systems = {
        CEILING: synthesis.audio(analyse(reference, pitch)[:FRAMES], pitch),
        MODEL: model.play(model.encode(reference, pitch), tuned),
        NEAREST: synthesis.audio(job.nearest_columns, tuned),
    }
    found = {name: distances(reference, audio, tuned) for name, audio in systems.items()}
    for name in systems:
        found[name] |= attack_distances(reference, systems[name], pitch)
    heard = track(reference)
    for name in (CEILING, MODEL):
        found[name] |= f0_error_of_tracks(heard, track(systems[name]), pitch, reference) or {}
    if job.nearest_audio is not None:
        sampler, until = resampled(job.nearest_audio, job.nearest_semitones), held_samples(job.nearest_semitones)
        found[RESAMPLED] = distances(reference[:until], sampler[:until], tuned)
    return found


def measure(bench: Bench, data: Dataset, count: int) -> dict:
    """Split -> its systems' summaries and its notes, worst first; `count` notes of the splits that have goals."""
    nearest = Nearest(data)
    found = {}
    for split in (*SPLITS, UNSEEN_BANK):
        of_split = count if split in GOAL_SPLITS else count // 2
        notes = bench.sounds.unseen_notes(count) if split == UNSEEN_BANK else split_notes(data, split, of_split)
        if not notes:
            bench.log(f"splits: no notes of {split} in the data")
            continue
        wanted = list(jobs(bench, data, nearest, notes))
        rows = bench.map(measure_note, wanted, f"splits, {split}")
        systems = {name: summary([r[name] for r in rows if name in r]) for name in (CEILING, MODEL, NEAREST, RESAMPLED)}
        notes = [_label(j.note) | {k: r[MODEL].get(k) for k in ("mel", "loudness", "f0")} for j, r in zip(wanted, rows)]
        found[split] = {"systems": systems, "notes": sorted(notes, key=lambda n: -n["mel"])}
    return found


def _label(note: Note) -> dict:
    return {"font": note.font, "program": note.program, "pitch": note.pitch, "velocity": note.velocity}


def tables(found: dict) -> list[str]:
    """Markdown."""
    lines = ["| notes | system | " + " | ".join(FIGURES.values()) + " |", "|---" * (len(FIGURES) + 2) + "|"]
    for split, of in found.items():
        for system, row in of["systems"].items():
            percent = (
                {**row, "outliers": {k: 100 * v for k, v in row["outliers"].items()}} if "outliers" in row else row
            )
            digits = {"f0": 3}
            cells = [cell(percent, k, digits.get(k, 2)) for k in FIGURES]
            lines.append(f"| {split.replace('_', ' ')} ({row['notes']}) | {system} | " + " | ".join(cells) + " |")
    lines += ["", "The five notes of each split that are furthest from their recordings (mel dB, A-loudness dB):", ""]
    for split, of in found.items():
        what = lambda n: f"{n['font']} {n['program']} at {n['pitch']}, velocity {n['velocity']}"
        name = lambda n: f"{what(n)} ({n['mel']:.1f}, {n['loudness']:.1f})"
        lines.append(f"- {split.replace('_', ' ')}: " + "; ".join(name(n) for n in of["notes"][:5]))
    return lines


def goals(found: dict) -> list[Goal]:
    """Done when 1. The outliers are the mean over the notes, F0 L1 the median over the notes of each note's mean."""
    wanted = []
    for split, factor, mel in ((HELD_INSTRUMENT, 1.0, 2.0), (HELD_PITCH, 1.0, 2.2), (UNSEEN_BANK, 1.25, 2.0)):
        if split not in found:
            continue
        row, name = found[split]["systems"][MODEL], split.replace("_", " ")
        wanted.append(Goal(f"{name}: mel distance, dB", row["mel"]["mean"], mel * factor))
        if split == HELD_PITCH:
            continue
        wanted += [
            Goal(f"{name}: A-loudness L1, dB", row["loudness"]["mean"], 1.0 * factor),
            Goal(f"{name}: F0 outliers, %", 100 * row["outliers"]["mean"], 0.5 * factor),
            Goal(f"{name}: F0 L1, semitones, median", row["f0"]["median"], 0.02 * factor, digits=4),
        ]
    return wanted
