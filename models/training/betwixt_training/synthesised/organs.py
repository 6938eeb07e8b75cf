"""Organs: drawbars with key click and rotating speaker, pipe ranks with chiff and wind, reeds with tremulant."""

import numpy as np

from .sound import (
    FRAMES,
    NOISE_HZ,
    SECONDS,
    Synthesised,
    band,
    cycles,
    envelope,
    harmonic_sound,
    harmonics,
    noise,
    samples,
)

FAMILY = "organs"
# 16', 5 1/3', 8', 4', 2 2/3', 2', 1 3/5', 1 1/3', 1' as harmonics of the 8' pitch; 16' and 5 1/3' are left to the
# drawbars that a note one octave higher has, for the pitch here is the lowest partial.
_DRAWBARS = (1, 2, 3, 4, 5, 6, 8)
_REGISTRATIONS = (
    (8, 0, 0, 0, 0, 0, 0),
    (8, 8, 0, 0, 0, 0, 0),
    (8, 6, 8, 0, 0, 0, 4),
    (8, 8, 8, 8, 8, 8, 8),
    (6, 4, 2, 8, 3, 1, 6),
)
# Name: slope of the spectrum, even harmonics, attack_s, chiff, wind, footages as multiples of the pitch, rank detune in
# cents.
_PIPES = {
    "stopped flute": (2.6, 0.05, 0.05, 0.5, 0.02, (1,), 0),
    "principal": (1.5, 0.8, 0.04, 0.3, 0.012, (1,), 0),
    "plenum": (1.3, 0.8, 0.035, 0.2, 0.01, (1, 2, 3, 4), 3),
    "gamba": (0.9, 1.0, 0.12, 0.25, 0.015, (1,), 0),
    "celeste": (1.1, 0.9, 0.15, 0.1, 0.01, (1, 1), 9),
    "trumpet rank": (0.5, 1.0, 0.03, 0.1, 0.008, (1,), 0),
}  # fmt: skip
_REEDS = {"harmonium": (0.7, 0.8, 0.09, 0.0, 0.01, (1,), 0), "accordion": (0.6, 0.9, 0.04, 0.0, 0.01, (1, 1), 14),
          "musette": (0.8, 0.9, 0.05, 0.0, 0.008, (1, 1, 1), 18)}  # fmt: skip


def instruments() -> list[Synthesised]:
    """Five drawbar organs, six pipe stops, three reed organs."""
    made = []
    for number, bars in enumerate(_REGISTRATIONS):
        rng = np.random.default_rng((6, number))
        parameters = {"bars": bars, "click": float(rng.uniform(0.02, 0.2)),
                      "rotor_hz": float(rng.choice([0, 0.8, 6.6])),
                      "percussion": float(rng.choice([0, 0.6]))}  # fmt: skip
        made.append(Synthesised(f"drawbars {number + 1}", FAMILY, 36, 96, True, parameters))
    keys = ("slope", "even", "attack_s", "chiff", "wind", "ranks", "detune_cents")
    for number, (name, sound) in enumerate({**_PIPES, **_REEDS}.items()):
        tremulant = 5.0 + 0.3 * number if number % 3 == 0 else 0.0
        parameters = dict(zip(keys, sound, strict=True), tremulant_hz=tremulant, seed=number, reed=name in _REEDS)
        made.append(Synthesised(name, FAMILY, 36 if name not in _REEDS else 41, 96, True, parameters))
    return made


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1: how fast the key goes down, so attack, click and wind pressure."""
    return (_drawbars if "bars" in parameters else _ranks)(parameters, hz, velocity, rng)


def _drawbars(p, hz, velocity, rng):
    k = harmonics(hz)[:8]
    gains = np.zeros((len(FRAMES), len(k)))
    level = envelope(0.004, 1, 1, 0.05)
    for harmonic, bar in zip(_DRAWBARS, p["bars"]):
        if bar and harmonic <= len(k):
            gains[:, harmonic - 1] = 10 ** ((bar - 8) * (3 - 1.2 * velocity) / 20) * level
    if p["percussion"] and len(k) > 1:
        gains[:, 1] += p["percussion"] * (0.3 + velocity) * envelope(0.002, 0.25, 0, 0.05)
    gains[:, 1:] *= 0.35 + 0.65 * velocity
    turn = 2 * np.pi * (p["rotor_hz"] * FRAMES + rng.random())
    cents = 9 * np.sin(turn) * min(1, p["rotor_hz"]) if p["rotor_hz"] else 0.0
    out = harmonic_sound([cycles(hz, cents)], gains, rng.uniform(0, 6.28, len(k)))
    if p["rotor_hz"]:
        out = out * samples(1 + 0.2 * np.sin(turn + 1))
    out = out / np.abs(out).max()
    burst = np.exp(-SECONDS / 0.004) + np.where(SECONDS >= 3, 0.4 * np.exp(-np.abs(SECONDS - 3) / 0.004), 0)
    return out + p["click"] * velocity * 0.3 * noise(rng, band(NOISE_HZ, 2500, 0.7)) * burst


def _ranks(p, hz, velocity, rng):
    own = np.random.default_rng((6, 100 + p["seed"]))
    attack = p["attack_s"] * (1.7 - velocity) * (261.6 / hz) ** 0.25
    tremulant = np.sin(2 * np.pi * (p["tremulant_hz"] * FRAMES + rng.random())) if p["tremulant_hz"] else 0 * FRAMES
    out = 0
    apart = np.linspace(-0.5, 0.5, len(p["ranks"])) * p["detune_cents"]
    for rank, offset in zip(p["ranks"], apart):
        if rank * hz > 8000:
            continue
        k = harmonics(hz * rank)
        slope = p["slope"] + 0.5 * (1 - velocity)
        gain = k**-slope * np.where(k % 2 == 0, p["even"], 1) * 10 ** (own.normal(0, 2, 640)[: len(k)] / 20)
        gain[0] = max(gain[0], 0.5)
        if p["reed"]:
            gain = gain * (1 + 2 * band(k * hz * rank, own.uniform(900, 2200), 2))
        # High harmonics speak later, even ones first with the octave (the pipe overblows for a moment).
        late = attack * (1 + 0.25 * np.log2(k))
        rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(FRAMES[:, None] / late, 0, 1))
        over = 1 + (k == 2) * p["chiff"] * 3 * np.exp(-FRAMES[:, None] / attack)
        frames = (
            gain
            * rise
            * over
            * (envelope(0.0005, 1, 1, 0.25 if not p["reed"] else 0.12) * (1 + 0.06 * tremulant))[:, None]
        )
        cents = offset if not p["tremulant_hz"] else offset + 5 * tremulant
        out = out + harmonic_sound(
            [cycles(hz * rank, cents, rng.random())], frames, own.uniform(0, 6.28, 640)[: len(k)]
        ) / len(p["ranks"])
    out = out / np.abs(out).max()
    air = noise(rng, band(NOISE_HZ, min(6000, 3 * hz + 900), 0.6))
    air_level = p["wind"] * envelope(0.02, 1, 1, 0.3) + 0.12 * p["chiff"] * velocity * np.exp(
        -FRAMES / (1.2 * attack)
    ) * np.clip(FRAMES / 0.006, 0, 1)
    return out + air * samples(air_level)
