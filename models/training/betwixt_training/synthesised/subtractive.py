"""Analogue synthesisers: saw, square and pulse through resonant low-pass filters that an envelope moves.

The filter is a gain a harmonic, which is what it would be for a spectrum that moves slowly against the period.
"""

import numpy as np

from .sound import FRAMES, Synthesised, cycles, envelope, harmonic_sound, harmonics, low_pass, vibrato, wander

FAMILY = "subtractive"
# Kind -> lowest, highest pitch, how many, and ranges: corner as a multiple of the pitch, octaves the envelope opens it,
# its decay, resonance, attack, sustain, release.
_KINDS = {
    "bass": (24, 60, 6, (1.5, 5), (1.5, 4.5), (0.08, 0.8), (0.8, 4), (0.002, 0.01), (0.3, 0.9), (0.05, 0.25)),
    "acid": (28, 67, 4, (1.2, 3), (2.0, 5.0), (0.1, 0.5), (5, 14), (0.002, 0.005), (0.5, 0.9), (0.04, 0.12)),
    "lead": (40, 96, 6, (3, 12), (0.5, 3.0), (0.2, 1.5), (0.7, 4), (0.004, 0.04), (0.6, 1.0), (0.08, 0.5)),
    "stab": (36, 91, 3, (2, 6), (2.0, 4.0), (0.06, 0.25), (0.8, 3), (0.002, 0.006), (0.0, 0.15), (0.1, 0.4)),
    "pad": (36, 91, 3, (2, 8), (0.5, 2.0), (0.8, 2.5), (0.7, 2), (0.2, 0.7), (0.8, 1.0), (0.6, 2.5)),
}  # fmt: skip


def instruments() -> list[Synthesised]:
    """Each kind several times, with parameters drawn from its ranges."""
    made = []
    for family_number, (kind, (lowest, highest, count, *ranges)) in enumerate(_KINDS.items()):
        for variant in range(count):
            rng = np.random.default_rng((3, family_number, variant))
            corner, opens, decay, q, attack, sustain, release = (
                float(np.exp(rng.uniform(*np.log(np.add(r, 1e-4))))) for r in ranges
            )
            parameters = {
                "wave": ("saw", "square", "pulse")[int(rng.choice([0, 0, 1, 2]))],
                "second_cents": float(rng.choice([0, 4, 9])) if kind != "acid" else 0.0,
                "sub": float(rng.choice([0, 0.7])) if kind == "bass" else 0.0,
                "corner": corner, "opens": opens, "decay_s": decay, "q": q, "poles": int(rng.choice([2, 4])),
                "attack_s": attack, "sustain": sustain, "release_s": release,
                "tracking": float(rng.uniform(0.4, 1.0)),
                "vibrato_cents": float(rng.uniform(6, 20)) if kind == "lead" else 0.0,
                "glide_cents": float(rng.choice([0, -150])) if kind in ("lead", "acid") else 0.0,
            }  # fmt: skip
            made.append(Synthesised(f"{kind} {variant + 1}", FAMILY, lowest, highest, True, parameters))
    return made


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1."""
    p = parameters
    k = harmonics(hz)
    wave = {"saw": 1 / k, "square": (k % 2) / k, "pulse": np.sin(np.pi * 0.22 * k) / k}[p["wave"]]
    wave = wave * np.where(k == 1, 1 + p["sub"], 1)
    opened = envelope(p["attack_s"], p["decay_s"] * (0.6 + 0.6 * velocity), 0.15, p["release_s"])
    keyed = hz ** p["tracking"] * 150 ** (1 - p["tracking"])
    corner = p["corner"] * keyed * 2 ** (opened * p["opens"] * (0.35 + 0.85 * velocity))
    corner = np.clip(corner * 2 ** (0.03 * wander(rng, 3)), 60, 18_000)
    filtered = low_pass(k * hz, corner[:, None], p["q"], p["poles"])
    level = envelope(p["attack_s"] * (1.6 - velocity), 4 * p["decay_s"], p["sustain"], p["release_s"])
    cents = vibrato(rng, p["vibrato_cents"], 5.5, 0.8) + p["glide_cents"] * np.exp(-FRAMES / 0.02)
    phases = [cycles(hz, cents - p["second_cents"] / 2)]
    if p["second_cents"]:
        phases.append(cycles(hz, cents + p["second_cents"] / 2, rng.random()))
    # The second oscillator is softer, or the two would silence each other at every beat.
    return harmonic_sound(phases, wave * filtered * level[:, None], later_phases=0.6)
