"""The NSynth dataset (Engel et al. 2017, CC BY 4.0) in its own form: a folder with `examples.json` and
`audio/NAME.wav`.

`examples.json` is one object, note name -> fields; the WAV files are mono at 16 kHz with 16-bit samples, 4 s long: 3 s
held and 1 s of release, as `soundfont.Soundfont.note` has them. So nothing above 8 kHz is in any of it, whatever rate
it is brought to: a model trained on this alone would learn that instruments end there.
"""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import signal

from .columns import SAMPLE_RATE
from .refused import Refused
from .soundfont import NOTE_SAMPLES

NSYNTH_RATE = 16_000
HIGHEST_HZ = NSYNTH_RATE / 2
_UP = SAMPLE_RATE // NSYNTH_RATE
# In the order of the numbers in `qualities` and `instrument_family`.
QUALITIES = ("bright", "dark", "distortion", "fast_decay", "long_release", "multiphonic", "nonlinear_env", "percussive",
             "reverb", "tempo-synced")  # fmt: skip
FAMILIES = ("bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal")
SOURCES = ("acoustic", "electronic", "synthetic")


@dataclass(frozen=True)
class Entry:
    """One note: `pitch` MIDI 0..127, `velocity` 1..127, `instrument` such as `organ_electronic_000`, `qualities` the
    names that apply."""

    name: str
    pitch: int
    velocity: int
    instrument: str
    family: str
    source: str
    qualities: tuple[str, ...]


def read(folder: Path) -> list[Entry]:
    """All notes of a split (the folder `nsynth-train` and the like), by name; raises `Refused`. Opens no audio."""
    listing = folder / "examples.json"
    try:
        found = json.loads(listing.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"cannot read {listing}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{listing} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused(f"{listing} holds no object of notes by name")
    return [_entry(listing, name, found[name]) for name in sorted(found)]


def _entry(listing: Path, name: str, fields) -> Entry:
    where = f"{listing}, note {name!r}"
    if not isinstance(fields, dict):
        raise Refused(f"{where}: not an object of fields")
    if name in ("", ".", "..") or any(c in name for c in "/\\\0"):
        raise Refused(f"{where}: a name that is no file name")

    def text(field: str, allowed: tuple[str, ...] | None = None) -> str:
        value = fields.get(field)
        if not isinstance(value, str) or not value or (allowed and value not in allowed):
            raise Refused(
                f"{where}: {field} is {value!r}" + (f", not one of {', '.join(allowed)}" if allowed else ", not a name")
            )
        return value

    def number(field: str, low: int, high: int) -> int:
        value = fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"{where}: {field} is {value!r}, not a whole number from {low} to {high}")
        return value

    if fields.get("note_str", name) != name:
        raise Refused(f"{where}: note_str is {fields['note_str']!r}, another name")
    number("sample_rate", NSYNTH_RATE, NSYNTH_RATE)
    flags = fields.get("qualities")
    if not isinstance(flags, list) or len(flags) != len(QUALITIES) or any(f not in (0, 1) for f in flags):
        raise Refused(f"{where}: qualities is {flags!r}, not a list of {len(QUALITIES)} zeros and ones")
    return Entry(
        name=name,
        pitch=number("pitch", 0, 127),
        velocity=number("velocity", 1, 127),
        instrument=text("instrument_str"),
        family=text("instrument_family_str", FAMILIES),
        source=text("instrument_source_str", SOURCES),
        qualities=tuple(q for q, flag in zip(QUALITIES, flags, strict=True) if flag),
    )


def audio(folder: Path, entry: Entry) -> np.ndarray:
    """The note at 48 kHz, f32 `[192000]`, full scale 1, silent above 8 kHz; raises `Refused`."""
    path = folder / "audio" / f"{entry.name}.wav"
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if form != (1, 2, NSYNTH_RATE):
                found = f"{form[0]} channel(s) of {8 * form[1]} bits at {form[2]} Hz"
                raise Refused(f"{path}: {found}, not one of 16 bits at {NSYNTH_RATE} Hz")
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise Refused(f"{path} is not a WAV file of whole numbers: {error or 'it ends early'}") from error
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    if len(samples) * _UP != NOTE_SAMPLES:
        raise Refused(f"{path}: {len(samples)} samples, not {NOTE_SAMPLES // _UP}")
    return signal.resample_poly(samples.astype(np.float32) / 32768, _UP, 1).astype(np.float32)
