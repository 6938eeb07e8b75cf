"""Blends of twelve pairs of factory sounds: each encoded at its own pitch, both decoded at one, in nine steps.

What a pair must do to pass, of the audio: the eight steps of the path lie within 2x of each other (mel distance); at
the middle the distances to both parents lie within 25 %; the middle has one pitch (CREPE's periodicity at most 0.05
under the lower parent's, its median f0 within a quarter of a semitone of the pitch asked for wherever a parent's is,
and at most half a spectral line a slot more than the parent with more of them); it lies further from a plain mix of the
parents than a mean step of the path; where a note turns from alpha 0.4 to 0.6, as notes do in the engine, from one state
and with its phases going on, a cross-fade of 30 ms from there loses at most 0.3 dB (`fusion.forked_combing_db`); and nowhere is the path over 1.5 dB under the straight line of its levels
(`fusion.level_hole_db`, mean over the blocks).

Beside it, stricter, and no part of the check: what a cross-fade of two notes begun at once loses, at 0.4 and at 0.6 from
their starts (`fusion.combing_db`), each with its own pitch track, and both with one. Their phases have drifted apart by then.

Of flugelhorns the fonts have none among their programs: the French horn, as mellow and as conical, stands in.
"""

from dataclasses import dataclass

import numpy as np

from .. import synthesis
from ..columns import midi_to_hz
from ..instrument import Instrument, decoder_frames
from ..metrics import alike_long, mel_distance
from ..recordings import RECORDINGS, Recording
from .bench import Bench
from .crepe import track
from .fusion import (
    FORK_FRAMES,
    beating_db,
    combing_db,
    forked_combing_db,
    level_hole_db,
    lines_per_slot,
    with_f0_of,
)
from .goals import Goal

ALPHAS = np.linspace(0, 1, 9)
NEIGHBOURS = (0.4, 0.6)
PAIRS = (
    ("Upright Bass", "Flute", 48),
    ("Flute", "Church Organ", 67),
    ("Vibraphone", "Clarinet", 62),
    ("Glockenspiel", "French Horn", 72),
    ("Grand Piano", "String Ensemble", 57),
    ("Nylon Guitar", "Choir", 55),
    ("Violin", "Trumpet", 67),
    ("Marimba", "Koto", 60),
    ("Cello", "Saw Lead", 48),
    ("Electric Piano", "Kalimba", 60),
    ("Harpsichord", "Shakuhachi", 62),
    ("Tubular Bells", "Oboe", 64),
)
LARGEST_STEP_RATIO = 2.0
LARGEST_MIDDLE_RATIO = 1.25
PERIODICITY_LOSS, F0_SEMITONES, EXTRA_LINES = 0.05, 0.25, 0.5
COMBING_DB = -0.3
HOLE_DB = 1.5
SCORED = slice(20, 120)  # of CREPE's frames: 0.4 to 2.4 s
CHECKS = ("even", "middle", "one_pitch", "unmixed", "coherent", "level")


@dataclass
class Job:
    """Two sounds and the pitch to decode them at."""

    names: tuple[str, str]
    audio: tuple[np.ndarray, np.ndarray]
    own_pitch: tuple[int, int]
    pitch: int


def recording_named(name: str) -> Recording:
    """The factory sound of that name."""
    return next(r for r in RECORDINGS if r.name == name)


def pair_jobs(bench: Bench) -> list[Job]:
    """The twelve pairs."""
    found = []
    for first, second, pitch in PAIRS:
        both = [recording_named(n) for n in (first, second)]
        audio = [bench.sounds.note(r.font, r.program, r.pitch, r.velocity) for r in both]
        found.append(Job((first, second), tuple(audio), tuple(r.pitch for r in both), pitch))
    return found


def blended(model: Instrument, job: Job, alphas) -> list[np.ndarray]:
    """The columns of the pair at each alpha: embeddings blended frame by frame."""
    return [model.columns(embedding, job.pitch) for embedding in blended_embeddings(model, job, alphas)]


def blended_embeddings(model: Instrument, job: Job, alphas) -> list[np.ndarray]:
    """The pair's embeddings `[J, 16]`, blended frame by frame."""
    a, b = alike_long(*(model.encode(x, p) for x, p in zip(job.audio, job.own_pitch)))
    return [((1 - alpha) * a + alpha * b).astype(np.float32) for alpha in alphas]


def forked(model: Instrument, job: Job) -> tuple[float, float]:
    """`fusion.forked_combing_db` of the blends at .4 and .6."""
    here, there = (decoder_frames(e) for e in blended_embeddings(model, job, NEIGHBOURS))
    turned = [model.columns_of_frames(np.concatenate([here[:f], there[f:]]), job.pitch) for f in FORK_FRAMES]
    return forked_combing_db(model.columns_of_frames(here, job.pitch), turned, job.pitch)


