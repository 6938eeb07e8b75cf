"""The data on disk: shards of notes, each made once, by any number of processes, in any order.

A shard is a folder with `columns.npy` (f16 `[n, 375, 257]`, what the decoder is to make), `heard.npy` (f16
`[n, 2, 375, FRONT_WIDTH]`, what the encoder's network is fed: the note as it is, and as a recording of it might come),
`told.npy` (f32 `[n, 2]`, the pitch that the encoder is told) and `usable.npy` (bool `[n]`). It is made under another name and
renamed when complete, so that an interrupted run leaves only whole shards, and the next one skips them.
"""

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from scipy.signal import resample_poly

from . import nsynth, synthesised
from .analysis import analyse
from .columns import AMPLITUDE, CENTS, FRAME_WIDTH, HOP_SAMPLES, NOISE, SLOT_COUNT
from .dirt import heavy, mild
from .front import FRONT_WIDTH, Front
from .level import encoder_gain
from .notes import DRUMS, NSYNTH, SYNTHESISED, Note, nsynth_instruments
from .refused import Refused
from .soundfont import NOTE_SAMPLES, Soundfont

FRAMES = NOTE_SAMPLES // HOP_SAMPLES  # 375
NOTES_PER_SHARD = 64
DRUM_PITCH = 60  # at which a drum sounds as it is
VARIANTS = 2
LARGEST_MISTUNING = 0.5  # semitones, in the pitch the encoder is told
HEAVY_SHARE = 0.5  # of the disturbed variants; the others are disturbed mildly

# A function that renders a note (f32 mono at 48 kHz); made anew for each shard, so that a shard is the same whatever ran before.
Renderer = Callable[[Note], np.ndarray]


@dataclass(frozen=True)
class NoteRenderer:
    """Opens renderers for notes of all kinds; picklable, for the worker processes. `paths` are the soundfonts', `nsynth` is
    the folder of the NSynth dataset, if some notes are of it."""

    paths: dict[str, Path]
    nsynth: Path | None = None

    def open(self) -> Renderer:
        """A renderer that loads each font when the first note asks for it."""
        fonts: dict[str, Soundfont] = {}
        entries = nsynth.read(self.nsynth) if self.nsynth else []
        number = {name: index for index, name in enumerate(nsynth_instruments(entries))}
        recorded = {(number[entry.instrument], entry.pitch, entry.velocity): entry for entry in entries}

        def font(name: str) -> Soundfont:
            if name not in fonts:
                fonts[name] = Soundfont(self.paths[name])
            return fonts[name]

        def render(note: Note) -> np.ndarray:
            if note.font == SYNTHESISED:
                return synthesised.render(note.program, note.pitch, note.velocity)
            if note.font.startswith(DRUMS):
                drum = font(note.font.removeprefix(DRUMS)).drum(note.program, note.velocity)
                return transposed(drum, note.pitch - DRUM_PITCH)
            if note.font == NSYNTH:
                return nsynth.audio(self.nsynth, recorded[note.program, note.pitch, note.velocity])
            return font(note.font).note(note.program, note.pitch, note.velocity)

        return render


def transposed(audio: np.ndarray, semitones: int) -> np.ndarray:
    """`audio` played faster or slower, as unpitched sounds are transposed; band-limited, as long as before."""
    if semitones == 0:
        return audio
    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(64)
    moved = resample_poly(audio, ratio.denominator, ratio.numerator).astype(np.float32)
    return np.pad(moved, (0, max(0, len(audio) - len(moved))))[: len(audio)]


def shard_path(folder: Path, shard: int) -> Path:
    """Folder of shard number `shard`."""
    return folder / f"shard-{shard:04}"


