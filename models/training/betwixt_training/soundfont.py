"""Soundfonts: where Debian puts them, which keys their samples were recorded at, and single notes through libfluidsynth."""

import ctypes
from ctypes import c_char_p, c_double, c_float, c_int, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .columns import SAMPLE_RATE

LIBRARY = "libfluidsynth.so.3"
HELD_SECONDS = 3.0
RELEASE_SECONDS = 1.0
NOTE_SAMPLES = int((HELD_SECONDS + RELEASE_SECONDS) * SAMPLE_RATE)
DRUM_KEYS = tuple(range(35, 82))  # General MIDI's: acoustic bass drum to open triangle
_DRUM_CHANNEL = 9  # the tenth, where fluidsynth plays bank 128

# Font -> (file, Debian package). Both are MIT-licensed.
FONTS = {
    "fluid": ("sf2/FluidR3_GM.sf2", "fluid-soundfont-gm"),
    "musescore": ("sf2/MuseScore_General_Full.sf2", "musescore-general-soundfont-lossless"),
}
DEFAULT_FOLDER = Path("/usr/share/sounds")


class Missing(Exception):
    """Something that this machine must have and has not; the message names the apt package."""


def font_path(font: str, folder: Path = DEFAULT_FOLDER) -> Path:
    """The font's file under `folder`; raises `Missing`."""
    name, package = FONTS[font]
    path = folder / name
    if not path.is_file():
        raise Missing(f"no soundfont at {path}: apt install {package}, or name its folder with --soundfonts")
    return path


@dataclass(frozen=True)
class Preset:
    """One instrument of a font: its name and the lowest and highest key that a sample of it was recorded at."""

    name: str
    lowest_root: int
    highest_root: int


_PRESET = np.dtype(
    [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("zone", "<u2"), ("rest", "V12")]
)
_INSTRUMENT = np.dtype([("name", "S20"), ("zone", "<u2")])
_ZONE = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<u2")])
_SAMPLE = np.dtype(
    [("name", "S20"), ("places", "<u4", 5), ("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")]
)
_USES_INSTRUMENT, _USES_SAMPLE, _OVERRIDES_ROOT = 41, 53, 58


def presets(path: Path) -> dict[int, Preset]:
    """Program -> preset, of bank 0 (SoundFont 2.04 specification, chapter 7: the `pdta` list)."""
    data = path.read_bytes()
    chunks = _chunks(data, data.rindex(b"pdta") + 4)
    table = lambda name, kind: np.frombuffer(chunks[name], kind)
    preset_table, instruments = table(b"phdr", _PRESET), table(b"inst", _INSTRUMENT)
    preset_zones, instrument_zones = table(b"pbag", _ZONE)["generator"], table(b"ibag", _ZONE)["generator"]
    preset_generators, instrument_generators = table(b"pgen", _GENERATOR), table(b"igen", _GENERATOR)
    samples = table(b"shdr", _SAMPLE)

    def zones(bounds, generators, first: int, end: int):
        for zone in range(first, end):
            rows = generators[bounds[zone] : bounds[zone + 1]]
            yield {int(g["operator"]): int(g["amount"]) for g in rows}

    found = {}
    for index in range(len(preset_table) - 1):
        row, following = preset_table[index], preset_table[index + 1]
        if row["bank"] != 0:
            continue
        roots = []
        for zone in zones(preset_zones, preset_generators, row["zone"], following["zone"]):
            if _USES_INSTRUMENT not in zone:
                continue
            used = zone[_USES_INSTRUMENT]
            bounds = instruments["zone"][used], instruments["zone"][used + 1]
            for split in zones(instrument_zones, instrument_generators, *bounds):
                if _USES_SAMPLE in split:
                    roots.append(split.get(_OVERRIDES_ROOT, int(samples["root"][split[_USES_SAMPLE]])))
        if roots:
            found[int(row["program"])] = Preset(row["name"].decode("latin1"), min(roots), max(roots))
    return found


def _chunks(data: bytes, offset: int) -> dict[bytes, bytes]:
    found = {}
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        found[data[offset : offset + 4]] = data[offset + 8 : offset + 8 + size]
        offset += 8 + size + size % 2
    return found


