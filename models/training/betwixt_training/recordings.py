"""Recordings of single notes: the ones that the models are exported and measured with. `factory.py` has these and more."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import synthesised
from .notes import SYNTHESISED
from .soundfont import DEFAULT_FOLDER, Soundfont, font_path


@dataclass(frozen=True)
class Recording:
    """One note to render: what the sound is to be called, and where it is.

    `family` is one of NSynth's eleven; the last of `tags` is NSynth's source (`acoustic`, `electronic`, `synthetic`). `font` is a
    soundfont, or `synthesised`; then `program` is an index into its instruments."""

    name: str
    family: str
    tags: tuple[str, ...]
    font: str
    program: int
    pitch: int
    velocity: int = 100

    @property
    def file(self) -> str:
        """Name of its WAV file."""
        return self.name.lower().replace(" ", "_") + ".wav"


RECORDINGS = (
    Recording("Flute", "flute", ("sustained", "breathy", "soft", "acoustic"), "fluid", 73, 72),
    Recording("Pan Flute", "flute", ("sustained", "breathy", "airy", "acoustic"), "fluid", 75, 69),
    Recording("Clarinet", "reed", ("sustained", "hollow", "warm", "acoustic"), "fluid", 71, 62),
    Recording("Oboe", "reed", ("sustained", "nasal", "bright", "acoustic"), "fluid", 68, 69),
    Recording("Bassoon", "reed", ("sustained", "dark", "reedy", "acoustic"), "musescore", 70, 45),
    Recording("Alto Sax", "reed", ("sustained", "reedy", "bright", "acoustic"), "musescore", 65, 60),
    Recording("Trumpet", "brass", ("sustained", "bright", "acoustic"), "fluid", 56, 65),
    Recording("French Horn", "brass", ("sustained", "warm", "soft", "acoustic"), "musescore", 60, 60, 70),
    Recording("Trombone", "brass", ("sustained", "dark", "acoustic"), "fluid", 57, 50),
    Recording("Violin", "string", ("sustained", "bowed", "bright", "acoustic"), "musescore", 40, 69),
    Recording("Cello", "string", ("sustained", "bowed", "warm", "acoustic"), "musescore", 42, 48),
    Recording("String Ensemble", "string", ("sustained", "bowed", "wide", "acoustic"), "fluid", 49, 57),
    Recording("Harp", "string", ("plucked", "decaying", "bright", "acoustic"), "fluid", 46, 60),
    Recording("Choir", "vocal", ("sustained", "vocal", "soft", "acoustic"), "fluid", 52, 60),
    Recording("Synth Voice", "vocal", ("sustained", "vocal", "synthetic"), "musescore", 54, 60),
    Recording("Church Organ", "organ", ("sustained", "wide", "bright", "acoustic"), "fluid", 19, 60),
    Recording("Reed Organ", "organ", ("sustained", "reedy", "acoustic"), "fluid", 20, 60),
    Recording("Accordion", "organ", ("sustained", "reedy", "bright", "acoustic"), "fluid", 21, 64),
    Recording("Grand Piano", "keyboard", ("struck", "decaying", "acoustic"), "musescore", 0, 55),
    Recording("Electric Piano", "keyboard", ("struck", "decaying", "warm", "electronic"), "fluid", 4, 55),
    Recording("Harpsichord", "keyboard", ("plucked", "decaying", "bright", "acoustic"), "fluid", 6, 57),
    Recording("Clavinet", "keyboard", ("plucked", "decaying", "nasal", "electronic"), "fluid", 7, 50),
    Recording("Nylon Guitar", "guitar", ("plucked", "decaying", "warm", "acoustic"), "fluid", 24, 52),
    Recording("Steel Guitar", "guitar", ("plucked", "decaying", "bright", "acoustic"), "musescore", 25, 52),
    Recording("Upright Bass", "bass", ("plucked", "decaying", "dark", "acoustic"), "fluid", 32, 36),
    Recording("Slap Bass", "bass", ("plucked", "decaying", "bright", "electronic"), "fluid", 36, 40),
    Recording("Synth Bass", "bass", ("dark", "synthetic"), "musescore", 38, 36),
    Recording("Glockenspiel", "mallet", ("struck", "metallic", "bright", "acoustic"), "fluid", 9, 84),
    Recording("Vibraphone", "mallet", ("struck", "metallic", "soft", "acoustic"), "fluid", 11, 65),
    Recording("Marimba", "mallet", ("struck", "wooden", "soft", "acoustic"), "fluid", 12, 60),
    Recording("Xylophone", "mallet", ("struck", "wooden", "bright", "acoustic"), "musescore", 13, 77),
    Recording("Tubular Bells", "mallet", ("struck", "metallic", "inharmonic", "acoustic"), "fluid", 14, 60),
    Recording("Kalimba", "mallet", ("plucked", "metallic", "soft", "acoustic"), "fluid", 108, 65),
    Recording("Steel Drum", "mallet", ("struck", "metallic", "inharmonic", "acoustic"), "fluid", 114, 64),
    Recording("Sitar", "string", ("plucked", "decaying", "buzzing", "acoustic"), "fluid", 104, 52),
    Recording("Koto", "string", ("plucked", "decaying", "bright", "acoustic"), "fluid", 107, 60),
    Recording("Shakuhachi", "flute", ("sustained", "breathy", "airy", "acoustic"), "fluid", 77, 67),
    Recording("Saw Lead", "synth_lead", ("sustained", "bright", "synthetic"), "musescore", 81, 48),
    Recording("Square Lead", "synth_lead", ("sustained", "hollow", "synthetic"), "fluid", 80, 60),
    Recording("Glass Pad", "synth_lead", ("sustained", "airy", "synthetic"), "fluid", 92, 60),
)


def render(recording: Recording, soundfonts: Path = DEFAULT_FOLDER) -> np.ndarray:
    """The note as the font or the synthesiser plays it, f32 at 48 kHz. Raises `soundfont.Missing`."""
    if recording.font == SYNTHESISED:
        return synthesised.render(recording.program, recording.pitch, recording.velocity)
    font = Soundfont(font_path(recording.font, soundfonts))
    return font.note(recording.program, recording.pitch, recording.velocity)
