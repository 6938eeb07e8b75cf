"""The recordings that the factory sounds are encoded from: WAV files and a list, `recordings.json`.

From two soundfonts under MIT, and from our own synthesisers, which are under this repository's licence.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from .columns import SAMPLE_RATE
from .notes import SYNTHESISED
from .recordings import RECORDINGS, Recording, render
from .soundfont import DEFAULT_FOLDER
from .synthesised import INSTRUMENTS

FAMILIES = ("bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal")
SOURCES = ("acoustic", "electronic", "synthetic")
# Where a recording is from -> what it is called, who made it, its licence.
ORIGINS = {
    "fluid": ("FluidR3 GM", "Frank Wen", "MIT (FluidR3 / MuseScore General)"),
    "musescore": ("MuseScore General", "S. Christian Collins, Frank Wen", "MIT (FluidR3 / MuseScore General)"),
    SYNTHESISED: ("Betwixt's own synthesisers", "Betwixt", "MIT OR Apache-2.0"),
}
_NUMBER = {instrument.name: index for index, instrument in enumerate(INSTRUMENTS)}
_PEAK = np.float32(0.5)


def _font(name, family, tags, font, program, pitch, velocity=100) -> Recording:
    return Recording(name, family, tuple(tags.split()), font, program, pitch, velocity)


def _own(name, family, tags, instrument, pitch, velocity=100) -> Recording:
    """Of our own synthesisers, by the instrument's name there."""
    return _font(name, family, tags, SYNTHESISED, _NUMBER[instrument], pitch, velocity)