def measure_pair(model: Instrument, job: Job) -> dict:
    """All figures of one pair, and which of the checks it passes."""
    path = [synthesis.audio(c, job.pitch) for c in blended(model, job, ALPHAS)]
    first, middle, last = path[0], path[len(path) // 2], path[-1]
    steps = [mel_distance(a, b) for a, b in zip(path, path[1:])]
    to_parents = [mel_distance(first, middle), mel_distance(last, middle)]
    mix = (first + last) / 2
    neighbours, fork = blended(model, job, NEIGHBOURS), forked(model, job)
    combing = combing_db(*neighbours, job.pitch)
    shared = combing_db(neighbours[0], with_f0_of(neighbours[1], neighbours[0]), job.pitch)
    hole_db, deepest_db = level_hole_db(path, ALPHAS)
    pitches = {
        name: _pitch(x, job.pitch) for name, x in (("first", first), ("middle", middle), ("last", last), ("mix", mix))
    }
    found = {
        "pair": list(job.names),
        "pitch": job.pitch,
        "steps": steps,
        "step_ratio": max(steps) / max(min(steps), 1e-6),
        "whole": mel_distance(first, last),
        "to_parents": to_parents,
        "middle_ratio": max(to_parents) / max(min(to_parents), 1e-6),
        "to_mix": mel_distance(mix, middle),
        "combing_db": combing[0],
        "combing_5th_db": combing[1],
        "combing_shared_f0_db": shared[0],
        "combing_forked_db": fork[0],
        "combing_forked_5th_db": fork[1],
        "level_hole_db": hole_db,
        "deepest_hole_db": deepest_db,
        "tone": pitches,
    }
    return found | {"passes": _passes(found)}


def _pitch(audio: np.ndarray, pitch: float) -> dict[str, float]:
    f0_hz, periodicity = (x[SCORED] for x in track(audio))
    semitones = 12 * np.log2(f0_hz / float(midi_to_hz(pitch)))
    return {
        "periodicity": float(periodicity.mean()),
        "f0": float(np.median(semitones)),
        "f0_sd": float(semitones.std()),
        "lines": lines_per_slot(audio, pitch),
        "beating_db": beating_db(audio, pitch),
    }


def _passes(found: dict) -> dict[str, bool]:
    tone = found["tone"]
    parents = (tone["first"], tone["last"])
    in_tune = any(abs(p["f0"]) < F0_SEMITONES for p in parents)
    lines = [p["lines"] for p in parents if np.isfinite(p["lines"])]
    one_pitch = (
        tone["middle"]["periodicity"] >= min(p["periodicity"] for p in parents) - PERIODICITY_LOSS
        and (abs(tone["middle"]["f0"]) < F0_SEMITONES or not in_tune)
        and (
            not lines or not np.isfinite(tone["middle"]["lines"]) or tone["middle"]["lines"] <= max(lines) + EXTRA_LINES
        )
    )
    return {
        "even": found["step_ratio"] <= LARGEST_STEP_RATIO,
        "middle": found["middle_ratio"] <= LARGEST_MIDDLE_RATIO,
        "one_pitch": bool(one_pitch),
        "unmixed": found["to_mix"] > float(np.mean(found["steps"])),
        "coherent": found["combing_forked_db"] > COMBING_DB,
        "level": found["level_hole_db"] <= HOLE_DB,
    }


def measure(bench: Bench) -> list[dict]:
    """The pairs, in order."""
    return bench.map(measure_pair, pair_jobs(bench), "blends")


def tables(found: list[dict]) -> list[str]:
    """Markdown. A dagger marks what fails."""
    mark = lambda row, check, text: text if row["passes"][check] else f"{text} †"
    heads = (
        "pair (at MIDI)", "steps, mel dB", "largest / smallest", "middle to parents, mel dB", "ratio", "to the plain mix",
        "periodicity: parents, middle, mix", "middle's f0, semitones", "lines a slot: parents, middle, mix",
        "beating dB: parents, middle, mix", "combing where it turns, dB (5th percentile); begun apart; begun apart, one f0", "level hole dB (deepest)", "",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in found:
        tone = row["tone"]
        four = lambda key: " ".join(f"{tone[n][key]:.2f}" for n in ("first", "last", "middle", "mix"))
        cells = (
            f"{row['pair'][0]} + {row['pair'][1]} ({row['pitch']})",
            " ".join(f"{s:.1f}" for s in row["steps"]),
            mark(row, "even", f"{row['step_ratio']:.1f}"),
            " ".join(f"{d:.1f}" for d in row["to_parents"]),
            mark(row, "middle", f"{row['middle_ratio']:.2f}"),
            mark(row, "unmixed", f"{row['to_mix']:.1f}"),
            mark(row, "one_pitch", four("periodicity")),
            f"{tone['middle']['f0']:.2f} ± {tone['middle']['f0_sd']:.2f}",
            four("lines"),
            four("beating_db"),
            mark(
                row,
                "coherent",
                f"{row['combing_forked_db']:.2f} ({row['combing_forked_5th_db']:.1f}); {row['combing_db']:.2f}; "
                f"{row['combing_shared_f0_db']:.2f}",
            ),
            mark(row, "level", f"{row['level_hole_db']:.1f} ({row['deepest_hole_db']:.1f})"),
            "pass" if all(row["passes"].values()) else "**fail**",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def goals(found: list[dict]) -> list[Goal]:
    """Done when 4."""
    of = f"of {len(found)} pairs"
    names = {
        "even": "even steps (within 2x)", "middle": "middle between both parents (25 %)", "one_pitch": "one pitch",
        "unmixed": "not a plain mix", "coherent": "combing over -0.3 dB where one turns to the other", "level": "no level hole",
    }  # fmt: skip
    count = lambda check: sum(row["passes"][check] for row in found)
    wanted = [Goal(f"blends, {names[c]}: {of}", count(c), at_least=len(found), digits=0) for c in CHECKS]
    passing = sum(all(row["passes"].values()) for row in found)
    return [*wanted, Goal(f"blends, pass all: {of}", passing, at_least=len(found), digits=0)]