def make_dataset(
    folder: Path, notes: list[Note], source, processes: int, notes_per_shard: int = NOTES_PER_SHARD, log=print
) -> int:
    """Makes the shards of `notes` that `folder` lacks, and returns how many it made. `source.open()` gives a `Renderer`."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / "notes.json"
    wanted = json.dumps({"notes_per_shard": notes_per_shard, "notes": [asdict(n) for n in notes]}, indent=0)
    if listing.exists() and listing.read_text() != wanted:
        raise Refused(f"{listing} lists other notes than the ones asked for: delete {folder} or choose another --work")
    temporary = listing.with_suffix(".tmp")
    temporary.write_text(wanted)
    os.replace(temporary, listing)
    cut = [notes[i : i + notes_per_shard] for i in range(0, len(notes), notes_per_shard)]
    jobs = [(folder, s, some, source) for s, some in enumerate(cut) if not shard_path(folder, s).is_dir()]
    began = time.time()
    if processes > 1 and len(jobs) > 1:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for done, shard in enumerate(pool.imap_unordered(_make_shard, jobs), 1):
                log(f"shard {shard} made, {done} of {len(jobs)}, {time.time() - began:.0f} s")
    else:
        for done, job in enumerate(jobs, 1):
            log(f"shard {_make_shard(job)} made, {done} of {len(jobs)}, {time.time() - began:.0f} s")
    return len(jobs)


def _make_shard(job) -> int:
    folder, shard, notes, source = job
    torch.set_num_threads(1)
    front, render = Front(), source.open()
    columns = np.zeros((len(notes), FRAMES, FRAME_WIDTH), np.float16)
    heard = np.zeros((len(notes), VARIANTS, FRAMES, FRONT_WIDTH), np.float16)
    told = np.zeros((len(notes), VARIANTS), np.float32)
    usable = np.zeros(len(notes), bool)
    for i, note in enumerate(notes):
        audio = render(note)[:NOTE_SAMPLES]
        gain = encoder_gain(audio)
        if gain is None:
            continue
        audio = np.pad(audio, (0, NOTE_SAMPLES - len(audio))) * np.float32(gain)
        rng = np.random.default_rng((2, shard, i))
        columns[i] = in_tune(analyse(audio, note.pitch)[:FRAMES])
        for variant in range(VARIANTS):
            told[i, variant] = note.pitch
            x = audio
            if variant > 0:
                told[i, variant] += rng.uniform(-LARGEST_MISTUNING, LARGEST_MISTUNING)
                x = heavy(audio, rng) if rng.random() < HEAVY_SHARE else mild(audio, rng)
            with torch.no_grad():
                pitch = torch.from_numpy(told[i, variant : variant + 1])
                heard[i, variant] = front(torch.from_numpy(x)[None], pitch)[0].numpy()
        usable[i] = np.isfinite(columns[i]).all() and np.isfinite(heard[i]).all()
    target = shard_path(folder, shard)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, array in (("columns", columns), ("heard", heard), ("told", told), ("usable", usable)):
        np.save(partial / f"{name}.npy", array)
    os.replace(partial, target)
    return shard


def in_tune(columns: np.ndarray) -> np.ndarray:
    """Takes the note's own mistuning out: the amplitude-weighted median of `cents` becomes 0, vibrato and glides stay."""
    weight = (10 ** (columns[:, AMPLITUDE][:, :SLOT_COUNT].astype(np.float64) / 10)).sum(1)
    order = np.argsort(columns[:, CENTS])
    running = np.cumsum(weight[order])
    middle = columns[order[np.searchsorted(running, running[-1] / 2)], CENTS]
    tuned = columns.copy()
    tuned[:, CENTS] -= middle
    return tuned


class Dataset:
    """Read-only view of the finished shards, memory-mapped. `notes`, `pitch` `[n]`, `usable` `[n]`."""

    def __init__(self, folder: Path):
        listing = folder / "notes.json"
        if not listing.is_file():
            raise Refused(f"no {listing}: run `python -m betwixt_training data` first")
        found = json.loads(listing.read_text())
        self.notes = [Note(**n) for n in found["notes"]]
        self._per_shard = found["notes_per_shard"]
        count = -(-len(self.notes) // self._per_shard)
        missing = [s for s in range(count) if not shard_path(folder, s).is_dir()]
        if missing:
            raise Refused(f"{folder} lacks {len(missing)} of {count} shards: run `python -m betwixt_training data` again")
        arrays = lambda name, mode: [np.load(shard_path(folder, s) / f"{name}.npy", mmap_mode=mode) for s in range(count)]
        self._columns, self._heard = arrays("columns", "r"), arrays("heard", "r")
        self.told = np.concatenate(arrays("told", None))
        self.usable = np.concatenate(arrays("usable", None))
        self.pitch = np.array([n.pitch for n in self.notes], np.float32)
        self._loudest: dict[int, int] = {}

    def indices(self, split: str) -> np.ndarray:
        """The usable notes of a split."""
        of_split = np.array([n.split == split for n in self.notes])
        return np.nonzero(of_split & self.usable)[0]

    def columns(self, note: int, first: int = 0, frames: int = FRAMES) -> np.ndarray:
        """f16 `[frames, 257]` from frame `first`."""
        shard, row = divmod(int(note), self._per_shard)
        return self._columns[shard][row, first : first + frames]

    def loudest(self, note: int) -> np.ndarray:
        """f16 `[257]`: the frame in which its partials and noise are loudest."""
        if note not in self._loudest:
            columns = self.columns(note).astype(np.float32)
            power = (10 ** (columns[:, AMPLITUDE] / 10)).sum(1) + (10 ** (columns[:, NOISE] / 10)).sum(1)
            self._loudest[note] = int(power.argmax())
        return self.columns(note, self._loudest[note], 1)[0]

    def heard(self, note: int, variant: int, first: int = 0, frames: int = FRAMES) -> np.ndarray:
        """f16 `[frames, FRONT_WIDTH]` from frame `first`; variant 0 is the undisturbed one."""
        shard, row = divmod(int(note), self._per_shard)
        return self._heard[shard][row, variant, first : first + frames]
