"""Which notes the data consists of, and which of them training never sees."""

from dataclasses import dataclass

import numpy as np

from .soundfont import Preset

# All of General MIDI but the sound effects and the unpitched drums.
PROGRAMS = (*range(113), 114, 116, 117)
LOWEST_PITCH, HIGHEST_PITCH = 24, 96
PITCH_STEP = 5
VELOCITIES = {"fluid": (50, 110), "musescore": (70, 110)}
HELD_OUT_VELOCITY = 90
TRAIN, HELD_PITCH, HELD_INSTRUMENT = "train", "held_pitch", "held_instrument"


@dataclass(frozen=True)
class Note:
    """One note to render, and its split: `train`, `held_pitch` (between the training pitches of a known instrument) or
    `held_instrument`."""

    font: str
    program: int
    pitch: int
    velocity: int
    split: str

    @property
    def instrument(self) -> tuple[str, int, int]:
        """Notes that share this differ by pitch alone."""
        return self.font, self.program, self.velocity


def is_held_out(program: int) -> bool:
    """Every tenth program is kept from training, in all fonts, for they share samples."""
    return program % 10 == 8


def note_list(presets: dict[str, dict[int, Preset]]) -> list[Note]:
    """`presets` of each font -> the notes. A pure function: the draws are seeded by font and program."""
    notes = []
    for place, (font, of_font) in enumerate(sorted(presets.items())):
        for program in PROGRAMS:
            if program in of_font:
                rng = np.random.default_rng((1, place, program))
                notes += _of_program(font, program, _pitch_range(of_font[program]), rng)
    return notes


def _pitch_range(preset: Preset) -> tuple[int, int]:
    """A fifth beyond the recorded keys, at least 30 semitones, inside what the model is made for."""
    low = max(LOWEST_PITCH, preset.lowest_root - 7)
    high = min(HIGHEST_PITCH, preset.highest_root + 7)
    if high - low < 30:
        middle = min(max((low + high) // 2, 45), 75)
        low = max(LOWEST_PITCH, min(low, middle - 15))
        high = min(HIGHEST_PITCH, max(high, middle + 15))
    return low, high


def _of_program(font: str, program: int, bounds: tuple[int, int], rng) -> list[Note]:
    held = is_held_out(program)
    grid = list(range(bounds[0] + int(rng.integers(0, PITCH_STEP)), bounds[1] + 1, PITCH_STEP))
    split = HELD_INSTRUMENT if held else TRAIN
    notes = [Note(font, program, p, v, split) for p in grid for v in VELOCITIES[font]]
    between = [p + 2 for p in grid[:-1]]
    split = HELD_INSTRUMENT if held else HELD_PITCH
    for pitch in rng.choice(between, min(2, len(between)), replace=False):
        notes.append(Note(font, program, int(pitch), HELD_OUT_VELOCITY, split))
    return notes
