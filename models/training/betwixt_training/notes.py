"""Which notes the data consists of, and which of them training never sees."""

from dataclasses import dataclass

import numpy as np

from .nsynth import Entry
from .soundfont import DRUM_KEYS, Preset
from .synthesised import INSTRUMENTS

# All of General MIDI but the sound effects and the unpitched drums.
PROGRAMS = (*range(113), 114, 116, 117)
SYNTHESISED, DRUMS, NSYNTH = "synthesised", "drums:", "nsynth"
LOWEST_PITCH, HIGHEST_PITCH = 24, 96
PITCH_STEP, SYNTHESISED_STEP = 6, 7
VELOCITIES = (40, 80, 116)
SYNTHESISED_VELOCITIES = (50, 110)
DRUM_VELOCITY, DRUM_PITCHES = 105, (48, 60, 72)
HELD_OUT_VELOCITY = 98
TRAIN, HELD_PITCH, HELD_VELOCITY, HELD_INSTRUMENT = "train", "held_pitch", "held_velocity", "held_instrument"
HELD_OUT = (HELD_PITCH, HELD_VELOCITY, HELD_INSTRUMENT)


@dataclass(frozen=True)
class Note:
    """One note to render, and its split: `train`, `held_pitch` (between the training pitches of a known instrument),
    `held_velocity` (at one of them, as loud as none of them) or `held_instrument`.

    `font` is a soundfont, `synthesised` (then `program` is an index into its instruments), `drums:` and a soundfont (then
    `program` is the key of the drum, which `pitch` transposes as resampling does: 60 is the drum itself), or `nsynth` (then
    `program` is an index into the dataset's instruments, in the order of their names)."""

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
    """Every tenth program, drum and synthesised instrument is kept from training, in all fonts, for they share samples."""
    return program % 10 == 8


def note_list(presets: dict[str, dict[int, Preset]], quick: bool = False) -> list[Note]:
    """`presets` of each font -> the notes; `quick` takes every sixth instrument. A pure function: the draws are seeded by
    font and program."""
    notes = []
    every = 6 if quick else 1
    for place, (font, of_font) in enumerate(sorted(presets.items())):
        for program in PROGRAMS[::every]:
            if program in of_font:
                rng = np.random.default_rng((1, place, program))
                bounds = _pitch_range(of_font[program])
                notes += _of_instrument(font, program, bounds, PITCH_STEP, VELOCITIES, rng)
        for key in DRUM_KEYS[::every]:
            split = HELD_INSTRUMENT if is_held_out(key) else TRAIN
            notes += [Note(DRUMS + font, key, pitch, DRUM_VELOCITY, split) for pitch in DRUM_PITCHES]
    for index, instrument in list(enumerate(INSTRUMENTS))[::every]:
        rng = np.random.default_rng((1, 100, index))
        bounds = max(LOWEST_PITCH, instrument.lowest), min(HIGHEST_PITCH, instrument.highest)
        notes += _of_instrument(SYNTHESISED, index, bounds, SYNTHESISED_STEP, SYNTHESISED_VELOCITIES, rng)
    return notes


def nsynth_instruments(entries: list[Entry]) -> list[str]:
    """The dataset's instruments, by name."""
    return sorted({entry.instrument for entry in entries})


def nsynth_notes(entries: list[Entry], instruments: int) -> list[Note]:
    """Notes of `instruments` of the dataset's instruments, chosen by a seed, at the velocities that it has. An instrument,
    a pitch and a velocity name one note of NSynth's."""
    number = {name: index for index, name in enumerate(nsynth_instruments(entries))}
    chosen = set(np.random.default_rng((1, 200)).permutation(len(number))[:instruments].tolist())
    return [
        Note(NSYNTH, number[e.instrument], e.pitch, e.velocity, HELD_INSTRUMENT if is_held_out(number[e.instrument]) else TRAIN)
        for e in entries
        if number[e.instrument] in chosen and LOWEST_PITCH <= e.pitch <= HIGHEST_PITCH
    ]


def _pitch_range(preset: Preset) -> tuple[int, int]:
    """A fifth beyond the recorded keys, at least 30 semitones, inside what the model is made for."""
    low = max(LOWEST_PITCH, preset.lowest_root - 7)
    high = min(HIGHEST_PITCH, preset.highest_root + 7)
    if high - low < 30:
        middle = min(max((low + high) // 2, 45), 75)
        low = max(LOWEST_PITCH, min(low, middle - 15))
        high = min(HIGHEST_PITCH, max(high, middle + 15))
    return low, high


def _of_instrument(font: str, program: int, bounds: tuple[int, int], step: int, velocities, rng) -> list[Note]:
    held = is_held_out(program)
    grid = list(range(bounds[0] + int(rng.integers(0, step)), bounds[1] + 1, step))
    notes = [Note(font, program, p, v, HELD_INSTRUMENT if held else TRAIN) for p in grid for v in velocities]
    for pitch in rng.choice([p + 2 for p in grid[:-1]] or grid, 1):
        notes.append(Note(font, program, int(pitch), HELD_OUT_VELOCITY, HELD_INSTRUMENT if held else HELD_PITCH))
    if not held:
        notes.append(Note(font, program, int(rng.choice(grid)), HELD_OUT_VELOCITY, HELD_VELOCITY))
    return notes
