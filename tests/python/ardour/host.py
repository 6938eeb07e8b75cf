"""Makes and exports a session, in the steps that Ardour's command line tools leave to others.

Its tools read only the plugin cache, so the scanner comes first; its Lua cannot make MIDI regions, so the
MIDI file is written into the session's XML by hand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import mido

SCANNER = Path("/usr/lib/ardour7/ardour-vst3-scanner")
LUA = "ardour7-lua"
EXPORT = "ardour7-export"
# Ardour's units of time: ticks a quarter note, and superclocks a second.
TICKS_PER_QUARTER = 1920
SUPERCLOCKS_PER_SECOND = 282_240_000
TIMEOUT_S = 120
# Ardour 7.3 to 8.4 mix up to four samples past the end of a buffer where they use AVX-512 and the heap happens to
# lay two buffers 32 bytes apart modulo 64, and then die of the broken heap, whatever plugin plays (upstream d023ea0d,
# "Fix potential memory corruption in AVX512f DSP"). These are the flags of its `FPU` that such a processor has, but
# for that one: flush to zero, denormals are zero, SSE, SSE2, AVX, FMA.
FPU_FLAGS_BUT_AVX512 = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x40


def is_installed() -> bool:
    """Whether Ardour 7 is there."""
    return SCANNER.exists() and shutil.which(LUA) is not None and shutil.which(EXPORT) is not None


class Ardour:
    """An Ardour with a home of its own, which knows one plugin."""

    def __init__(self, folder: Path, vst3: str):
        self.folder = folder
        home = folder / "home"
        (home / ".vst3").mkdir(parents=True)
        link = home / ".vst3" / Path(vst3).name
        link.symlink_to(vst3)
        self.environment = {**os.environ, "HOME": str(home)}
        for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DISPLAY"):
            self.environment.pop(variable, None)
        if "avx512f" in Path("/proc/cpuinfo").read_text():
            self.environment["ARDOUR_FPU_FLAGS"] = str(FPU_FLAGS_BUT_AVX512)
        self.run([str(SCANNER), "-f", str(link)], LD_LIBRARY_PATH=str(SCANNER.parent))

    def run(self, command: list[str], **variables: str) -> str:
        """Runs a program of Ardour's; what it printed."""
        done = subprocess.run(
            command,
            env={**self.environment, **variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            errors="replace",
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, f"{command[0]} failed with {done.returncode}:\n{printed}"
        return printed

    def session(self, name: str, notes: list[tuple[int, float, float]], seconds: float) -> Path:
        """A session that plays `notes` (key, start, length; seconds), the blend going from left to right."""
        folder = self.folder / name
        script = Path(__file__).with_name("session.lua")
        self.run(
            [LUA, str(script)],
            SESSION_FOLDER=str(folder),
            SESSION_NAME=name,
            PLUGIN_NAME="Betwixt",
            SECONDS=str(seconds),
        )
        file = folder / f"{name}.ardour"
        assert file.exists(), f"ardour7-lua left no {file.name}"
        midi = folder / "interchange" / name / "midifiles" / "notes.mid"
        midi.parent.mkdir(parents=True, exist_ok=True)
        quarters = write_midi(midi, notes, seconds)
        file.write_text(with_region(file.read_text(), midi.name, quarters, seconds))
        return folder

    def export(self, session: Path, wav: Path) -> Path:
        """Bounces a session to a float WAV."""
        self.run([EXPORT, "-b", "float", "-s", "48000", "-o", str(wav), str(session), session.name])
        assert wav.exists(), "ardour7-export left no file"
        return wav


def write_midi(path: Path, notes: list[tuple[int, float, float]], seconds: float) -> float:
    """Writes a MIDI file at 120 quarter notes a minute; its length in quarter notes."""
    resolution, quarters_per_second = 960, 2.0
    ticks = lambda time: round(time * quarters_per_second * resolution)  # noqa: E731
    events = [(ticks(seconds), mido.MetaMessage("end_of_track"))]
    for key, start, length in notes:
        events.append((ticks(start), mido.Message("note_on", note=key, velocity=100)))
        events.append((ticks(start + length), mido.Message("note_off", note=key, velocity=0)))
    events.sort(key=lambda event: event[0])
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000, time=0)])
    now = 0
    for at, message in events:
        track.append(message.copy(time=at - now))
        now = at
    file = mido.MidiFile(ticks_per_beat=resolution)
    file.tracks.append(track)
    file.save(path)
    return seconds * quarters_per_second


def with_region(session: str, midi_name: str, quarters: float, seconds: float) -> str:
    """The session's XML with the MIDI file on its first MIDI track, and a range to export."""
    source, whole, region, location, first_free = 90_001, 90_002, 90_003, 90_004, 90_010
    length = f"b{round(quarters * TICKS_PER_QUARTER)}@b0"
    no = " ".join(
        f'{flag}="0"'
        for flag in (
            *("muted", "locked", "video-locked", "import", "external", "sync-marked", "left-of-split"),
            *("right-of-split", "hidden", "position-locked", "valid-transients"),
        )
    )

    def region_xml(name: str, number: int, is_whole: int) -> str:
        return (
            f'<Region name="{name}" opaque="1" automatic="{is_whole}" whole-file="{is_whole}" {no} id="{number}" '
            f'start="b0" length="{length}" type="midi" first-edit="nothing" source-0="{source}" '
            f'master-source-0="{source}"/>'
        )

    source_xml = (
        f'<Source name="{midi_name}" take-id="" type="midi" flags="Writable,CanRename" id="{source}" origin=""/>'
    )
    range_xml = (
        f'<Location id="{location}" name="session" start="a0" end="a{round(seconds * SUPERCLOCKS_PER_SECOND)}" '
        'flags="IsSessionRange" locked="0"/>'
    )
    changes = [
        (r"<Sources/>", f"<Sources>{source_xml}</Sources>"),
        (r"<Regions/>", f"<Regions>{region_xml(midi_name, whole, 1)}</Regions>"),
        (r'(<Playlist [^>]*type="midi"[^>]*)/>', rf"\1>{region_xml(midi_name + '.1', region, 0)}</Playlist>"),
        (r"<Locations/>", f"<Locations>{range_xml}</Locations>"),
        (r'id-counter="\d+"', f'id-counter="{first_free}"'),
    ]
    for pattern, replacement in changes:
        session, count = re.subn(pattern, replacement, session, count=1)
        assert count == 1, f"Ardour's session has no {pattern}"
    return session
