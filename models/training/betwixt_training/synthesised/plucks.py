"""Plucked and struck strings: stiff partials, the place of the pluck, a decay for each partial, a body, a click."""

import numpy as np

from .sound import NOISE_HZ, SECONDS, Synthesised, band, from_table, harmonics, low_pass, noise, ring

FAMILY = "plucks"
# Name: lowest, highest, pluck position, stiffness B at C4, decay of the fundamental at C4 (60 dB), how much faster high
# partials decay, damped after release in s (0: rings on), slope of the spectrum, strings a note, detune cents, click
# level, body resonances in Hz.
_SOUNDS = {
    "nylon guitar": (40, 84, 0.20, 6e-5, 4.5, 0.9, 0.25, 1.5, 1, 0, 0.06, (105, 205, 410)),
    "steel guitar": (40, 86, 0.14, 1.2e-4, 7.0, 0.5, 0.3, 1.1, 1, 0, 0.06, (100, 190, 380, 900)),
    "twelve strings": (40, 84, 0.15, 1.2e-4, 6.0, 0.5, 0.4, 1.1, 2, 7, 0.07, (100, 195, 400)),
    "muted electric": (40, 84, 0.10, 1e-4, 0.6, 1.2, 0.1, 1.3, 1, 0, 0.08, ()),
    "electric guitar": (40, 88, 0.12, 1e-4, 9.0, 0.35, 0.15, 1.2, 1, 0, 0.02, (2500,)),
    "upright bass": (28, 60, 0.25, 2e-4, 2.5, 1.1, 0.2, 1.6, 1, 0, 0.08, (60, 110, 220)),
    "electric bass": (28, 64, 0.18, 1.5e-4, 8.0, 0.8, 0.12, 1.5, 1, 0, 0.03, ()),
    "slap bass": (28, 62, 0.08, 2e-4, 4.0, 0.35, 0.08, 0.8, 1, 0, 0.45, (1800,)),
    "harp": (31, 100, 0.40, 3e-5, 6.0, 0.8, 0.0, 1.7, 1, 0, 0.04, (150, 300)),
    "harpsichord": (36, 89, 0.09, 5e-5, 4.0, 0.3, 0.1, 0.7, 2, 2, 0.12, (220, 500)),
    "banjo": (48, 86, 0.08, 8e-5, 1.2, 0.25, 0.2, 0.7, 1, 0, 0.12, (350, 800, 1500)),
    "koto": (43, 88, 0.07, 9e-5, 3.0, 0.5, 0.0, 0.9, 1, 0, 0.1, (180, 450)),
    "sitar": (41, 79, 0.05, 1e-4, 5.0, 0.2, 0.5, 0.4, 2, 5, 0.08, (150, 700, 2200)),
    "dulcimer": (45, 93, 0.11, 1e-4, 5.0, 0.5, 0.0, 0.9, 3, 5, 0.15, (200, 520)),
    "upright piano": (24, 100, 0.12, 3.5e-4, 9.0, 0.8, 0.2, 1.4, 3, 2, 0.05, (90, 180, 350)),
    "prepared string": (31, 84, 0.33, 2.5e-3, 3.0, 0.7, 0.4, 0.9, 1, 0, 0.3, (500,)),
    "ukulele": (55, 88, 0.22, 5e-5, 1.6, 1.0, 0.2, 1.4, 1, 0, 0.07, (240, 480)),
    "pizzicato": (36, 91, 0.17, 1e-4, 0.8, 1.4, 0.15, 1.3, 1, 0, 0.12, (280, 460, 900)),
}  # fmt: skip


def instruments() -> list[Synthesised]:
    """One of each sound."""
    keys = ("position", "stiffness", "decay_s", "loss", "damped_s", "slope", "strings", "detune_cents", "click", "body")
    return from_table(FAMILY, keys, _SOUNDS)


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1. The first partial is the pitch, stiffness pushes the others up."""
    p = parameters
    octaves = np.log2(hz / 261.6)
    k = harmonics(hz)[:160]
    stiffness = p["stiffness"] * 2 ** (1.3 * max(octaves, -2.5))
    f = hz * k * np.sqrt((1 + stiffness * k**2) / (1 + stiffness))
    gain = np.sin(np.pi * k * p["position"]) * k ** -p["slope"]
    gain = gain * low_pass(f, (500 + 7500 * velocity**1.3) * max(1, hz / 400))
    for centre in p["body"]:
        gain = gain * (1 + 1.3 * band(f, centre, 5))
    decay = p["decay_s"] * 2 ** (-0.75 * octaves) / (1 + p["loss"] * 0.25 * (f / 600) + 0.01 * p["loss"] * k)
    decay = decay * np.random.default_rng((4, p["seed"])).uniform(0.75, 1.3, 160)[: len(k)]
    out = 0
    strings = int(p["strings"])
    for offset in np.linspace(-0.5, 0.5, strings) if strings > 1 else (0.0,):
        shift = 2 ** (offset * p["detune_cents"] / 1200)
        # Strings and bridge couple: a first fast decay and a slower one after it (Weinreich 1977).
        part = np.concatenate([f, f * 2 ** (rng.uniform(-0.3, 0.3) / 1200)]) * shift
        turned = np.full(len(part), -np.pi / 2)
        level = np.concatenate([0.8 * gain, 0.2 * gain])
        out = out + ring(part, level, np.concatenate([decay * 0.55, decay * 1.3]), turned, p["damped_s"] or None)
    onset = 0.0006 + 0.003 * (1 - velocity)
    out = out * np.clip(SECONDS / onset, 0, 1)
    click = noise(
        rng, low_pass(NOISE_HZ, 1500 + 5000 * velocity) * (band(NOISE_HZ, p["body"][-1], 2) + 0.2 if p["body"] else 1)
    )
    burst = np.exp(-SECONDS / 0.006) * np.clip(SECONDS / 0.0005, 0, 1)
    if p["damped_s"] and p["click"] > 0.04:  # a damper or finger coming down
        burst = burst + 0.12 * np.interp(SECONDS, (3.0, 3.004, 3.03), (0, 1, 0))
    out = out / np.abs(out).max()
    return out + 0.35 * p["click"] * velocity**0.5 * click * burst / max(0.05, np.abs(click[:4800]).max() / 3)