FACTORY = (
    *RECORDINGS,
    _font("Fingered Bass", "bass", "plucked decaying warm electronic", "fluid", 33, 33),
    _font("Fretless Bass", "bass", "plucked singing warm electronic", "fluid", 35, 36),
    _font("Picked Bass", "bass", "plucked decaying bright electronic", "musescore", 34, 33),
    _own("FM Bass", "bass", "decaying round synthetic", "FM round bass 1", 36),
    _own("Hard FM Bass", "bass", "bright punchy synthetic", "FM hard bass 1", 36),
    _own("Acid Bass", "bass", "resonant squelchy synthetic", "acid 1", 36),
    _own("Analogue Bass", "bass", "dark round synthetic", "bass 2", 33),
    _font("Tuba", "brass", "sustained dark acoustic", "musescore", 58, 41),
    _font("Muted Trumpet", "brass", "sustained nasal bright acoustic", "musescore", 59, 65),
    _font("Brass Section", "brass", "sustained wide bright acoustic", "fluid", 61, 60),
    _font("Synth Brass", "brass", "sustained bright synthetic", "fluid", 62, 57),
    _own("FM Brass", "brass", "sustained bright synthetic", "FM brass 1", 57),
    _font("Piccolo", "flute", "sustained bright airy acoustic", "fluid", 72, 84),
    _font("Recorder", "flute", "sustained pure soft acoustic", "fluid", 74, 72),
    _font("Tin Whistle", "flute", "sustained pure bright acoustic", "musescore", 78, 79),
    _font("Ocarina", "flute", "sustained pure soft acoustic", "fluid", 79, 72),
    _own("Alto Flute", "flute", "sustained breathy dark synthetic", "alto flute", 62),
    _own("Blown Bottle", "flute", "sustained airy hollow synthetic", "bottle", 60),
    _font("Jazz Guitar", "guitar", "plucked decaying warm electronic", "fluid", 26, 55),
    _font("Clean Guitar", "guitar", "plucked decaying bright electronic", "musescore", 27, 55),
    _font("Overdriven Guitar", "guitar", "plucked sustained distorted electronic", "fluid", 29, 52),
    _font("Banjo", "guitar", "plucked decaying bright acoustic", "fluid", 105, 60),
    _own("Twelve Strings", "guitar", "plucked decaying wide synthetic", "twelve strings", 52),
    _own("Ukulele", "guitar", "plucked decaying soft synthetic", "ukulele", 64),
    _font("Celesta", "keyboard", "struck metallic soft acoustic", "fluid", 8, 72),
    _font("Music Box", "keyboard", "plucked metallic bright acoustic", "fluid", 10, 77),
    _font("FM Piano", "keyboard", "struck decaying glassy synthetic", "musescore", 5, 60),
    _own("Tine Piano", "keyboard", "struck decaying glassy synthetic", "FM tine piano 1", 60),
    _own("Reed Piano", "keyboard", "struck decaying warm synthetic", "FM reed piano 1", 57),
    _own("Toy Piano", "keyboard", "struck metallic bright synthetic", "toy piano", 72),
    _font("Dulcimer", "mallet", "struck decaying bright acoustic", "fluid", 15, 60),
    _font("Timpani", "mallet", "struck dark inharmonic acoustic", "fluid", 47, 45),
    _own("Bass Marimba", "mallet", "struck wooden dark synthetic", "bass marimba", 48),
    _own("Handbell", "mallet", "struck metallic pure synthetic", "handbell", 72),
    _own("Carillon", "mallet", "struck metallic inharmonic synthetic", "carillon", 72),
    _own("Singing Bowl", "mallet", "struck metallic long synthetic", "singing bowl", 60),
    _own("Bowed Bowl", "mallet", "swelling metallic soft synthetic", "bowed bowl", 60),
    _own("FM Bell", "mallet", "struck glassy inharmonic synthetic", "FM bell 1", 72),
    _own("Drawbar Organ", "organ", "sustained bright synthetic", "drawbars 3", 60),
    _font("Percussive Organ", "organ", "sustained clicking electronic", "musescore", 17, 60),
    _own("Full Organ", "organ", "sustained bright wide synthetic", "drawbars 4", 57),
    _font("Bandoneon", "organ", "sustained reedy bright acoustic", "fluid", 23, 62),
    _own("Stopped Pipe", "organ", "sustained hollow soft synthetic", "stopped flute", 60),
    _own("Principal Pipe", "organ", "sustained clear synthetic", "principal", 60),
    _own("Gamba Pipe", "organ", "sustained stringy synthetic", "gamba", 57),
    _font("English Horn", "reed", "sustained nasal warm acoustic", "fluid", 69, 62),
    _font("Soprano Sax", "reed", "sustained reedy bright acoustic", "fluid", 64, 68),
    _font("Tenor Sax", "reed", "sustained reedy warm acoustic", "musescore", 66, 55),
    _font("Baritone Sax", "reed", "sustained reedy dark acoustic", "musescore", 67, 45),
    _font("Harmonica", "reed", "sustained reedy bright acoustic", "fluid", 22, 67),
    _font("Shenai", "reed", "sustained nasal bright acoustic", "fluid", 111, 65),
    _own("Bass Clarinet", "reed", "sustained hollow dark synthetic", "bass clarinet", 48),
    _font("Viola", "string", "sustained bowed warm acoustic", "fluid", 41, 60),
    _font("Contrabass", "string", "sustained bowed dark acoustic", "musescore", 43, 40),
    _font("Pizzicato", "string", "plucked short acoustic", "musescore", 45, 57),
    _font("Fiddle", "string", "sustained bowed bright acoustic", "fluid", 110, 67),
    _font("Synth Strings", "string", "sustained wide synthetic", "fluid", 50, 57),
    _own("String Section", "string", "sustained bowed wide synthetic", "string section", 57),
    _font("Oohs", "vocal", "sustained vocal soft acoustic", "musescore", 53, 62),
    _font("Solo Vox", "vocal", "sustained vocal pure synthetic", "fluid", 85, 62),
    _own("Tenor Ah", "vocal", "sustained vocal open synthetic", "tenor a", 57),
    _own("Soprano Ah", "vocal", "sustained vocal open bright synthetic", "soprano a", 69),
    _own("Soprano Choir", "vocal", "sustained vocal wide synthetic", "soprano choir o", 67),
    _own("Bass Choir", "vocal", "sustained vocal dark synthetic", "bass choir u", 48),
    _own("Turning Vowel", "vocal", "sustained vocal moving synthetic", "tenor au", 57),
    _font("Warm Pad", "synth_lead", "sustained dark wide synthetic", "fluid", 89, 57),
    _font("Polysynth", "synth_lead", "sustained bright synthetic", "fluid", 90, 60),
    _font("Crystal", "synth_lead", "decaying glassy bright synthetic", "fluid", 98, 72),
    _font("Fantasia", "synth_lead", "sustained glassy wide synthetic", "musescore", 88, 60),
    _own("Supersaw", "synth_lead", "sustained wide bright synthetic", "supersaw 1", 57),
    _own("Pulse Lead", "synth_lead", "sustained hollow moving synthetic", "pulse 5", 60),
    _own("Turning Table", "synth_lead", "swelling moving synthetic", "table 12", 57),
    _own("Falling Table", "synth_lead", "moving decaying synthetic", "table 16", 57),
    _own("Feedback Lead", "synth_lead", "sustained rough bright synthetic", "FM feedback lead 1", 60),
    _own("Analogue Lead", "synth_lead", "sustained bright synthetic", "lead 3", 60),
    _own("Analogue Stab", "synth_lead", "short resonant synthetic", "stab 2", 57),
    _own("Analogue Pad", "synth_lead", "sustained soft moving synthetic", "pad 2", 55),
    _own("FM Glass", "synth_lead", "decaying glassy soft synthetic", "FM glass 1", 67),
)


def write_recordings(folder: Path, soundfonts: Path = DEFAULT_FOLDER) -> list[dict]:
    """Renders every recording into `folder` as mono 48 kHz 32-bit float WAV, peak at -6 dBFS, and lists them in
    `recordings.json`. Returns that list. Raises `soundfont.Missing`."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for recording in FACTORY:
        audio = render(recording, soundfonts)
        audio = audio * (_PEAK / np.abs(audio).max())
        wavfile.write(folder / recording.file, SAMPLE_RATE, audio)
        listed.append(described(recording))
    text = json.dumps(listed, indent=1) + "\n"
    (folder / "recordings.json").write_text(text)
    return listed


def described(recording: Recording) -> dict:
    """What is listed of a recording: `file`, `name`, `family`, `tags`, `pitch`, `author`, `licence`, `source`."""
    row = asdict(recording)
    origin, author, licence = ORIGINS[row.pop("font")]
    program, velocity = row.pop("program"), row.pop("velocity")
    what = INSTRUMENTS[program].name if recording.font == SYNTHESISED else f"program {program}"
    source = f"{origin}, {what}, velocity {velocity}"
    return {"file": recording.file, **row, "author": author, "licence": licence, "source": source}
