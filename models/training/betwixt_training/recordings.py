"""The recordings that the factory sounds are encoded from: WAV files and a list, `recordings.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from .columns import SAMPLE_RATE
from .soundfont import DEFAULT_FOLDER, Soundfont, font_path

LICENCE = "MIT (FluidR3 / MuseScore General)"
SOURCES = {"fluid": "FluidR3 GM", "musescore": "MuseScore General"}


@dataclass(frozen=True)
class Recording:
    """One note to render: what the sound is to be called, and where in which font it is."""

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
    Recording("Flute", "woodwind", ("sustained", "breathy", "soft"), "fluid", 73, 72),
    Recording("Pan Flute", "woodwind", ("sustained", "breathy", "airy"), "fluid", 75, 69),
    Recording("Clarinet", "woodwind", ("sustained", "hollow", "warm"), "fluid", 71, 62),
    Recording("Oboe", "woodwind", ("sustained", "nasal", "bright"), "fluid", 68, 69),
    Recording("Bassoon", "woodwind", ("sustained", "dark", "reedy"), "musescore", 70, 45),
    Recording("Alto Sax", "woodwind", ("sustained", "reedy", "bright"), "musescore", 65, 60),
    Recording("Trumpet", "brass", ("sustained", "bright"), "fluid", 56, 65),
    Recording("French Horn", "brass", ("sustained", "warm", "soft"), "musescore", 60, 60, 70),
    Recording("Trombone", "brass", ("sustained", "dark"), "fluid", 57, 50),
    Recording("Violin", "strings", ("sustained", "bowed", "bright"), "musescore", 40, 69),
    Recording("Cello", "strings", ("sustained", "bowed", "warm"), "musescore", 42, 48),
    Recording("String Ensemble", "strings", ("sustained", "bowed", "wide"), "fluid", 49, 57),
    Recording("Harp", "strings", ("plucked", "decaying", "bright"), "fluid", 46, 60),
    Recording("Choir", "voice", ("sustained", "vocal", "soft"), "fluid", 52, 60),
    Recording("Synth Voice", "voice", ("sustained", "vocal", "synthetic"), "musescore", 54, 60),
    Recording("Church Organ", "organ", ("sustained", "wide", "bright"), "fluid", 19, 60),
    Recording("Reed Organ", "organ", ("sustained", "reedy"), "fluid", 20, 60),
    Recording("Accordion", "organ", ("sustained", "reedy", "bright"), "fluid", 21, 64),
    Recording("Grand Piano", "keys", ("struck", "decaying"), "musescore", 0, 55),
    Recording("Electric Piano", "keys", ("struck", "decaying", "warm"), "fluid", 4, 55),
    Recording("Harpsichord", "keys", ("plucked", "decaying", "bright"), "fluid", 6, 57),
    Recording("Clavinet", "keys", ("plucked", "decaying", "nasal"), "fluid", 7, 50),
    Recording("Nylon Guitar", "guitar", ("plucked", "decaying", "warm"), "fluid", 24, 52),
    Recording("Steel Guitar", "guitar", ("plucked", "decaying", "bright"), "musescore", 25, 52),
    Recording("Upright Bass", "bass", ("plucked", "decaying", "dark"), "fluid", 32, 36),
    Recording("Slap Bass", "bass", ("plucked", "decaying", "bright"), "fluid", 36, 40),
    Recording("Synth Bass", "bass", ("synthetic", "dark"), "musescore", 38, 36),
    Recording("Glockenspiel", "mallets", ("struck", "metallic", "bright"), "fluid", 9, 84),
    Recording("Vibraphone", "mallets", ("struck", "metallic", "soft"), "fluid", 11, 65),
    Recording("Marimba", "mallets", ("struck", "wooden", "soft"), "fluid", 12, 60),
    Recording("Xylophone", "mallets", ("struck", "wooden", "bright"), "musescore", 13, 77),
    Recording("Tubular Bells", "mallets", ("struck", "metallic", "inharmonic"), "fluid", 14, 60),
    Recording("Kalimba", "mallets", ("plucked", "metallic", "soft"), "fluid", 108, 65),
    Recording("Steel Drum", "mallets", ("struck", "metallic", "inharmonic"), "fluid", 114, 64),
    Recording("Sitar", "world", ("plucked", "decaying", "buzzing"), "fluid", 104, 52),
    Recording("Koto", "world", ("plucked", "decaying", "bright"), "fluid", 107, 60),
    Recording("Shakuhachi", "world", ("sustained", "breathy", "airy"), "fluid", 77, 67),
    Recording("Saw Lead", "synth", ("synthetic", "sustained", "bright"), "musescore", 81, 48),
    Recording("Square Lead", "synth", ("synthetic", "sustained", "hollow"), "fluid", 80, 60),
    Recording("Glass Pad", "synth", ("synthetic", "sustained", "airy"), "fluid", 92, 60),
)


def render(recording: Recording, soundfonts: Path = DEFAULT_FOLDER) -> np.ndarray:
    """The note as the font plays it, f32 at 48 kHz. Raises `soundfont.Missing`."""
    font = Soundfont(font_path(recording.font, soundfonts))
    return font.note(recording.program, recording.pitch, recording.velocity)


def write_recordings(folder: Path, soundfonts: Path = DEFAULT_FOLDER) -> list[dict]:
    """Renders every recording into `folder` as mono 48 kHz 32-bit float WAV, peak at -6 dBFS, and lists them in
    `recordings.json`. Returns that list. Raises `soundfont.Missing`."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for recording in RECORDINGS:
        audio = render(recording, soundfonts)
        audio = audio * np.float32(0.5 / np.abs(audio).max())
        wavfile.write(folder / recording.file, SAMPLE_RATE, audio)
        row = asdict(recording)
        source = f"{SOURCES[row.pop('font')]}, program {row.pop('program')}, velocity {row.pop('velocity')}"
        listed.append({"file": recording.file, **row, "licence": LICENCE, "source": source})
    text = json.dumps(listed, indent=1) + "\n"
    (folder / "recordings.json").write_text(text)
    return listed
