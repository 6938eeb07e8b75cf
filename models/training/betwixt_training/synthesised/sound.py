"""What every family shares: the clock of a note, envelopes, phases, noise, and the two engines that make partials.

`harmonic_sound` reads tables of one cycle, whose spectrum moves: for whatever is harmonic, with any vibrato.
`ring` sums decaying partials at fixed frequencies, a matrix product a block: for whatever is not harmonic.
Neither makes anything above 20 kHz, so nothing aliases. All arrays over samples are `[NOTE_SAMPLES]`, times in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ..columns import SAMPLE_RATE
from ..soundfont import HELD_SECONDS, NOTE_SAMPLES

HIGHEST_HZ = 20_000.0
SECONDS = np.arange(NOTE_SAMPLES) / SAMPLE_RATE
NOISE_HZ = fft.rfftfreq(NOTE_SAMPLES, 1 / SAMPLE_RATE)
# Spectra and envelopes are worked out at these times, dense where notes begin and end, and move linearly in between.
FRAMES = np.concatenate(
    [np.arange(0, 10) * 0.001, np.arange(0.01, 0.199, 0.004), np.arange(0.2, 2.999, 0.025)]
    + [np.arange(3, 3.199, 0.005), np.arange(3.2, 4.01, 0.025)]
)
_FRAME = np.clip(np.searchsorted(FRAMES, SECONDS, "right") - 1, 0, len(FRAMES) - 2).astype(np.int32)
_TOWARDS = ((SECONDS - FRAMES[_FRAME]) / (FRAMES[_FRAME + 1] - FRAMES[_FRAME])).astype(np.float32)
_BLOCK = 384


@dataclass(frozen=True)
class Synthesised:
    """One instrument: always the same sound. `lowest` and `highest` are MIDI pitches; `parameters` are its family's."""

    name: str
    family: str
    lowest: int
    highest: int
    pitched: bool
    parameters: Mapping[str, object]


def from_table(family: str, keys: tuple[str, ...], sounds: Mapping[str, tuple]) -> list[Synthesised]:
    """Pitched instruments of a family from a table: name -> lowest and highest pitch, then the parameters that `keys` name;
    each one's place in the table is its `seed`."""
    return [
        Synthesised(name, family, sound[0], sound[1], True, dict(zip(keys, sound[2:], strict=True), seed=number))
        for number, (name, sound) in enumerate(sounds.items())
    ]


def samples(frames: np.ndarray) -> np.ndarray:
    """Values at `FRAMES` -> values at every sample, f32."""
    frames = np.asarray(frames, np.float32)
    start = frames.take(_FRAME)
    return start + _TOWARDS * np.diff(frames).take(_FRAME)


def envelope(
    attack_s: float, decay_s: float, sustain: float, release_s: float, times: np.ndarray = FRAMES
) -> np.ndarray:
    """Rise along a half cosine, exponential fall to `sustain` (time constant `decay_s`), 60 dB down `release_s` after
    note-off."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(times / max(attack_s, 1e-4), 0, 1))
    fall = sustain + (1 - sustain) * np.exp(-np.maximum(times - attack_s, 0) / decay_s)
    return rise * fall * released(release_s, times)


def released(release_s: float, times: np.ndarray = FRAMES) -> np.ndarray:
    """1 until note-off, then 60 dB down in `release_s`."""
    return np.exp(-6.9 * np.maximum(times - HELD_SECONDS, 0) / release_s)


def wander(rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Slow random movement about 0, standard deviation about 1, at `FRAMES`."""
    knots = rng.standard_normal(int(4 * rate_hz) + 3)
    at = FRAMES * rate_hz
    index, part = at.astype(int), at % 1
    part = part * part * (3 - 2 * part)
    return knots[index] * (1 - part) + knots[index + 1] * part


def vibrato(rng: np.random.Generator, depth_cents: float, rate_hz: float, onset_s: float) -> np.ndarray:
    """Cents at `FRAMES`: sets in around `onset_s`, at a rate and depth that waver, about the pitch itself."""
    if depth_cents == 0:
        return np.zeros(len(FRAMES))
    turns = np.concatenate([[0], np.cumsum(np.diff(FRAMES) * (rate_hz * (1 + 0.06 * wander(rng, 2)))[1:])])
    grown = 1 / (1 + np.exp(-(FRAMES - onset_s) / (0.15 * onset_s + 0.02)))
    return depth_cents * grown * (1 + 0.15 * wander(rng, 1.5)) * np.sin(2 * np.pi * (turns + rng.random()))


def cycles(hz: float, cents: np.ndarray | float = 0.0, start: float = 0.0) -> np.ndarray:
    """Phase in cycles, f64, of a tone at `hz` moved by `cents` (one number, or values at `FRAMES`)."""
    if np.ndim(cents) == 0:
        return SECONDS * (hz * 2 ** (cents / 1200)) + start
    speed = samples(2 ** (np.asarray(cents) / 1200) - 1).astype(np.float64)
    return (SECONDS + np.cumsum(speed) / SAMPLE_RATE) * hz + start


