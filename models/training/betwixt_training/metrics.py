"""Measures of a note's audio (48 kHz, mono), and distances between two recordings of one, in dB, cents and ms.

In the distances, frames 60 dB under the reference's loudest do not count, and the longer one's end does not either.
"""

import numpy as np
from scipy import fft, signal

from .columns import SAMPLE_RATE, midi_to_hz

SCALES = (256, 1024, 4096)
RANGE_DB = 70.0
ACTIVE_DB = 60.0
MEL_COUNT = 128
MEL_WINDOW_SAMPLES = 2048
PITCH_WINDOW_SAMPLES = 8192
PITCH_HOP_SAMPLES = 1024
PITCH_PADDING = 4
PEAK_SAMPLES = int(0.15 * SAMPLE_RATE)
PEAK_REACH_DB = 3.0
ONSET_WINDOW_SAMPLES, ONSET_HOP_SAMPLES = 512, 48
ONSET_LAG_FRAMES = 20


def magnitudes(audio: np.ndarray, window_samples: int, hop_samples: int, padding: int = 1) -> np.ndarray:
    """Hann STFT magnitudes, a sine of amplitude 1 being 1: `[frames, bins]`. `padding` makes that many bins of each."""
    half = window_samples // 2
    padded = np.pad(np.asarray(audio, np.float32), half)
    cut = np.lib.stride_tricks.sliding_window_view(padded, window_samples)[::hop_samples]
    window = np.hanning(window_samples + 1)[:-1].astype(np.float32)
    return np.abs(fft.rfft(cut * window, window_samples * padding, axis=1)) * (4 / window_samples)


def alike_long(*signals: np.ndarray) -> list[np.ndarray]:
    """The signals, each cut to the shortest one's length."""
    length = min(len(x) for x in signals)
    return [x[:length] for x in signals]


def _db(magnitude, floor):
    return 20 * np.log10(np.maximum(magnitude, floor))


