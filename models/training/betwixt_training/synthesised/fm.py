"""Frequency modulation with two to four operators (Chowning 1973): electric pianos, bells, basses, brass, leads.

The index is held down where the sidebands would pass 20 kHz (Carson's rule), so nothing folds back.
"""

import numpy as np

from .sound import HIGHEST_HZ, Synthesised, cycles, envelope, samples, vibrato

FAMILY = "fm"
# Name: lowest, highest, release_s, operators. An operator: (ratio, modulators, strength, attack_s, decay_s, sustain,
# velocity to strength). Strength is the level of a carrier and the index in radians of a modulator. Operators that
# modulate nothing are heard, and so is the first; one that lists itself or an earlier one has feedback.
_SOUNDS = {
    "tine piano": (28, 96, 0.3, ((1, (1,), 1, 0.002, 1.6, 0.0, 0.2), (14, (), 0.7, 0.001, 0.12, 0.0, 1.2),
                                (1, (3,), 0.8, 0.002, 2.2, 0.0, 0.3), (1, (), 1.3, 0.001, 1.2, 0.1, 1.0))),
    "reed piano": (33, 96, 0.2, ((1, (1, 2), 1, 0.002, 1.1, 0.0, 0.2), (2, (), 1.4, 0.001, 0.9, 0.1, 1.0),
                                (5, (), 0.5, 0.001, 0.25, 0.0, 1.2))),
    "bell": (48, 100, 0.5, ((1, (1,), 1, 0.002, 2.5, 0.0, 0.1), (3.5, (), 2.4, 0.001, 1.1, 0.0, 0.7),
                           (2, (3,), 0.5, 0.002, 1.6, 0.0, 0.3), (1.41, (), 1.1, 0.001, 1.5, 0.0, 0.6))),
    "clang": (41, 91, 1.0, ((1, (1, 2), 1, 0.001, 1.4, 0.0, 0.1), (1.414, (), 2.0, 0.001, 0.9, 0.0, 0.6),
                           (4.77, (), 0.9, 0.001, 0.3, 0.0, 1.0))),
    "round bass": (24, 60, 0.15, ((1, (1,), 1, 0.004, 1.5, 0.3, 0.1), (1, (2,), 2.5, 0.002, 0.35, 0.15, 1.0),
                                 (2, (), 0.8, 0.002, 0.2, 0.0, 0.8))),
    "hard bass": (24, 64, 0.08, ((1, (1, 2), 1, 0.001, 0.9, 0.35, 0.1), (3, (), 2.2, 0.001, 0.15, 0.1, 1.1),
                                (1, (2,), 1.9, 0.001, 0.8, 0.4, 0.7))),
    "brass": (36, 88, 0.12, ((0.999, (1,), 1, 0.05, 2.0, 0.8, 0.2), (1, (), 3.6, 0.09, 0.5, 0.75, 1.0),
                            (1.001, (3,), 0.35, 0.07, 2.0, 0.8, 0.2), (1, (), 2.6, 0.12, 0.6, 0.7, 1.0))),
    "reed": (43, 91, 0.1, ((1, (1,), 1, 0.04, 1.0, 0.9, 0.1), (2, (), 1.7, 0.06, 0.5, 0.7, 0.8))),
    "strings": (36, 96, 0.35, ((0.9985, (1,), 1, 0.18, 3.0, 0.9, 0.1), (1.0015, (), 1.5, 0.3, 3.0, 0.8, 0.6),
                              (1.996, (3,), 0.4, 0.25, 3.0, 0.9, 0.1), (2.01, (), 1.2, 0.3, 3.0, 0.8, 0.5))),
    "clavinet": (36, 91, 0.07, ((1, (1, 2), 1, 0.001, 0.9, 0.0, 0.1), (3, (), 1.7, 0.001, 0.6, 0.2, 0.9),
                               (5, (2,), 1.0, 0.001, 0.3, 0.1, 1.0))),
    "glass": (48, 103, 0.8, ((1, (1,), 1, 0.01, 1.9, 0.1, 0.1), (7.0, (), 0.9, 0.004, 0.6, 0.05, 0.8),
                            (4.02, (), 0.2, 0.03, 1.0, 0.2, 0.5))),
    "feedback lead": (40, 96, 0.08, ((1, (0,), 1.0, 0.006, 1.0, 0.8, 0.1), (1, (1, 2), 0.8, 0.005, 0.8, 0.8, 0.9),
                                    (3, (), 0.8, 0.01, 0.4, 0.4, 0.9))),
}  # fmt: skip


