"""Struck bars, bells, bowls, plates and skins: measured ratios of modes, each with its own decay.

Ratios: tuned bars and free bars, timpani, bells (Fletcher and Rossing, The Physics of Musical Instruments); the first
listed strike-tone ratio 1 is the pitch, whatever lies below it.
"""

import numpy as np

from .sound import FRAMES, NOISE_HZ, SECONDS, Synthesised, from_table, low_pass, noise, ring, samples

FAMILY = "modal"
_BAR = (1, 2.756, 5.404, 8.933, 13.34, 18.64)
_BELL = (0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3, 4, 5.33, 6.67)
# Name: lowest, highest, ratios, strengths, decay at C5 of the first mode in s, how decay falls with ratio, corner of
# the mallet in Hz (soft, hard), beating in Hz, knock, damped after release in s (0: rings on), tremolo in Hz, swell in
# s.
_SOUNDS = {
    "marimba": (45, 96, (1, 3.93, 9.24, 16.3), (1, 0.28, 0.09, 0.03), 1.2, 1.5, (500, 4000), 0, 0.06, 0, 0, 0),
    "bass marimba": (33, 72, (1, 4.0, 9.9, 15.5), (1, 0.35, 0.1, 0.04), 1.5, 1.3, (300, 2500), 0, 0.1, 0, 0, 0),
    "vibraphone": (53, 89, (1, 3.99, 10.65, 18.1), (1, 0.22, 0.08, 0.03), 6.0, 1.3, (600, 6000), 0.15, 0.02, 0.4, 5.2,
                   0),
    "still vibraphone": (53, 89, (1, 4.0, 10.2, 17.5), (1, 0.3, 0.12, 0.05), 7.0, 1.1, (800, 8000), 0.2, 0.03, 0.3, 0,
                         0),
    "xylophone": (60, 108, (1, 3.0, 6.1, 10.1), (1, 0.5, 0.25, 0.1), 0.6, 1.2, (1200, 9000), 0, 0.15, 0, 0, 0),
    "glockenspiel": (72, 108, _BAR, (1, 0.35, 0.3, 0.15, 0.08, 0.04), 4.0, 0.8, (3000, 16000), 0.4, 0.05, 0, 0, 0),
    "celesta": (60, 103, _BAR, (1, 0.15, 0.08, 0.03, 0.01, 0.01), 2.5, 0.9, (1500, 7000), 0.3, 0.04, 0.5, 0, 0),
    "toy piano": (55, 96, (1, 2.0, 2.94, 5.9, 8.2, 12.1), (1, 0.3, 0.6, 0.35, 0.2, 0.12), 1.8, 0.6, (2000, 9000), 0.6,
                  0.2, 0, 0, 0),
    "tubular bell": (55, 89, (0.5, 1, 1.48, 2.04, 2.66, 3.35, 4.1, 4.9), (0.25, 1, 0.8, 0.7, 0.5, 0.35, 0.25, 0.15),
                     5.0, 0.5,
                     (1000, 9000), 0.5, 0.05, 1.0, 0, 0),
    "church bell": (41, 84, _BELL, (0.7, 1, 0.8, 0.4, 0.9, 0.3, 0.3, 0.5, 0.4, 0.25, 0.15), 9.0, 0.9, (900, 7000), 0.8,
                    0.05, 0, 0, 0),
    "handbell": (60, 98, (1, 2.0, 3.0, 5.1, 7.6), (1, 0.12, 0.5, 0.1, 0.06), 6.0, 1.0, (1500, 8000), 0.7, 0.02, 0.5, 0,
                 0),
    "carillon": (48, 91, _BELL, (0.4, 1, 1.0, 0.3, 1.2, 0.2, 0.3, 0.4, 0.5, 0.3, 0.2), 5.0, 0.7, (1500, 10000), 1.1,
                 0.08, 0, 0, 0),
    "singing bowl": (43, 79, (1, 2.72, 5.03, 7.9, 11.2), (1, 0.6, 0.3, 0.15, 0.06), 16.0, 0.9, (500, 3000), 1.3, 0.02,
                     0, 0, 0),
    "bowed bowl": (43, 79, (1, 2.75, 5.15, 8.1), (1, 0.35, 0.12, 0.04), 18.0, 0.8, (600, 3500), 0.9, 0.0, 2.5, 0, 1.2),
    "timpani": (36, 60, (0.85, 1, 1.5, 1.99, 2.44, 2.89, 3.4), (0.35, 1, 0.8, 0.6, 0.35, 0.2, 0.1), 1.4, 0.8,
                (150, 1200), 0.4, 0.2, 0, 0, 0),
    "kalimba": (55, 91, (1, 5.4, 14.5, 6.2), (1, 0.2, 0.08, 0.05), 2.2, 1.1, (900, 5000), 0, 0.12, 0, 0, 0),
    "steel pan": (52, 89, (1, 2.0, 3.01, 4.03, 5.1, 6.2), (1, 0.75, 0.4, 0.25, 0.12, 0.08), 1.8, 0.7, (900, 6000), 2.2,
                  0.06, 0, 0, 0.012),
    "music box": (67, 103, (1, 6.27, 17.5, 2.02), (1, 0.25, 0.1, 0.12), 3.0, 0.8, (3000, 14000), 0.2, 0.15, 0, 0, 0),
    "slit drum": (43, 79, (1, 2.3, 3.7, 5.9, 8.3), (1, 0.3, 0.3, 0.15, 0.08), 0.5, 0.9, (400, 3000), 0, 0.25, 0, 0, 0),
    "gong": (36, 67, (1, 1.26, 1.58, 1.99, 2.41, 2.83, 3.3, 3.9, 4.5, 5.2, 6.1),
             (1, 0.5, 0.6, 0.5, 0.5, 0.4, 0.4, 0.3, 0.3, 0.2, 0.2),
             7.0, 0.6, (300, 4000), 1.7, 0.03, 0, 0, 0.05),
}  # fmt: skip


