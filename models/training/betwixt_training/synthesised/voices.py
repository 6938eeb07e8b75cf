"""Voices: a glottal source through the formants of sung vowels, with vibrato, breath, and choirs of several.

Formants (frequency, level, bandwidth) after the tables in the Csound manual's appendix D (a, e, i, o, u of each range).
"""

import numpy as np

from .sound import (
    FRAMES,
    NOISE_HZ,
    Synthesised,
    band,
    cycles,
    envelope,
    harmonic_sound,
    harmonics,
    noise,
    samples,
    vibrato,
    wander,
)

FAMILY = "voices"
_VOWELS = {
    "bass": {"a": ((600, 0), (1040, -7), (2250, -9), (2450, -9), (2750, -20)),
             "e": ((400, 0), (1620, -12), (2400, -9), (2800, -12), (3100, -18)),
             "i": ((250, 0), (1750, -30), (2600, -16), (3050, -22), (3340, -28)),
             "o": ((400, 0), (750, -11), (2400, -21), (2600, -20), (2900, -40)),
             "u": ((350, 0), (600, -20), (2400, -32), (2675, -28), (2950, -36))},
    "tenor": {"a": ((650, 0), (1080, -6), (2650, -7), (2900, -8), (3250, -22)),
              "e": ((400, 0), (1700, -14), (2600, -12), (3200, -14), (3580, -20)),
              "i": ((290, 0), (1870, -15), (2800, -18), (3250, -20), (3540, -30)),
              "o": ((400, 0), (800, -10), (2600, -12), (2800, -12), (3000, -26)),
              "u": ((350, 0), (600, -20), (2700, -17), (2900, -14), (3300, -26))},
    "soprano": {"a": ((800, 0), (1150, -6), (2900, -32), (3900, -20), (4950, -50)),
                "e": ((350, 0), (2000, -20), (2800, -15), (3600, -40), (4950, -56)),
                "i": ((270, 0), (2140, -12), (2950, -26), (3900, -26), (4950, -44)),
                "o": ((450, 0), (800, -11), (2830, -22), (3800, -22), (4950, -50)),
                "u": ((325, 0), (700, -16), (2700, -35), (3800, -40), (4950, -60))},
}  # fmt: skip
_RANGE = {"bass": (36, 64), "tenor": (45, 72), "soprano": (57, 86)}
_SINGERS = (
    ("bass", "a", 1), ("bass", "o", 1), ("tenor", "a", 1), ("tenor", "e", 1), ("tenor", "i", 1), ("soprano", "a", 1),
    ("soprano", "u", 1), ("soprano", "i", 1), ("bass", "u", 4), ("tenor", "o", 4), ("soprano", "a", 5),
    ("soprano", "o", 4),
    ("tenor", "au", 1), ("soprano", "ia", 3),
)  # fmt: skip


def instruments() -> list[Synthesised]:
    """Single singers and choirs; two vowels are sung one after the other."""
    made = []
    for number, (voice, vowels, singers) in enumerate(_SINGERS):
        rng = np.random.default_rng((7, number))
        parameters = {
            "voice": voice, "vowels": vowels, "singers": singers,
            "attack_s": float(rng.uniform(0.04, 0.12) if singers == 1 else rng.uniform(0.1, 0.3)),
            "release_s": float(rng.uniform(0.15, 0.5)), "tilt_db": float(rng.uniform(-13, -9)),
            "vibrato_cents": float(rng.uniform(15, 55) if singers == 1 else rng.uniform(8, 20)),
            "vibrato_hz": float(rng.uniform(4.8, 6.2)),
            "breath": float(rng.uniform(0.004, 0.04)), "scoop_cents": float(rng.uniform(-80, -10)),
        }  # fmt: skip
        name = f"{voice} {vowels}" if singers == 1 else f"{voice} choir {vowels}"
        made.append(Synthesised(name, FAMILY, *_RANGE[voice], True, parameters))
    return made


def _formants(voice: str, vowel: str, hz: np.ndarray, shift: float = 1.0) -> np.ndarray:
    gain = np.full(len(hz), 0.004)
    for centre, level_db in _VOWELS[voice][vowel]:
        centre = centre * shift
        gain = gain + 10 ** (level_db / 20) * band(hz, centre, centre / (60 + 0.03 * centre))
    return gain


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1: effort, so a source that falls less steeply."""
    p = parameters
    k = harmonics(hz, 120)
    octaves = np.log2(k)
    source = 10 ** ((p["tilt_db"] + 5 * (velocity - 0.6)) * octaves / 20)
    first = _formants(p["voice"], p["vowels"][0], k * hz)
    last = _formants(p["voice"], p["vowels"][-1], k * hz)
    for gain in (first, last):  # singers tune the first formant to a pitch above it
        gain[0] = max(gain[0], 0.35 * gain.max())
    moved = 1 / (1 + np.exp(-(FRAMES - 1.3) / 0.25))[:, None]
    attack = p["attack_s"] * (1.6 - velocity)
    level = envelope(attack, 2, 0.85, p["release_s"])
    swell = 1 + 0.05 * wander(rng, 4)
    opened = source ** (1 + 0.35 * (1 - np.clip(level, 0, 1)))[:, None]
    gains = opened * (first * (1 - moved) + last * moved) * (level * swell)[:, None]
    phases = []
    for singer in range(p["singers"]):
        apart = 0 if p["singers"] == 1 else (singer - (p["singers"] - 1) / 2) * 7 + rng.uniform(-2, 2)
        cents = apart + vibrato(
            rng,
            p["vibrato_cents"] * rng.uniform(0.8, 1.2),
            p["vibrato_hz"] * rng.uniform(0.93, 1.07),
            rng.uniform(0.4, 0.9),
        )
        cents = cents + p["scoop_cents"] * np.exp(-FRAMES / 0.05) + 2.5 * wander(rng, 6)
        phases.append(cycles(hz, cents, rng.random()))
    out = harmonic_sound(phases, gains, rng.uniform(-1, 1, len(k)))
    out = out / np.abs(out).max()
    breath = noise(rng, _formants(p["voice"], p["vowels"][0], NOISE_HZ) * np.clip(NOISE_HZ / 1000, 0, 1))
    started = p["breath"] * (1.4 - velocity) * (envelope(0.6 * attack, 0.3, 0.6, 1.2 * p["release_s"]))
    return out + breath * samples(started) / (breath.std() + 1e-9)
