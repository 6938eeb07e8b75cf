"""Notes to measure with: of the soundfonts that the data are made of, and of a bank that training never sees."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy import signal

from ..dataset import NoteRenderer
from ..level import encoder_gain
from ..notes import HIGHEST_PITCH, LOWEST_PITCH, Note
from ..soundfont import DEFAULT_FOLDER, FONTS, HELD_SECONDS, Missing, Preset, font_path, presets

# By Tim Brechbill, GPL: it is listened to here and nowhere else, and nothing that ships is made from it.
UNSEEN_FONT = "timgm6mb"
UNSEEN_FILE, UNSEEN_PACKAGE = "sf2/TimGM6mb.sf2", "timgm6mb-soundfont"
UNSEEN_BANK = "unseen_bank"
UNSEEN_PITCHES = (33, 88)
UNSEEN_VELOCITIES = (60, 100)
MELODIC = range(112)
RANGE_SEMITONES = (
    12  # beyond the keys that a sample was recorded at, the font's own note is no standard to compare with
)


def unseen_path(folder: Path) -> Path:
    """The unseen bank's file; raises `Missing`."""
    path = folder / UNSEEN_FILE
    if not path.is_file():
        raise Missing(f"no soundfont at {path}: apt install {UNSEEN_PACKAGE}, or name its folder with --soundfonts")
    return path


class Sounds:
    """Renders notes at the encoder's level."""

    def __init__(self, folder: Path = DEFAULT_FOLDER):
        self.paths = {font: font_path(font, folder) for font in FONTS} | {UNSEEN_FONT: unseen_path(folder)}
        self._render = NoteRenderer(self.paths).open()
        self._presets: dict[str, dict[int, Preset]] = {}

    def render(self, note: Note) -> np.ndarray | None:
        """f32 mono at 48 kHz, loudest window at the encoder's level; None if it is silent."""
        audio = self._render(note)
        gain = encoder_gain(audio)
        return None if gain is None else audio * np.float32(gain)

    def note(self, font: str, program: int, pitch: int, velocity: int = 100) -> np.ndarray | None:
        """The same, of a soundfont's program."""
        return self.render(Note(font, program, pitch, velocity, ""))

    def presets(self, font: str) -> dict[int, Preset]:
        """The programs of a font."""
        if font not in self._presets:
            self._presets[font] = presets(self.paths[font])
        return self._presets[font]

    def has(self, font: str, program: int, pitch: int, reach: int = RANGE_SEMITONES) -> bool:
        """Whether the font recorded anything within `reach` semitones of that key, and the model is made for the
        key."""
        preset = self.presets(font).get(program)
        inside = preset is not None and preset.lowest_root - reach <= pitch <= preset.highest_root + reach
        return inside and LOWEST_PITCH <= pitch <= HIGHEST_PITCH

    def unseen_notes(self, count: int, programs=MELODIC) -> list[Note]:
        """`count` seeded notes of the unseen bank, each of another program as far as there are so many."""
        rng = np.random.default_rng(11)
        of_bank = [p for p in programs if p in self.presets(UNSEEN_FONT)]
        rounds = [rng.permutation(of_bank) for _ in range(-(-count // len(of_bank)))]
        notes = []
        for program in np.concatenate(rounds)[:count].tolist():
            keys = [k for k in range(UNSEEN_PITCHES[0], UNSEEN_PITCHES[1] + 1) if self.has(UNSEEN_FONT, program, k)]
            pitch, velocity = int(rng.choice(keys)), int(rng.choice(UNSEEN_VELOCITIES))
            notes.append(Note(UNSEEN_FONT, program, pitch, velocity, UNSEEN_BANK))
        return notes


def resampled(audio: np.ndarray, semitones: float) -> np.ndarray:
    """What a sampler makes of a recording played `semitones` higher: faster and shorter."""
    ratio = Fraction(2 ** (-semitones / 12)).limit_denominator(1000)
    return signal.resample_poly(audio, ratio.numerator, ratio.denominator).astype(np.float32)


def held_samples(semitones: float) -> int:
    """How many samples of a note and of its resampling by `semitones` lie before either's release."""
    return int(HELD_SECONDS * 48_000 * min(1.0, 2 ** (-semitones / 12)))