def _library() -> ctypes.CDLL:
    try:
        lib = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise Missing(f"no {LIBRARY}: apt install libfluidsynth3") from error
    for name, result, arguments in [
        ("new_fluid_settings", c_void_p, []),
        ("fluid_settings_setnum", c_int, [c_void_p, c_char_p, c_double]),
        ("fluid_settings_setint", c_int, [c_void_p, c_char_p, c_int]),
        ("new_fluid_synth", c_void_p, [c_void_p]),
        ("fluid_synth_sfload", c_int, [c_void_p, c_char_p, c_int]),
        ("fluid_synth_set_interp_method", c_int, [c_void_p, c_int, c_int]),
        ("fluid_synth_system_reset", c_int, [c_void_p]),
        ("fluid_synth_program_change", c_int, [c_void_p, c_int, c_int]),
        ("fluid_synth_cc", c_int, [c_void_p, c_int, c_int, c_int]),
        ("fluid_synth_noteon", c_int, [c_void_p, c_int, c_int, c_int]),
        ("fluid_synth_noteoff", c_int, [c_void_p, c_int, c_int]),
        ("fluid_synth_all_sounds_off", c_int, [c_void_p, c_int]),
        ("fluid_synth_write_float", c_int, [c_void_p, c_int] + [c_void_p, c_int, c_int] * 2),
        ("delete_fluid_synth", None, [c_void_p]),
        ("delete_fluid_settings", None, [c_void_p]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Soundfont:
    """A font loaded into libfluidsynth, without reverb and chorus, at 48 kHz, with 7th-order interpolation."""

    def __init__(self, path: Path):
        self._lib = lib = _library()
        self._settings = lib.new_fluid_settings()
        lib.fluid_settings_setnum(self._settings, b"synth.sample-rate", SAMPLE_RATE)
        lib.fluid_settings_setnum(self._settings, b"synth.gain", 0.5)
        for option in (b"synth.reverb.active", b"synth.chorus.active", b"synth.lock-memory"):
            lib.fluid_settings_setint(self._settings, option, 0)
        self._synth = lib.new_fluid_synth(self._settings)
        if lib.fluid_synth_sfload(self._synth, str(path).encode(), 1) < 0:
            raise Missing(f"libfluidsynth cannot read {path}")
        lib.fluid_synth_set_interp_method(self._synth, -1, 7)

    def __del__(self):
        if getattr(self, "_synth", None):
            self._lib.delete_fluid_synth(self._synth)
            self._lib.delete_fluid_settings(self._settings)

    def note(self, program: int, pitch: int, velocity: int) -> np.ndarray:
        """3 s held and 1 s of release, f32 `[192000]`: the louder channel, for stereo samples comb when summed."""
        return self._play(0, program, pitch, velocity)

    def drum(self, key: int, velocity: int) -> np.ndarray:
        """One drum of the standard kit (`DRUM_KEYS`), in the same form as `note`."""
        return self._play(_DRUM_CHANNEL, 0, key, velocity)

    def _play(self, channel: int, program: int, key: int, velocity: int) -> np.ndarray:
        lib, synth = self._lib, self._synth
        lib.fluid_synth_system_reset(synth)
        lib.fluid_synth_program_change(synth, channel, program)
        for controller, value in ((10, 64), (91, 0), (93, 0)):  # pan, reverb send, chorus send
            lib.fluid_synth_cc(synth, channel, controller, value)
        lib.fluid_synth_noteon(synth, channel, key, velocity)
        held = self._write(int(HELD_SECONDS * SAMPLE_RATE))
        lib.fluid_synth_noteoff(synth, channel, key)
        released = self._write(int(RELEASE_SECONDS * SAMPLE_RATE))
        lib.fluid_synth_all_sounds_off(synth, channel)
        self._write(64)
        left, right = np.concatenate([held, released], 1)
        return left if (left**2).sum() >= 0.7 * (right**2).sum() else right

    def _write(self, samples: int) -> np.ndarray:
        stereo = np.zeros((2, samples), np.float32)
        pointers = [stereo[i].ctypes.data_as(ctypes.POINTER(c_float)) for i in (0, 1)]
        self._lib.fluid_synth_write_float(self._synth, samples, pointers[0], 0, 1, pointers[1], 0, 1)
        return stereo