def spectral_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """MSLS: mean |dB| over the cells of STFTs of 256, 1024 and 4096 samples, floored 70 dB under the reference's
    peak."""
    distances = []
    reference, other = alike_long(reference, other)
    for window in SCALES:
        a, b = (magnitudes(x, window, window // 4) for x in (reference, other))
        floor = a.max() * 10 ** (-RANGE_DB / 20)
        energy = np.maximum((a**2).sum(1), (b**2).sum(1))
        active = energy > energy.max() * 10 ** (-ACTIVE_DB / 10)
        distances.append(np.abs(_db(a, floor) - _db(b, floor))[active].mean())
    return float(np.mean(distances))


def mel_filters(bands: int, window_samples: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale (linear to 1 kHz, then logarithmic; the Auditory Toolbox, 1998;
    what librosa has by default): f32 `[bands, window_samples // 2 + 1]`."""
    to_mel = lambda f: np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1000) / 1000) * 27 / np.log(6.4))
    to_hz = lambda m: np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))
    edges = to_hz(np.linspace(to_mel(low_hz), to_mel(high_hz), bands + 2))
    bins = np.fft.rfftfreq(window_samples, 1 / SAMPLE_RATE)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return (np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


MEL_FILTERS = mel_filters(MEL_COUNT, MEL_WINDOW_SAMPLES, 20.0, 24_000.0) * 10


def mel_db(audio: np.ndarray) -> np.ndarray:
    """128-band mel spectrogram, dB `[frames, 128]`, window 2048, hop 512."""
    return _db(magnitudes(audio, MEL_WINDOW_SAMPLES, 512) @ MEL_FILTERS.T, 1e-9)


def mel_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Mean |dB| over the cells of the mel spectrogram, floored 70 dB under the reference's peak."""
    a, b = map(mel_db, alike_long(reference, other))
    floor = a.max() - RANGE_DB
    active = np.maximum(a.max(1), b.max(1)) > a.max() - ACTIVE_DB
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def a_loudness_db(audio: np.ndarray) -> np.ndarray:
    """A-weighted level (IEC 61672) of frames of 2048 samples, hop 512."""
    f = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE) + 1e-3
    response = 12194**2 * f**4
    response /= (f**2 + 20.6**2) * np.sqrt((f**2 + 107.7**2) * (f**2 + 737.9**2)) * (f**2 + 12194**2)
    weighted = magnitudes(audio, 2048, 512) * (response * 10**0.1).astype(np.float32)
    return 10 * np.log10((weighted**2).sum(1) + 1e-12)


def loudness_distance(reference: np.ndarray, other: np.ndarray) -> float:
    """Mean |dB| between the A-weighted levels, floored 60 dB under the reference's loudest frame."""
    a, b = map(a_loudness_db, alike_long(reference, other))
    floor = a.max() - ACTIVE_DB
    active = np.maximum(a, b) > floor
    return float(np.abs(np.maximum(a, floor) - np.maximum(b, floor))[active].mean())


def f0_cents(audio: np.ndarray, pitch: float) -> np.ndarray:
    """f0 of each frame (window 8192, hop 1024) in cents from `pitch`; NaN where harmonics 1 .. 6 do not agree.

    Each harmonic's peak within a quarter tone is found on the log spectrum by parabola; f0 is their amplitude-weighted
    mean, each divided by its number.
    """
    spectrum = _db(magnitudes(audio, PITCH_WINDOW_SAMPLES, PITCH_HOP_SAMPLES, PITCH_PADDING), 1e-7)
    nominal = float(midi_to_hz(pitch)) / SAMPLE_RATE * PITCH_WINDOW_SAMPLES * PITCH_PADDING
    frames = np.arange(len(spectrum))
    cents, weight = [], []
    for harmonic in range(1, 7):
        centre = harmonic * nominal
        reach = max(2.0, centre * 0.03)
        low, high = int(centre - reach), int(centre + reach) + 2
        if high >= spectrum.shape[1] - 1:
            break
        peak = low + spectrum[:, low:high].argmax(1)
        left, top, right = (spectrum[frames, peak + i] for i in (-1, 0, 1))
        bend = left - 2 * top + right
        shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1), 0).clip(-0.5, 0.5)
        cents.append(1200 * np.log2((peak + shift) / centre))
        weight.append(10 ** (top / 20))
    cents, weight = np.array(cents), np.array(weight)
    weight = weight * (weight > 0.03 * weight.max(0)) + 1e-12
    mean = (weight * cents).sum(0) / weight.sum(0)
    spread = (weight * np.abs(cents - mean)).sum(0) / weight.sum(0)
    level = 20 * np.log10(weight.sum(0))
    return np.where((spread < 15) & (level > level.max() - 40), mean, np.nan)


def own_tuning(audio: np.ndarray, pitch: float) -> float:
    """The pitch, in semitones, at which a recording of the note `pitch` sounds: the median of its f0 in the first 3 s;
    `pitch` itself where fewer than 30 % of the frames that are heard (to 40 dB under the loudest) have an f0, as in
    bells and noise."""
    heard = audio[: 3 * SAMPLE_RATE]
    power = magnitudes(heard, 2 * PITCH_HOP_SAMPLES, PITCH_HOP_SAMPLES)
    power = (power**2).sum(1)
    cents = f0_cents(heard, pitch)
    cents = cents[np.isfinite(cents)]
    sure = len(cents) > 0.3 * (power > power.max() * 1e-4).sum()
    return pitch + float(np.median(cents)) / 100 if sure else float(pitch)


def crest_db(audio: np.ndarray) -> float:
    """Peak over rms of all of it, dB."""
    return float(20 * np.log10(np.abs(audio).max() / np.sqrt(np.mean(np.square(audio, dtype=np.float64)))))


def peak_ms(audio: np.ndarray, pitch: float) -> float:
    """When the attack has arrived: the first time that the envelope comes within 3 dB of its highest in the first 150
    ms.

    The envelope is the rms under a Hann window of 3 ms or of one period, whichever is longer: within a period, the
    place of the waveform's peak depends on the partials' phases, which no model keeps. And what has arrived may go on
    with little change and beat, so that the place of the highest point is chance: the ceiling's differs by 5 ms in the
    median of 26 struck and plucked notes, this one's by 1.7."""
    power = _attack_power(audio, pitch)
    return float((power >= power.max() * 10 ** (-PEAK_REACH_DB / 10)).argmax() * 1000 / SAMPLE_RATE)