def instruments() -> list[Synthesised]:
    """One of each sound."""
    keys = (
        "ratios",
        "strengths",
        "decay_s",
        "loss",
        "mallet_hz",
        "beating_hz",
        "knock",
        "damped_s",
        "tremolo_hz",
        "swell_s",
    )
    return from_table(FAMILY, keys, _SOUNDS)


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1."""
    p = parameters
    own = np.random.default_rng((5, p["seed"]))
    ratios, strengths = np.array(p["ratios"], float), np.array(p["strengths"], float)
    # A bar's upper modes differ from one to the next; the pitch does not.
    f = hz * ratios * np.where(ratios == 1, 1, 1 + 0.004 * rng.standard_normal(len(ratios)))
    soft, hard = p["mallet_hz"]
    contact = soft * (hard / soft) ** velocity * max(1.0, (hz / 523) ** 0.6)
    gain = strengths * low_pass(f, contact) * 10 ** (rng.uniform(-2, 2, len(f)) / 20)
    gain[ratios == 1] = strengths[ratios == 1]
    octaves = np.log2(hz / 523.25)
    decay = (
        p["decay_s"] * 2 ** (-0.6 * octaves) * np.maximum(ratios, 0.5) ** -p["loss"] * own.uniform(0.8, 1.25, len(f))
    )
    turned = np.full(len(f), -np.pi / 2)
    damped = p["damped_s"] or None
    if p["beating_hz"]:
        apart = p["beating_hz"] * own.uniform(0.4, 1.2, len(f)) * np.maximum(1, ratios) ** 0.3 * min(1, hz / 200)
        share = own.uniform(0.2, 0.45, len(f))
        out = ring(np.concatenate([f - share * apart, f + (1 - share) * apart]),
                   np.concatenate([gain * (1 - share), gain * share]),
                   np.tile(decay, 2), np.concatenate([turned, own.uniform(-2.2, -0.9, len(f))]), damped)  # fmt: skip
    else:
        out = ring(f, gain, decay, turned, damped)
    rise = p["swell_s"] * (1.5 - velocity) + 0.0008 + 0.003 * (1 - velocity)
    out = out * (0.5 - 0.5 * np.cos(np.pi * np.clip(SECONDS / rise, 0, 1)))
    if p["tremolo_hz"]:
        out = out * samples(1 - 0.3 * (0.5 - 0.5 * np.cos(2 * np.pi * p["tremolo_hz"] * FRAMES)))
    out = out / np.abs(out).max()
    if p["knock"]:
        knock = (
            noise(rng, low_pass(NOISE_HZ, contact, poles=4)) * np.exp(-SECONDS / 0.008) * np.clip(SECONDS / 0.001, 0, 1)
        )
        out = out + p["knock"] * (0.3 + velocity) * knock / np.abs(knock).max()
    return out
