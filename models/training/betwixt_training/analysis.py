"""Audio of one note -> the columns of `columns.py`: the targets that the networks are trained on. NumPy only.

Frequencies come from the window's derivative (reassignment, Auger & Flandrin 1995). What does not move as a partial
does (its frequency wanders from frame to frame) is left to the noise, which is what remains after the partials, with
their measured phases, are subtracted.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from .columns import (
    AMPLITUDE,
    AMPLITUDE_FLOOR_DB,
    AMPLITUDE_COUNT,
    BAND_COUNT,
    CENTS,
    COLUMN_OF_PARTIAL,
    DEVIATION,
    FRAME_WIDTH,
    GROUP_COUNT,
    HOP_SAMPLES,
    NOISE,
    NOISE_BAND_MEANS,
    NOISE_BANDS,
    NOISE_CENTRES_HZ,
    NOISE_FLOOR_DB,
    NOISE_WINDOW_SAMPLES,
    PARTIAL_HIGH,
    PARTIAL_LOW,
    PARTIALS,
    SAMPLE_RATE,
    SLOT_COUNT,
    midi_to_hz,
    partial_count,
)
from .synthesis import overlap_cosines

PERIODS = 6
SHORTEST_WINDOW_SECONDS = 0.021
# A partial whose frequency's standard deviation exceeds half a bin is noise; under 0.15 bins it is wholly tonal.
NOISY_BINS, TONAL_BINS = 0.5, 0.15
LARGEST_TRACKED_DETUNE = 0.06
ONSET_FRAMES = 4
ONSET_REACH_SAMPLES = 200
TONAL_FRAME_DB, EDGE_NOISE_DB = 12.0, 6.0


@dataclass
class Spectra:
    """A zero-phase Hann STFT: `plain` and, by the window's derivative, `slope` `[T, bins]`, amplitude-normalised; `fill`
    `[T]` is how much of each frame's window lies after the note's start. Not zero-padded: over a whole number of periods
    the harmonics lie on bins, where they do not disturb each other."""

    plain: np.ndarray
    slope: np.ndarray
    fill: np.ndarray
    bin_hz: float


def spectra(audio: np.ndarray, window_samples: int, frames: int, slope: bool) -> Spectra:
    """STFT at hop 512, frame t centred on sample 512 t, of f32 mono `audio`; `window_samples` is even."""
    half = window_samples // 2
    padded = np.pad(audio, (half, half + window_samples + 2 * HOP_SAMPLES)).astype(np.float32)
    n = np.arange(window_samples) - half
    hann = (0.5 + 0.5 * np.cos(2 * np.pi * n / window_samples)).astype(np.float32)
    derivative = (-np.pi / window_samples * np.sin(2 * np.pi * n / window_samples)).astype(np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::HOP_SAMPLES][:frames]
    total = hann.sum()

    def transform(window):
        turned = np.empty(cut.shape, np.float32)  # the window's centre goes to sample 0
        np.multiply(cut[:, half:], window[half:], out=turned[:, :half])
        np.multiply(cut[:, :half], window[:half], out=turned[:, half:])
        return fft.rfft(turned, axis=1, overwrite_x=True) * np.float32(2 / total)

    fill = np.array([hann[max(0, half - t * HOP_SAMPLES) :].sum() / total for t in range(frames)])
    slopes = transform(derivative) if slope else np.empty(0)
    return Spectra(transform(hann), slopes, fill, SAMPLE_RATE / window_samples)


def peaks(of: Spectra, f0_hz: np.ndarray, which: np.ndarray):
    """The highest local maximum near each partial in `which` (indices into `PARTIALS`), for f0 `[T]`: amplitude,
    frequency (Hz) and phase `[T, K]`; amplitude 0 and the nominal frequency where there is none."""
    bin_hz = of.bin_hz
    power = of.plain.real**2 + of.plain.imag**2
    bins = power.shape[1]
    summit = np.zeros_like(power)
    inner = power[:, 1:-1]
    summit[:, 1:-1] = np.where((inner >= power[:, :-2]) & (inner >= power[:, 2:]), inner, 0)
    low = np.maximum(1, np.ceil(PARTIAL_LOW[which] * f0_hz[:, None] / bin_hz)).astype(np.int64)
    high = np.floor(PARTIAL_HIGH[which] * f0_hz[:, None] / bin_hz).astype(np.int64)
    high[high >= bins - 1] = 0
    best = np.full(low.shape, 1e-16, np.float32)
    place = np.zeros(low.shape, np.int64)
    for i in range(int((high - low).max()) + 1):
        at = low + i
        value = np.take_along_axis(summit, np.minimum(at, bins - 1), 1)
        better = (value > best) & (at <= high)
        best[better] = value[better]
        place[better] = at[better]
    found = place > 0
    x = np.take_along_axis(of.plain, place, 1)
    slope = np.take_along_axis(of.slope, place, 1)
    offset = -(slope.imag * x.real - slope.real * x.imag) / best  # radians a sample
    off_bins = np.clip(offset * SAMPLE_RATE / (2 * np.pi) / bin_hz, -1, 1)
    near_edge = np.abs(np.abs(off_bins) - 1) <= 1e-3
    scallop = np.where(near_edge, 0.5, np.sinc(off_bins) / np.where(near_edge, 1, 1 - off_bins**2))
    amplitude = np.where(found, np.sqrt(best) / scallop, 0)
    frequency = np.where(found, (place + off_bins) * bin_hz, PARTIALS[which] * f0_hz[:, None])
    return amplitude, frequency, np.where(found, np.angle(x), 0)


def track_f0(of: Spectra, nominal_hz: float, first_full: int) -> np.ndarray:
    """f0(t) in Hz `[T]`: the weighted median over harmonics 1 .. 8 where they agree, interpolated where they do not, and
    the nominal pitch where they hardly ever do (bells, drums)."""
    frames = len(of.plain)
    nominal = np.full(frames, nominal_hz)
    which = np.arange(1, min(16, partial_count(nominal_hz)), 2)
    amplitude, frequency, _ = peaks(of, nominal, which)
    detune = frequency / (PARTIALS[which] * nominal_hz) - 1
    weight = amplitude * (amplitude > 0.03 * amplitude.max(1, keepdims=True) + 1e-7)
    order = np.argsort(detune, 1)
    running = np.cumsum(np.take_along_axis(weight, order, 1), 1)
    middle = (running < running[:, -1:] / 2).sum(1).clip(max=len(which) - 1)[:, None]
    median = np.take_along_axis(np.take_along_axis(detune, order, 1), middle, 1)[:, 0]
    level = weight.sum(1)
    disagreement = (weight * np.abs(detune - median[:, None])).sum(1) / (level + 1e-9)
    sure = (disagreement < 0.006) & (level > 1e-3 * level.max()) & (np.abs(median) < LARGEST_TRACKED_DETUNE)
    sure[:first_full] = False
    if sure.sum() <= 10:
        return nominal
    track = np.interp(np.arange(frames), np.nonzero(sure)[0], median[sure])
    padded = np.pad(track, 2, mode="edge")
    return nominal_hz * (1 + np.median(np.stack([padded[i : i + frames] for i in range(5)]), 0))


def analyse(audio: np.ndarray, pitch: float) -> np.ndarray:
    """Mono 48 kHz `audio` of a note of MIDI `pitch` -> f32 `[len // 512 + 1, 257]`."""
    audio = np.asarray(audio, np.float32)
    frames = len(audio) // HOP_SAMPLES + 1
    nominal_hz = float(midi_to_hz(pitch))
    periods = max(PERIODS, int(np.ceil(SHORTEST_WINDOW_SECONDS * nominal_hz)))
    window_samples = 2 * int(round(periods * SAMPLE_RATE / nominal_hz / 2))
    count = partial_count(nominal_hz)
    which = np.arange(count)
    long = spectra(audio, window_samples, frames, slope=True)
    first_full = min(int(np.ceil(window_samples / 2 / HOP_SAMPLES)), frames - 1)
    f0_hz = track_f0(long, nominal_hz, first_full)
    amplitude, frequency, phase = peaks(long, f0_hz, which)
    if first_full > 1:
        _copy_attack(audio, first_full, nominal_hz, f0_hz, amplitude, frequency, phase)
    else:
        amplitude /= np.maximum(long.fill, 0.5)[:, None]
    spread = max(3, int(round(window_samples / HOP_SAMPLES)))
    wander_bins = _wander(frequency - PARTIALS[:count] * f0_hz[:, None], amplitude, spread)
    wander_bins *= window_samples / SAMPLE_RATE
    tonal = amplitude * np.clip((NOISY_BINS - wander_bins) / (NOISY_BINS - TONAL_BINS), 0, 1)
    noise_db = _residual_bands(audio, frames, tonal, frequency, phase)
    onset = _onset_gain(audio, tonal, noise_db, nominal_hz)
    tonal[: len(onset)] *= onset[:, None]
    noise_db[: len(onset)] += 20 * np.log10(onset[:, None])

    columns = np.zeros((frames, FRAME_WIDTH), np.float32)
    level = np.full((frames, AMPLITUDE_COUNT), AMPLITUDE_FLOOR_DB)
    slots = min(count, SLOT_COUNT)
    level[:, :slots] = 20 * np.log10(tonal[:, :slots] + 1e-6)
    for group in range(GROUP_COUNT):
        members = np.nonzero(COLUMN_OF_PARTIAL[:count] == SLOT_COUNT + group)[0]
        if len(members):
            level[:, SLOT_COUNT + group] = 10 * np.log10((tonal[:, members] ** 2).mean(1) + 1e-12)
    columns[:, AMPLITUDE] = np.maximum(level, AMPLITUDE_FLOOR_DB)
    relative = frequency[:, :slots] / f0_hz[:, None] - PARTIALS[:slots]
    columns[:, DEVIATION][:, :slots] = np.clip(relative, -0.5, 0.5)
    columns[:, CENTS] = 1200 * np.log2(f0_hz / nominal_hz)
    columns[:, NOISE] = np.maximum(noise_db, NOISE_FLOOR_DB)
    quieten_edge(columns)
    return columns


def quieten_edge(columns: np.ndarray) -> None:
    """Half of frame 0's window lies before the note, where no partial is; what partials that are drawn out into it leave
    over is not noise. So frame 0 of `[T, 257]` has at most 6 dB more noise than frame 1, and where partials are most of
    frame 1, no more."""
    if len(columns) < 2:
        return
    level, noise = columns[1, AMPLITUDE].astype(np.float64), columns[1, NOISE].astype(np.float64)
    of_noise = (10 ** (noise / 10) * NOISE_BANDS.sum(1) / 3).sum()
    tonal = (10 ** (level / 10)).sum() / 2 > of_noise * 10 ** (TONAL_FRAME_DB / 10)
    columns[0, NOISE] = np.minimum(columns[0, NOISE], columns[1, NOISE] + (0 if tonal else EDGE_NOISE_DB))


def _copy_attack(audio, first_full, nominal_hz, f0_hz, amplitude, frequency, phase) -> None:
    """A long window smears the attack of a low note. Its frames that begin before the note copy the first full one, under
    the envelope that 21 ms bands show, and never with more energy than is there."""
    frames = len(f0_hz)
    short = spectra(audio, NOISE_WINDOW_SAMPLES, frames, slope=False)
    power = np.abs(short.plain) ** 2 / np.maximum(short.fill, 0.25)[:, None] ** 2
    band = np.interp(PARTIALS[: amplitude.shape[1]] * nominal_hz, NOISE_CENTRES_HZ, np.arange(BAND_COUNT))
    lower = band.astype(int).clip(0, BAND_COUNT - 2)
    upper_part = band - lower
    envelope = np.sqrt(power[: first_full + 1] @ NOISE_BAND_MEANS.T + 1e-14)
    envelope = envelope[:, lower] * (1 - upper_part) + envelope[:, lower + 1] * upper_part
    amplitude[:first_full] = amplitude[first_full] * np.minimum(envelope[:first_full] / envelope[first_full], 4.0)
    reach = int(max(HOP_SAMPLES, SAMPLE_RATE / nominal_hz))
    running = np.concatenate([[0], np.cumsum(audio.astype(np.float64) ** 2)])
    centre = np.arange(first_full) * HOP_SAMPLES
    start = np.maximum(centre - reach, 0)
    end = np.minimum(centre + reach, len(audio))
    there = (running[end] - running[start]) / (end - start)
    ours = (amplitude[:first_full] ** 2).sum(1) / 2 + 1e-14
    amplitude[:first_full] *= np.minimum(1, np.sqrt(there / ours))[:, None]
    frequency[:first_full] = frequency[first_full]
    f0_hz[:first_full] = f0_hz[first_full]
    back = (first_full - np.arange(first_full))[:, None] * HOP_SAMPLES
    phase[:first_full] = phase[first_full] - 2 * np.pi * frequency[first_full] / SAMPLE_RATE * back


def _onset_gain(audio, tonal, noise_db, nominal_hz) -> np.ndarray:
    """How much softer the first frames are at their centre than their windows, which look ahead, make them: gain, at most
    1, `[ONSET_FRAMES]`. Without it each note would begin with a jump to what its first 10 ms hold on average."""
    reach = int(max(ONSET_REACH_SAMPLES, SAMPLE_RATE / nominal_hz / 2))
    centre = np.arange(min(ONSET_FRAMES, len(tonal))) * HOP_SAMPLES
    running = np.concatenate([[0], np.cumsum(audio.astype(np.float64) ** 2)])
    start, end = np.maximum(centre - reach, 0), np.minimum(centre + reach, len(audio))
    there = (running[end] - running[start]) / (end - start)
    noise = (10 ** (noise_db[: len(centre)] / 10) * NOISE_BANDS.sum(1) / 3).sum(1)
    ours = (tonal[: len(centre)] ** 2).sum(1) / 2 + noise
    return np.sqrt(np.clip((there + 1e-12) / (ours + 1e-12), 1e-6, 1))


def _wander(deviation_hz: np.ndarray, amplitude: np.ndarray, spread: int) -> np.ndarray:
    """Amplitude-weighted standard deviation, Hz, of each partial's frequency over +-`spread` frames `[T, K]`."""
    weight = amplitude.astype(np.float64) + 1e-9

    def box(values):
        running = np.cumsum(np.pad(values, ((spread + 1, spread), (0, 0)), mode="edge"), 0)
        return running[2 * spread + 1 :] - running[: -2 * spread - 1]

    total = box(weight)
    mean = box(weight * deviation_hz) / total
    return np.sqrt(np.maximum(box(weight * deviation_hz**2) / total - mean**2, 0))


def _residual_bands(audio, frames, tonal, frequency, phase) -> np.ndarray:
    """Band powers, dB `[T, 64]`, of what is left when the partials are taken out of `audio`."""
    used = tonal.max(0) > 3e-6
    rest = audio[: (frames - 1) * HOP_SAMPLES].copy()
    if used.any():
        rest -= overlap_cosines(tonal[:, used], 2 * np.pi * frequency[:, used] / SAMPLE_RATE, phase[:, used])
    short = spectra(rest, NOISE_WINDOW_SAMPLES, frames, slope=False)
    power = (short.plain.real**2 + short.plain.imag**2) / np.maximum(short.fill, 0.5)[:, None]
    return 10 * np.log10(power @ NOISE_BAND_MEANS.T + 1e-12)
