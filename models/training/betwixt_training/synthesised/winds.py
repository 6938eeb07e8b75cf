"""Blown and bowed: flutes, reeds, brass whose brightness follows the level, pan-pipes, growls, bowed strings."""

import numpy as np

from .sound import (
    FRAMES,
    NOISE_HZ,
    SECONDS,
    Synthesised,
    band,
    cycles,
    envelope,
    from_table,
    harmonic_sound,
    harmonics,
    low_pass,
    noise,
    samples,
    vibrato,
    wander,
)

FAMILY = "winds"
# Name: lowest, highest, slope of the spectrum, weight of even harmonics, dB an octave that full level adds, corner as a
# multiple of the pitch, attack_s, release_s, breath, vibrato cents, Hz, onset_s, scoop cents, formants in Hz,
# roughness, players.
_SOUNDS = {
    "flute": (60, 96, 1.9, 0.9, 4, 6, 0.06, 0.12, 0.035, 14, 5.2, 0.5, -25, (800,), 0.05, 1),
    "alto flute": (53, 84, 2.1, 0.8, 4, 5, 0.08, 0.15, 0.06, 10, 4.8, 0.6, -30, (600,), 0.05, 1),
    "shakuhachi": (50, 84, 1.8, 0.7, 6, 6, 0.09, 0.15, 0.14, 30, 4.4, 1.0, -90, (900,), 0.15, 1),
    "pan pipe": (55, 91, 2.3, 0.15, 4, 5, 0.04, 0.12, 0.16, 0, 5, 1, -40, (), 0.08, 1),
    "bottle": (45, 79, 3.2, 0.3, 2, 3, 0.08, 0.2, 0.2, 0, 5, 1, -20, (), 0.08, 1),
    "ocarina": (60, 91, 3.0, 0.2, 2, 3, 0.05, 0.1, 0.03, 8, 5.5, 0.6, -35, (), 0.03, 1),
    "whistle": (72, 103, 2.8, 0.5, 2, 3, 0.05, 0.08, 0.04, 20, 5.8, 0.4, -60, (), 0.04, 1),
    "clarinet": (50, 91, 0.9, 0.1, 6, 9, 0.05, 0.08, 0.006, 3, 5, 1, -15, (1500,), 0.02, 1),
    "bass clarinet": (38, 70, 0.8, 0.12, 6, 10, 0.06, 0.1, 0.012, 0, 5, 1, -15, (900,), 0.03, 1),
    "oboe": (58, 91, 0.8, 1.0, 5, 9, 0.04, 0.07, 0.006, 14, 5.4, 0.6, -12, (1050, 3000), 0.02, 1),
    "bassoon": (34, 72, 0.8, 1.0, 5, 9, 0.05, 0.08, 0.008, 8, 5.0, 0.8, -12, (460, 1150), 0.03, 1),
    "alto saxophone": (49, 82, 0.9, 0.9, 7, 9, 0.045, 0.1, 0.025, 16, 5.2, 0.6, -40, (700, 1600), 0.06, 1),
    "growling saxophone": (44, 76, 0.7, 0.9, 7, 11, 0.03, 0.1, 0.05, 10, 5.2, 0.7, -50, (650, 1500), 0.7, 1),
    "trumpet": (54, 86, 0.8, 1.0, 10, 8, 0.03, 0.08, 0.004, 8, 5.3, 0.8, -20, (1200, 2500), 0.02, 1),
    "muted trumpet": (54, 84, 0.5, 1.0, 8, 12, 0.03, 0.07, 0.006, 8, 5.3, 0.8, -20, (1700, 3500), 0.03, 1),
    "horn": (36, 77, 1.2, 1.0, 11, 5, 0.06, 0.12, 0.004, 0, 5, 1, -20, (450,), 0.02, 1),
    "trombone": (34, 74, 0.8, 1.0, 11, 8, 0.05, 0.1, 0.005, 6, 5, 1, -35, (550, 1400), 0.02, 1),
    "tuba": (26, 60, 1.1, 1.0, 9, 6, 0.06, 0.12, 0.006, 0, 5, 1, -20, (250,), 0.03, 1),
    "brass section": (40, 82, 0.9, 1.0, 10, 8, 0.05, 0.12, 0.006, 6, 5.2, 0.8, -25, (700, 1500), 0.03, 3),
    "violin": (55, 96, 0.9, 1.0, 4, 14, 0.07, 0.25, 0.015, 22, 5.8, 0.5, -10, (290, 460, 1100, 2700), 0.06, 1),
    "viola": (48, 86, 1.0, 1.0, 4, 12, 0.08, 0.25, 0.015, 20, 5.5, 0.5, -10, (230, 380, 900, 2300), 0.06, 1),
    "cello": (36, 79, 0.9, 1.0, 4, 14, 0.08, 0.3, 0.015, 18, 5.2, 0.6, -10, (110, 200, 450, 1800), 0.06, 1),
    "bare fiddle": (55, 91, 0.6, 1.0, 5, 16, 0.03, 0.15, 0.03, 4, 5.5, 0.9, -15, (300, 500, 1300, 3000), 0.12, 1),
    "string section": (36, 91, 1.0, 1.0, 4, 10, 0.16, 0.5, 0.012, 14, 5.4, 0.4, 0, (300, 500, 1200), 0.05, 5),
}  # fmt: skip
_KEYS = ("slope", "even", "brighter_db", "corner", "attack_s", "release_s", "breath", "vibrato_cents", "vibrato_hz",
         "onset_s", "scoop_cents", "formants_hz", "rough", "players")  # fmt: skip


