"""Is a blend one sound? Lines, beating, combing and level of decoded audio."""

import numpy as np
from scipy import signal

from .. import synthesis
from ..columns import CENTS, HOP_SAMPLES, SAMPLE_RATE, midi_to_hz
from ..metrics import a_loudness_db, alike_long

SLOTS_COUNTED = 12
LINE_DEPTH_DB, SLOT_DEPTH_DB = 20.0, 40.0
LINES_APART_HZ = 1.5
COMB_WINDOW_SAMPLES = 8192
FORK_FRAMES = range(12, 240, 12)  # at which one blend turns to the other: every 128 ms of the held part
FADE_SAMPLES = 1440  # 30 ms
FORK_WINDOW_SAMPLES = 2048
LEVEL_BLOCK_FRAMES = 24  # of `a_loudness_db`: 256 ms
LEVEL_DEPTH_DB = 40.0


def lines_per_slot(audio: np.ndarray, pitch: float) -> float:
    """Spectral lines round each of the harmonics 1 .. 12 between 0.4 and 2.4 s: those at most 20 dB under the slot's
    highest, over 1.5 Hz apart, in slots at most 40 dB under the highest. One source has 1, and vibrato and decay
    more."""
    part = np.asarray(audio[int(0.4 * SAMPLE_RATE) : int(2.4 * SAMPLE_RATE)], np.float64)
    level = 20 * np.log10(np.abs(np.fft.rfft(part * np.blackman(len(part)))) + 1e-9)
    bin_hz, f0_hz, counts = SAMPLE_RATE / len(part), float(midi_to_hz(pitch)), []
    for harmonic in range(1, SLOTS_COUNTED + 1):
        low, high = int((harmonic - 0.3) * f0_hz / bin_hz), int((harmonic + 0.3) * f0_hz / bin_hz)
        if high >= len(level):
            break
        slot = level[low:high]
        if slot.max() < level.max() - SLOT_DEPTH_DB:
            continue
        inner = slot[1:-1]
        peaks = np.nonzero((inner > slot[:-2]) & (inner >= slot[2:]) & (inner > slot.max() - LINE_DEPTH_DB))[0]
        kept: list[int] = []
        for place in peaks:
            if not kept or (place - kept[-1]) * bin_hz > LINES_APART_HZ:
                kept.append(int(place))
        counts.append(len(kept))
    return float(np.mean(counts)) if counts else float("nan")


def beating_db(audio: np.ndarray, pitch: float) -> float:
    """Standard deviation, dB, of the envelopes of harmonics 1 .. 8 from 0.4 to 2.4 s about their trend (a cubic), mean
    over the harmonics that are heard."""
    f0_hz, t, depths = float(midi_to_hz(pitch)), np.arange(len(audio)) / SAMPLE_RATE, []
    for harmonic in range(1, 9):
        shifted = audio * np.exp(-2j * np.pi * harmonic * f0_hz * t)
        slow = signal.decimate(signal.decimate(shifted, 10, ftype="fir"), 12, ftype="fir")[160:960]
        level = 20 * np.log10(np.abs(signal.lfilter(np.ones(20) / 20, 1, slow))[20:] + 1e-7)
        if level.max() > -75:
            x = np.linspace(-1, 1, len(level))
            depths.append((level - np.polyval(np.polyfit(x, level, 3), x)).std())
    return float(np.mean(depths)) if depths else float("nan")


def combing_db(first: np.ndarray, second: np.ndarray, pitch: float) -> tuple[float, float]:
    """What a cross-fade of two decodings (columns) at one pitch loses half-way: |A + B| against |A| + |B| in each cell
    of an STFT, tonal parts alone, down to 40 dB under the highest: level-weighted mean and 5th percentile, dB; 0 is
    none."""
    a, b = (synthesis.partials_audio(c, pitch) for c in (first, second))
    overlap = COMB_WINDOW_SAMPLES * 3 // 4
    return _loss_db(*(signal.stft(x, SAMPLE_RATE, nperseg=COMB_WINDOW_SAMPLES, noverlap=overlap)[2] for x in (a, b)))


def forked_combing_db(going_on: np.ndarray, turned: list[np.ndarray], pitch: float) -> tuple[float, float]:
    """The same where one decoding turns into the other: `turned` are the columns of notes that are `going_on` until the frame in
    `FORK_FRAMES` of their place and another blend from there on, from the same state and with the same phases. Each is
    cross-faded with `going_on` over 30 ms from there; compared in a window about the fade's middle."""
    window = np.hanning(FORK_WINDOW_SAMPLES + 1)[:-1]
    stays, spectra = synthesis.partials_audio(going_on, pitch), []
    for frame, columns in zip(FORK_FRAMES, turned, strict=True):
        middle = frame * HOP_SAMPLES + FADE_SAMPLES // 2
        about = slice(middle - FORK_WINDOW_SAMPLES // 2, middle + FORK_WINDOW_SAMPLES // 2)
        spectra.append([np.fft.rfft(window * x[about]) for x in (stays, synthesis.partials_audio(columns, pitch))])
    return _loss_db(*np.array(spectra).transpose(1, 2, 0))


def _loss_db(of_a: np.ndarray, of_b: np.ndarray) -> tuple[float, float]:
    level = np.abs(of_a) + np.abs(of_b)
    loud = level > level.max() * 1e-2
    loss = 20 * np.log10(np.abs(of_a + of_b)[loud] / level[loud] + 1e-6)
    return float(np.average(loss, weights=level[loud])), float(np.percentile(loss, 5))


def with_f0_of(columns: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`columns` with the pitch track of `other`."""
    shared = columns.copy()
    shared[:, CENTS] = other[:, CENTS]
    return shared


def block_levels_db(audio: np.ndarray) -> np.ndarray:
    """A-weighted level of blocks of 256 ms."""
    power = 10 ** (a_loudness_db(audio) / 10)
    whole = len(power) // LEVEL_BLOCK_FRAMES * LEVEL_BLOCK_FRAMES
    return 10 * np.log10(power[:whole].reshape(-1, LEVEL_BLOCK_FRAMES).mean(1))


def level_hole_db(path: list[np.ndarray], alphas: np.ndarray) -> tuple[float, float]:
    """How far the path from the first sound to the last sinks under the straight line in dB between them (the lower of
    the two lines there are: that of the powers runs above it). In blocks of 256 ms, of those in which the line is
    within 40 dB of its highest; levels are floored 60 dB under the parents' loudest, so that silence is not minus
    infinity. Returns the mean over the blocks at the alpha where that is largest, and the largest of all blocks, dB; 0
    or more."""
    levels = np.stack([block_levels_db(x) for x in alike_long(*path)])
    floor = max(levels[0].max(), levels[-1].max()) - 60
    levels = np.maximum(levels, floor)
    line = (1 - alphas[:, None]) * levels[0] + alphas[:, None] * levels[-1]
    counts = line > line.max(1, keepdims=True) - LEVEL_DEPTH_DB
    short = np.where(counts, line - levels, 0)
    return float(max(0.0, (short.sum(1) / counts.sum(1)).max())), float(max(0.0, short.max()))