def instruments() -> list[Synthesised]:
    """Two of each sound: as written, and with operators moved."""
    made = []
    for number, (name, (lowest, highest, release_s, operators)) in enumerate(_SOUNDS.items()):
        for variant in range(2):
            rng = np.random.default_rng((1, number, variant))
            moved = [
                (ratio, modulators, strength * 2 ** (variant * rng.uniform(-0.9, 0.6)),
                 attack * 2 ** (variant * rng.uniform(-1, 1.2)),
                 decay * 2 ** (variant * rng.uniform(-1, 0.8)), sustain, velocity)
                for ratio, modulators, strength, attack, decay, sustain, velocity in operators
            ]  # fmt: skip
            if variant and moved[-1][0] > 1.5:
                moved[-1] = (moved[-1][0] + rng.choice([-1, 1, 2]), *moved[-1][1:])
            parameters = {"operators": moved, "release_s": release_s * 2 ** (variant * rng.uniform(-1, 1.5))}
            parameters["vibrato_cents"] = rng.uniform(4, 14) if name in ("brass", "reed", "feedback lead") else 0.0
            made.append(Synthesised(f"FM {name} {variant + 1}", FAMILY, lowest, highest, True, parameters))
    return made


def render(parameters, hz: float, velocity: float, rng: np.random.Generator) -> np.ndarray:
    """f32 `[192000]`; `velocity` 0..1."""
    octaves = np.log2(hz / 261.6)
    cents = vibrato(rng, parameters["vibrato_cents"], 5.3, 0.7)
    operators, strengths, used = parameters["operators"], [], set()
    for _, modulators, *_ in operators:
        used.update(modulators)
    for number, (_, _, strength, *_, response) in enumerate(operators):
        brighter = (0.25 + 0.75 * velocity) ** response
        strengths.append(strength * brighter * (2 ** (-0.35 * octaves) if number in used else 1))
    for _ in range(12):  # until the widest carrier fits
        if max(_width(operators, strengths, n) for n in range(len(operators))) * hz < HIGHEST_HZ:
            break
        strengths = [s * (0.7 if n in used else 1) for n, s in enumerate(strengths)]
    outputs: dict[int, np.ndarray] = {}
    base = cycles(hz, cents if parameters["vibrato_cents"] else 0.0)
    out = 0
    for number in reversed(range(len(operators))):
        ratio, modulators, _, attack, decay, sustain, _ = operators[number]
        if ratio * hz > HIGHEST_HZ:
            outputs[number] = np.float32(0)
            continue
        phase = base * ratio
        phase = ((phase - np.floor(phase)) * (2 * np.pi)).astype(np.float32)
        attack = attack * (1.6 - velocity)
        decay = decay * 2 ** (-0.4 * octaves)
        release = parameters["release_s"] * (1.0 if number not in used else 1.3)
        level = samples(strengths[number] * envelope(attack, decay, sustain, release))
        bent = phase
        for modulator in modulators:
            if modulator >= number + 1:
                bent = bent + outputs[modulator]
            else:  # feedback, as two rounds of it
                index = np.float32(min(0.9, strengths[number]))
                bent = bent + index * np.sin(phase + index * np.sin(phase))
        outputs[number] = level * np.sin(bent)
        if number not in used or number == 0:
            out = out + outputs[number]
    return out


def _width(operators, strengths, number: int) -> float:
    """Highest frequency of an operator's output, as a multiple of the note's."""
    ratio, modulators = operators[number][:2]
    wide = ratio
    for m in modulators:
        inner = _width(operators, strengths, m) if m > number else 2 * ratio
        if strengths[m] > 0.05:
            wide += (strengths[m] + 1.6) * inner
    return wide