def instruments() -> list[Synthesised]:
    """One of each sound."""
    return from_table(FAMILY, _KEYS, _SOUNDS)


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1: breath or bow pressure."""
    p = parameters
    own = np.random.default_rng((8, p["seed"]))
    k = harmonics(hz, 80)
    f = k * hz
    spectrum = k ** -p["slope"] * np.where(k % 2 == 0, p["even"], 1) * 10 ** (own.normal(0, 2.0, 640)[: len(k)] / 20)
    for centre in p["formants_hz"]:
        spectrum = spectrum * (1 + 1.8 * band(f, centre, 3))
    spectrum = spectrum * low_pass(f, p["corner"] * 0.5 * (hz + 350))
    spectrum[0] = max(spectrum[0], 0.3 * spectrum.max())
    attack = p["attack_s"] * (1.9 - 1.2 * velocity)
    level = envelope(attack, 0.5, 0.85, p["release_s"]) * (1 + 0.06 * wander(rng, 3))
    pressure = np.clip(level, 0, 1.2) * (0.35 + 0.65 * velocity)
    bright = 10 ** (p["brighter_db"] * (pressure[:, None] - 0.7) * np.log2(k) / 20)
    flutter = 1.0
    if p["rough"] > 0.04:  # harmonics that flicker, in six ways
        some = np.stack([wander(rng, 9) for _ in range(6)], 1)
        flutter = np.exp(np.clip(p["rough"] * 1.2, 0, 0.6) * some[:, own.integers(0, 6, 640)[: len(k)]])
    gains = spectrum * bright * flutter * level[:, None]
    phases = []
    for player in range(p["players"]):
        apart = 0.0 if p["players"] == 1 else (player - (p["players"] - 1) / 2) * 6 + rng.uniform(-2, 2)
        waver = vibrato(
            rng, p["vibrato_cents"], p["vibrato_hz"] * rng.uniform(0.94, 1.06), p["onset_s"] * rng.uniform(0.8, 1.3)
        )
        scoop = p["scoop_cents"] * np.exp(-FRAMES / (0.6 * attack))
        phases.append(cycles(hz, apart + waver + scoop + 1.5 * wander(rng, 5), rng.random()))
    out = harmonic_sound(phases, gains, own.uniform(-1.2, 1.2, 640)[: len(k)])
    if p["rough"] > 0.3:  # a growl: the player sings along, about 30 Hz away
        out = out * (1 + 0.5 * p["rough"] * np.sin(2 * np.pi * 31 * SECONDS).astype(np.float32))
    out = out / np.abs(out).max()
    # Breath is noise around the resonance of the tube, and more of it while the note has not spoken yet.
    shape = 0.25 * low_pass(NOISE_HZ, 4500) + band(NOISE_HZ, min(hz * 2, 5000), 1.2)
    if p["breath"] > 0.1:
        shape = shape + 2 * band(NOISE_HZ, hz, 25)
    air = noise(rng, shape)
    air_level = (
        p["breath"]
        * (1.3 - 0.5 * velocity)
        * (0.3 + 0.7 * np.clip(level, 0, 1))
        * envelope(0.5 * attack, 0.2, 0.8, 1.5 * p["release_s"])
    )
    air_level = air_level + 1.5 * p["breath"] * velocity * np.exp(-FRAMES / 0.03) * np.clip(FRAMES / 0.008, 0, 1)
    return out + air * samples(air_level) / air.std()
