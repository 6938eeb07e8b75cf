"""Wavetables: harmonic spectra that morph while the note sounds, pulse-width modulation, unison detune."""

import numpy as np

from .sound import FRAMES, Synthesised, cycles, envelope, harmonic_sound, harmonics, low_pass, vibrato, wander

FAMILY = "wavetable"
_COUNT = 20
_MOVES = ("rise", "fall", "swing", "wander")


def instruments() -> list[Synthesised]:
    """Supersaws and pulse-width sounds, then random tables of two to four spectra."""
    made = []
    for number in range(_COUNT):
        rng = np.random.default_rng((2, number))
        kind = "supersaw" if number < 4 else "pulse" if number < 8 else "table"
        slow = rng.random() < 0.45
        parameters = {
            "kind": kind,
            "spectra": [_spectrum(rng) for _ in range(int(rng.integers(2, 5)))],
            "move": _MOVES[int(rng.integers(len(_MOVES)))],
            "move_s": float(rng.uniform(0.3, 2.8)),
            "voices": int(rng.choice([5, 7])) if kind == "supersaw" else int(rng.choice([1, 1, 3, 3])),
            "detune_cents": float(rng.uniform(7, 22) if kind == "supersaw" else rng.uniform(2, 11)),
            "width": (float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.03, 0.18)), float(rng.uniform(0.3, 3.5))),
            "envelope": (float(rng.uniform(0.08, 0.5) if slow else rng.uniform(0.003, 0.03)),
                         float(rng.uniform(0.4, 3)),
                         float(rng.choice([0.25, 0.7, 1.0])),
                         float(rng.uniform(0.4, 2.5) if slow else rng.uniform(0.05, 0.4))),
            "corner_harmonic": float(rng.uniform(6, 60)),
            "vibrato_cents": float(rng.choice([0, 0, 8])),
        }  # fmt: skip
        lowest = int(rng.choice([28, 36, 41]))
        made.append(Synthesised(f"{kind} {number + 1}", FAMILY, lowest, 96, True, parameters))
    return made


def _spectrum(rng: np.random.Generator) -> dict:
    """Describes one spectrum: a slope, the weight of even harmonics, two humps, and a comb."""
    return {
        "slope": float(rng.uniform(0.5, 2.2)),
        "even": float(rng.choice([0.05, 0.5, 1.0, 1.0])),
        "humps": [(float(rng.uniform(2, 40)), float(rng.uniform(1, 5)), float(rng.uniform(0, 5))) for _ in range(2)],
        "comb": (int(rng.integers(3, 9)), float(rng.choice([1.0, 1.0, 0.15]))),
    }


def _gains(spectrum: dict, k: np.ndarray) -> np.ndarray:
    gain = k ** -spectrum["slope"] * np.where(k % 2 == 0, spectrum["even"], 1.0)
    for centre, width, height in spectrum["humps"]:
        gain = gain * (1 + height * np.exp(-(((k - centre) / width) ** 2)))
    every, left = spectrum["comb"]
    return np.where(k % every == 0, gain * left, gain)


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1."""
    k = harmonics(hz)
    kind = parameters["kind"]
    if kind == "supersaw":
        gains = np.repeat((1 / k)[None], len(FRAMES), 0)
    elif kind == "pulse":
        middle, depth, rate = parameters["width"]
        width = middle + depth * np.sin(2 * np.pi * (rate * FRAMES + rng.random()))
        gains = np.sin(np.pi * k * width[:, None]) / k
    else:
        table = np.stack([_gains(s, k) for s in parameters["spectra"]])
        table /= np.sqrt((table**2).sum(1, keepdims=True))
        place = _place(parameters["move"], parameters["move_s"], rng) * (len(table) - 1)
        first = np.minimum(place.astype(int), len(table) - 2)
        part = (place - first)[:, None]
        gains = table[first] * (1 - part) + table[first + 1] * part
    attack, decay, sustain, release = parameters["envelope"]
    level = envelope(attack * (1.5 - 0.8 * velocity), decay, sustain, release)
    corner = parameters["corner_harmonic"] * max(hz, 150) * (0.15 + 1.4 * velocity**1.5) * (0.5 + 0.5 * level)
    gains = gains * low_pass(k * hz, corner[:, None]) * level[:, None]
    cents = vibrato(rng, parameters["vibrato_cents"], 5.0, 0.9) if parameters["vibrato_cents"] else 0.0
    count = parameters["voices"]
    spread = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    phases = [cycles(hz, cents + parameters["detune_cents"] * s * abs(s) ** 0.5, rng.random()) for s in spread]
    return harmonic_sound(phases, gains, None if kind == "pulse" else rng.uniform(-0.4, 0.4, len(k)))


def _place(move: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Place in the table, 0..1, at `FRAMES`."""
    if move == "rise":
        return np.clip(FRAMES / seconds, 0, 1)
    if move == "fall":
        return np.exp(-FRAMES / (0.4 * seconds))
    if move == "swing":
        return 0.5 - 0.5 * np.cos(2 * np.pi * FRAMES / seconds)
    return np.clip(0.5 + 0.35 * wander(rng, 1 / seconds + 0.5), 0, 1)