def highest_ms(audio: np.ndarray, pitch: float) -> float:
    """When that envelope is highest."""
    return float(_attack_power(audio, pitch).argmax() * 1000 / SAMPLE_RATE)


def _attack_power(audio: np.ndarray, pitch: float) -> np.ndarray:
    reach = max(0.003, 1 / float(midi_to_hz(pitch)))
    window = np.hanning(int(reach * SAMPLE_RATE) // 2 * 2 + 3)
    heard = np.asarray(audio[: PEAK_SAMPLES + len(window)], np.float64)
    return signal.fftconvolve(heard**2, window / window.sum(), "same")[:PEAK_SAMPLES]


def early_db(audio: np.ndarray) -> float:
    """Energy of the first millisecond against the loudest millisecond of the first 100, dB, at least -60: a recording
    seldom begins with its attack."""
    power = np.square(audio[: SAMPLE_RATE // 10], dtype=np.float64).reshape(100, -1).mean(1)
    return float(10 * np.log10(max(power[0] / power.max(), 1e-6)))


def onset_strength_db(audio: np.ndarray, loudest: float) -> float:
    """The highest rise within 20 ms, dB, in the first 60 ms, out of silence: mean over 40 mel bands, of which falling
    ones count as 0. `loudest` is `onset_loudest` of the recording that it is to be compared with; 60 dB under it is
    silence."""
    level = _db(_onset_bands(audio), loudest * 1e-3)
    rise = np.maximum(level[ONSET_LAG_FRAMES:] - level[:-ONSET_LAG_FRAMES], 0).mean(1)
    return float(rise.max())


def onset_loudest(audio: np.ndarray) -> float:
    """The highest magnitude in a mel band in the first 60 ms."""
    return float(_onset_bands(audio).max())


def _onset_bands(audio: np.ndarray) -> np.ndarray:
    silence = ONSET_WINDOW_SAMPLES // 2 + ONSET_LAG_FRAMES * ONSET_HOP_SAMPLES
    heard = np.pad(audio[: int(0.06 * SAMPLE_RATE)], (silence, 0))
    return (
        magnitudes(heard, ONSET_WINDOW_SAMPLES, ONSET_HOP_SAMPLES)[: -ONSET_WINDOW_SAMPLES // 2 // ONSET_HOP_SAMPLES]
        @ _ONSET_MEL.T
    )


_ONSET_MEL = mel_filters(40, ONSET_WINDOW_SAMPLES, 20.0, 16_000.0)


def boundary_energy_ratio(audio: np.ndarray, hop_samples: int) -> float:
    """Clicks at the seams: energy of the third difference within 2 samples of the multiples of `hop_samples`, over that
    half-way between them. 1 where seams do not show."""
    difference = np.diff(np.asarray(audio, np.float64), 3) ** 2
    blocks = difference[: len(difference) // hop_samples * hop_samples].reshape(-1, hop_samples)
    half = hop_samples // 2
    # sample s of the third difference reaches s .. s + 3
    seam = np.concatenate([blocks[1:, :2], blocks[:-1, -4:]], 1).sum()
    return float(seam / (blocks[1:, half - 3 : half + 3].sum() + 1e-30))


def click_crest(audio: np.ndarray) -> float:
    """Largest third difference after the first 50 ms, over its rms in the 20 ms round it: dB."""
    difference = np.diff(np.asarray(audio, np.float64), 3) ** 2
    difference = difference[int(0.05 * SAMPLE_RATE) :]
    reach = int(0.02 * SAMPLE_RATE)
    running = np.concatenate([[0], np.cumsum(difference)])
    local = (running[reach:] - running[:-reach]) / reach
    centre = difference[reach // 2 : reach // 2 + len(local)]
    loud = local > local.max() * 1e-6
    return float(10 * np.log10((centre[loud] / local[loud][: len(centre[loud])]).max()))
