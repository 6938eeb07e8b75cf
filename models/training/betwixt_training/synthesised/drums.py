"""Without a pitch: kicks, snares, toms, cymbals, claps, and found objects of wood, glass and metal.

Each is random modes, a falling tone and noise in bands. The note's pitch transposes everything, times included, as
playing a recording faster would; 60 is the sound as it is.
"""

import numpy as np

from .sound import HIGHEST_HZ, NOISE_HZ, SECONDS, Synthesised, band, low_pass, noise, ring

FAMILY = "drums"
_LOWEST, _HIGHEST = 40, 80
# Kind: how many, tone Hz (0: none), how far it falls from in octaves, tone decay_s, modes, their range in Hz, decays in
# s, level of the modes, noise centre Hz, Q, decay_s, level, strokes.
_KINDS = {
    "kick": (4, (42, 65), (1, 2.6), (0.15, 0.6), 2, (90, 400), (0.03, 0.1), 0.15, (1500, 5000), 0.5, (0.01, 0.03), 0.25,
             1),
    "snare": (4, (150, 230), (0.1, 0.5), (0.08, 0.2), 6, (250, 1200), (0.05, 0.2), 0.4, (2500, 6000), 0.4, (0.12, 0.3),
              0.8, 1),
    "tom": (3, (70, 160), (0.1, 0.4), (0.3, 0.9), 5, (150, 700), (0.1, 0.4), 0.35, (800, 3000), 0.5, (0.02, 0.06), 0.2,
            1),
    "closed hat": (2, (0, 0), (0, 0), (1, 1), 40, (2500, 15000), (0.04, 0.12), 1.0, (7000, 11000), 0.6, (0.04, 0.12),
                   0.6, 1),
    "cymbal": (4, (0, 0), (0, 0), (1, 1), 110, (300, 16000), (0.6, 4.0), 1.0, (5000, 9000), 0.4, (0.5, 1.8), 0.4, 1),
    "clap": (2, (0, 0), (0, 0), (1, 1), 3, (800, 2500), (0.02, 0.05), 0.1, (1000, 1800), 1.5, (0.08, 0.25), 1.0, 4),
    "wood": (3, (0, 0), (0, 0), (1, 1), 6, (500, 4000), (0.03, 0.15), 1.0, (1500, 4000), 0.7, (0.005, 0.015), 0.4, 1),
    "glass": (3, (0, 0), (0, 0), (1, 1), 12, (1200, 11000), (0.2, 1.5), 1.0, (5000, 10000), 0.6, (0.004, 0.02), 0.3, 1),
    "metal": (4, (0, 0), (0, 0), (1, 1), 24, (250, 7000), (0.2, 2.5), 1.0, (2000, 6000), 0.5, (0.005, 0.05), 0.3, 1),
    "shaker": (2, (0, 0), (0, 0), (1, 1), 4, (3000, 9000), (0.02, 0.05), 0.1, (5000, 9000), 0.8, (0.05, 0.15), 1.0, 2),
}  # fmt: skip


def instruments() -> list[Synthesised]:
    """Each kind several times, with modes of its own."""
    made = []
    for kind_number, (
        kind,
        (count, tone, falls, tone_decay, modes, span, decays, level, centre, q, burst, loud, strokes),
    ) in enumerate(_KINDS.items()):
        for variant in range(count):
            rng = np.random.default_rng((9, kind_number, variant))
            drawn = lambda low, high: float(low * (high / low) ** rng.random()) if low else 0.0
            f = np.sort(np.exp(rng.uniform(*np.log(span), modes)))
            parameters = {
                "tone_hz": drawn(*tone), "falls": float(rng.uniform(*falls)), "tone_decay_s": drawn(*tone_decay),
                "hz": f, "decay_s": np.exp(rng.uniform(*np.log(decays), modes)) * (f[0] / f) ** 0.3,
                "gain": rng.uniform(0.2, 1, modes) * (f[0] / f) ** 0.25,
                "level": level, "centre_hz": drawn(*centre), "q": q, "burst_s": drawn(*burst),
                "noise": loud * float(rng.uniform(0.6, 1.3)),
                "strokes": strokes, "attack_s": 0.02 if kind == "shaker" else 0.0004,
            }  # fmt: skip
            made.append(Synthesised(f"{kind} {variant + 1}", FAMILY, _LOWEST, _HIGHEST, False, parameters))
    return made


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1; `hz` is that of the note: 261.6 plays the sound as it is."""
    p = parameters
    faster = hz / (440 * 2 ** (-9 / 12))
    t = SECONDS * faster
    out = 0
    if p["tone_hz"]:
        # The tone starts `falls` octaves up and falls with a time constant of 30 ms; the phase is the integral of that.
        fall = 2 ** (p["falls"] * (0.5 + 0.6 * velocity)) - 1
        phase = p["tone_hz"] * (t + fall * 0.03 * (1 - np.exp(-t / 0.03)))
        out = np.sin(2 * np.pi * (phase % 1)).astype(np.float32) * np.exp(-6.9 * t / (2.5 * p["tone_decay_s"]))
    struck = low_pass(p["hz"], 1200 + 14_000 * velocity**1.2)
    gain = p["gain"] * struck * 10 ** (rng.uniform(-1.5, 1.5, len(p["hz"])) / 20)
    modes = ring(p["hz"] * faster, gain, 2.0 * p["decay_s"] / faster, rng.uniform(-np.pi, np.pi, len(gain)))
    modes = modes * np.clip(t / 0.0005, 0, 1)
    out = out + p["level"] * (0.6 + 0.4 * velocity) * modes / max(np.abs(modes).max(), 1e-9)
    corner = min(HIGHEST_HZ, (3000 + 15_000 * velocity) * faster)
    hiss = noise(
        rng, band(NOISE_HZ, p["centre_hz"] * faster, p["q"]) * low_pass(NOISE_HZ, corner) * (NOISE_HZ < HIGHEST_HZ)
    )
    burst = 0
    for stroke in range(p["strokes"]):
        after = t - stroke * 0.011 * (1 + 0.2 * rng.random())
        last = stroke == p["strokes"] - 1
        fall = np.exp(-np.maximum(after, 0) / (p["burst_s"] if last else 0.006))
        burst = burst + np.where(after >= 0, np.clip(after / p["attack_s"], 0, 1) * fall, 0)
    return out + p["noise"] * (0.4 + 0.6 * velocity) * 0.4 * hiss * burst / max(hiss.std(), 1e-9)
