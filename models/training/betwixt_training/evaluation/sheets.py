"""Listening sheets: for each family a page of spectrograms, of its factory sounds and of blends between them, to be
looked at.

A row is a sound: its recording, the ceiling, the model; and the first 150 ms of recording and model. The lines are
drawn up to 24 times f0. Below, the family's first and last sound blended at five places; and a page of its own has the
twelve pairs of `blends`.
"""

from pathlib import Path

import numpy as np

from .. import synthesis
from ..analysis import analyse
from ..columns import midi_to_hz
from ..instrument import Instrument
from ..pictures import Panel, spectrogram_page
from ..recordings import RECORDINGS
from .bench import Bench
from .blends import Job, blended, pair_jobs

BLEND_ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
ATTACK_SAMPLES = 7200


def top_khz(pitch: float) -> float:
    """How far up a page shows a note."""
    return float(np.clip(24 * midi_to_hz(pitch) / 1000, 3, 24))


def sound_row(model: Instrument, job: tuple[str, np.ndarray, int]) -> list[Panel]:
    """The five panels of a factory sound."""
    name, audio, pitch = job
    decoded, top = model.play(model.encode(audio, pitch), pitch), top_khz(pitch)
    return [
        Panel(f"{name} ({pitch}), recording", audio, top),
        Panel("ceiling", synthesis.audio(analyse(audio, pitch), pitch), top),
        Panel("model", decoded, top),
        Panel("recording, 150 ms", audio[:ATTACK_SAMPLES], 16.0, attack=True),
        Panel("model, 150 ms", decoded[:ATTACK_SAMPLES], 16.0, attack=True),
    ]


def blend_row(model: Instrument, job: Job) -> list[Panel]:
    """The five panels of a blend."""
    audio = [synthesis.audio(c, job.pitch) for c in blended(model, job, BLEND_ALPHAS)]
    titles = [f"{job.names[0]} (at {job.pitch})", "0.25", "0.5", "0.75", job.names[1]]
    return [Panel(t, x, top_khz(job.pitch)) for t, x in zip(titles, audio)]


def measure(bench: Bench, folder: Path) -> list[str]:
    """Writes the pages into `folder`, and returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    audio = {r.name: bench.sounds.note(r.font, r.program, r.pitch, r.velocity) for r in RECORDINGS}
    written = []
    for family in dict.fromkeys(r.family for r in RECORDINGS):
        members = [r for r in RECORDINGS if r.family == family]
        rows = bench.map(sound_row, [(r.name, audio[r.name], r.pitch) for r in members], f"sheets, {family}")
        ends = members[0], members[-1]
        middle = round(sum(r.pitch for r in ends) / 2)
        job = Job(tuple(r.name for r in ends), tuple(audio[r.name] for r in ends), tuple(r.pitch for r in ends), middle)
        rows.append(blend_row(bench.model, job))
        spectrogram_page(folder / f"{family}.png", rows)
        written.append(f"{family}.png")
    spectrogram_page(folder / "blends.png", bench.map(blend_row, pair_jobs(bench), "sheets, blends"))
    return [*written, "blends.png"]


def tables(found: list[str]) -> list[str]:
    """Markdown."""
    return ["Listening sheets: " + ", ".join(f"`sheets/{name}`" for name in found) + "."]
