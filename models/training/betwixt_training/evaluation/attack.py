"""Struck and plucked sounds' first moments: does the attack arrive when it did, and as suddenly?"""

import numpy as np

from .. import synthesis
from ..analysis import analyse
from ..dataset import FRAMES, Dataset
from ..instrument import Instrument
from ..metrics import crest_db, own_tuning
from ..notes import DRUMS, HELD_INSTRUMENT, HELD_PITCH, Note
from ..soundfont import FONTS
from .bench import Bench
from .distances import ATTACK_SAMPLES, attack_distances, cell, distances, summary
from .goals import Goal
from .sounds import UNSEEN_BANK
from .splits import CEILING, MODEL

# General MIDI: keys, mallets, guitars, basses, pizzicato, harp, timpani, sitar to kalimba, steel
# drum, woodblock, taiko, tom.
STRUCK_AND_PLUCKED = (*range(16), *range(24, 32), *range(32, 38), 45, 46, 47, *range(104, 109), 114, 115, 116, 117)
FIGURES = {
    "peak": "time of peak (to 3 dB), ms", "highest": "time of the highest point, ms",
    "early": "first ms, too loud by, dB", "onset": "onset strength, dB", "attack_loudness": "first 100 ms, A-loudness dB",
    "first_mel": "first 30 ms, mel dB", "crest": "crest dB", "attack_crest": "crest of the first 100 ms, dB",
}  # fmt: skip


def is_struck(note: Note) -> bool:
    """Of the soundfonts' programs and drums; the synthesised ones are not told apart."""
    return note.font.startswith(DRUMS) or (note.font in FONTS and note.program in STRUCK_AND_PLUCKED)


def measure_note(model: Instrument, job: tuple[Note, np.ndarray]) -> dict[str, dict]:
    """The attack's distances, of ceiling and model."""
    note, reference = job
    tuned = own_tuning(reference, note.pitch)
    systems = {
        CEILING: synthesis.audio(analyse(reference, note.pitch)[:FRAMES], note.pitch),
        MODEL: model.play(model.encode(reference, note.pitch), tuned),
    }
    crest = lambda x: crest_db(x[:ATTACK_SAMPLES])
    return {
        name: distances(reference, audio, tuned)
        | attack_distances(reference, audio, note.pitch)
        | {"attack_crest": abs(crest(audio) - crest(reference))}
        for name, audio in systems.items()
    }


def measure(bench: Bench, data: Dataset, count: int) -> dict:
    """Split -> system -> summary."""
    found = {}
    for split in (HELD_PITCH, HELD_INSTRUMENT, UNSEEN_BANK):
        if split == UNSEEN_BANK:
            notes = bench.sounds.unseen_notes(count, [p for p in STRUCK_AND_PLUCKED if p < 112])
        else:
            pool = [
                data.notes[i]
                for i in data.indices(split)
                if is_struck(data.notes[i]) and 28 <= data.notes[i].pitch <= 91
            ]
            chosen = np.random.default_rng(6).choice(len(pool), min(count, len(pool)), replace=False)
            notes = [pool[i] for i in sorted(chosen)]
        jobs = ((note, audio) for note in notes if (audio := bench.sounds.render(note)) is not None)
        rows = bench.map(measure_note, jobs, f"attack, {split}")
        if rows:
            found[split] = {name: summary([r[name] for r in rows]) for name in (CEILING, MODEL)}
    return found


def tables(found: dict) -> list[str]:
    """Markdown."""
    lines = [
        "| struck and plucked notes | system | " + " | ".join(FIGURES.values()) + " |",
        "|---" * (len(FIGURES) + 2) + "|",
    ]
    for split, systems in found.items():
        for name, row in systems.items():
            cells = [cell(row, k) for k in FIGURES]
            lines.append(f"| {split.replace('_', ' ')} ({row['notes']}) | {name} | " + " | ".join(cells) + " |")
    return lines


def goals(found: dict) -> list[Goal]:
    """Done when 3, on instruments kept from training, and on known ones."""
    wanted = []
    for split in (HELD_INSTRUMENT, HELD_PITCH):
        if split in found:
            row, name = found[split][MODEL], split.replace("_", " ")
            wanted.append(Goal(f"attack, {name}: time of peak, ms, median", row["peak"]["median"], 3.0))
            wanted.append(Goal(f"attack, {name}: onset strength, dB, median", row["onset"]["median"], 2.0))
    return wanted