def harmonics(hz: float, spread_cents: float = 60.0) -> np.ndarray:
    """Numbers 1..K of the harmonics of `hz` that stay below 20 kHz, at most 640."""
    return np.arange(1, max(1, min(640, int(HIGHEST_HZ / (hz * 2 ** (spread_cents / 1200))))) + 1, dtype=np.float64)


def harmonic_sound(
    phases: list[np.ndarray], gains: np.ndarray, turned: np.ndarray | None = None, later_phases: float = 1.0
) -> np.ndarray:
    """Sum over `phases` (cycles) of one moving spectrum. `gains`: `[len(FRAMES), K]`, signed; `turned`: phases of the
    harmonics `[K]` in radians (sines without); `later_phases`: level of all but the first of `phases`."""
    count = gains.shape[1]
    width = max(256, 1 << int(np.ceil(np.log2(12 * count))))
    spectrum = np.zeros((len(FRAMES), width // 2 + 1), np.complex64)
    spectrum[:, 1 : count + 1] = gains * (-0.5j * width * (1 if turned is None else np.exp(1j * turned)))
    table = np.empty((len(FRAMES), width + 1), np.float32)
    table[:, :width] = fft.irfft(spectrum, axis=1)
    table[:, width] = table[:, 0]
    flat, row = table.ravel(), _FRAME * np.int32(width + 1)
    out = np.zeros(NOTE_SAMPLES, np.float32)
    for number, phase in enumerate(phases):
        place = (phase - np.floor(phase)) * width
        whole = place.astype(np.int32)
        part = (place - whole).astype(np.float32)
        whole = np.minimum(whole, width - 1) + row
        now = flat.take(whole)
        now += part * (flat.take(whole + 1) - now)
        whole += width + 1
        then = flat.take(whole)
        then += part * (flat.take(whole + 1) - then)
        then -= now
        then *= _TOWARDS
        now += then
        out += now if number == 0 else now * np.float32(later_phases)
    return out


def ring(hz, gain, decay_s, turned=0.0, damped_s=None) -> np.ndarray:
    """Sum of `gain` cos(2 pi `hz` t + `turned`), each 60 dB down in `decay_s`, and in `damped_s` after note-off (if not
    None)."""
    hz, gain, decay_s, turned = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, float)) for x in (hz, gain, decay_s, turned))
    )
    kept = (hz < HIGHEST_HZ) & (hz > 10) & (np.abs(gain) > 1e-6)
    if not kept.any():
        return np.zeros(NOTE_SAMPLES, np.float32)
    hz, gain, decay_s, turned = hz[kept], gain[kept], decay_s[kept], turned[kept]
    held, blocks = int(HELD_SECONDS * SAMPLE_RATE) // _BLOCK, NOTE_SAMPLES // _BLOCK
    turn = 2j * np.pi * hz / SAMPLE_RATE
    start, parts = gain * np.exp(1j * turned), []
    damped = decay_s if damped_s is None else np.minimum(decay_s, damped_s)
    for count, decay in ((held, decay_s), (blocks - held, damped)):
        step = turn - 6.9078 / (decay * SAMPLE_RATE)
        inside = np.exp(step[:, None] * np.arange(_BLOCK))
        states = start * np.exp(step * _BLOCK * np.arange(count)[:, None])
        start = start * np.exp(step * _BLOCK * count)
        left = np.concatenate([states.real, -states.imag], 1).astype(np.float32)
        parts.append((left @ np.concatenate([inside.real, inside.imag]).astype(np.float32)).ravel())
    return np.concatenate(parts)


def noise(rng: np.random.Generator, gain: np.ndarray) -> np.ndarray:
    """Gaussian noise, rms about 1 where `gain` (at `NOISE_HZ`, `[96001]`) is 1 throughout."""
    spectrum = rng.standard_normal((len(NOISE_HZ), 2), np.float32).view(np.complex64)[:, 0]
    spectrum *= (gain * np.sqrt(NOTE_SAMPLES / 2)).astype(np.float32)
    spectrum[0] = spectrum[-1] = 0
    return fft.irfft(spectrum, NOTE_SAMPLES)


def band(hz: np.ndarray, centre_hz: float, q: float) -> np.ndarray:
    """Gain of a two-pole band-pass, 1 at `centre_hz`."""
    ratio = np.maximum(hz, 1e-3) / centre_hz
    return 1 / np.sqrt(1 + (q * (ratio - 1 / ratio)) ** 2)


def low_pass(hz, corner_hz, q: float = 0.707, poles: int = 2) -> np.ndarray:
    """Gain of a resonant low-pass; with 4 poles the second pair has no resonance."""
    ratio = (hz / corner_hz) ** 2
    gain = 1 / np.sqrt((1 - ratio) ** 2 + ratio / q**2)
    return gain if poles == 2 else gain / np.sqrt(1 + ratio**2)
