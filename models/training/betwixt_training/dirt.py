"""What recordings do to a note, for the encoder to hear through: lateness, level, noise, rooms, tone, saturation.

Only what the encoder hears is made dirty; what the decoder is to make stays clean. Both functions take a note as the
encoder gets it, f32 `[N]`, whose loudest 2,048 samples have -20 dBFS rms, and give as many samples. All randomness is
the generator's.
"""

import numpy as np
from scipy import fft, signal

from .columns import SAMPLE_RATE

LATEST_START_SAMPLES = 500
MILD_LOUDER_DB, HEAVY_LOUDER_DB = 1.0, 2.0
MILD_FLOOR_DBFS, HEAVY_FLOOR_DBFS = (-105.0, -65.0), (-90.0, -45.0)
ROOM_DECAY_S, ROOM_WET_DB = (0.1, 0.5), (-26.0, -8.0)
TILT_DB_PER_DECADE = 3.0
TILT_AROUND_HZ = 700.0
HUM_SHARE, SATURATION_SHARE = 0.35, 0.3


def mild(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The note as a good recording of it might come: late by up to 500 samples, 1 dB louder or softer, with a white
    noise floor."""
    floor = 10 ** (rng.uniform(*MILD_FLOOR_DBFS) / 20)
    out = rng.standard_normal(len(audio), np.float32) * np.float32(floor)
    return out + _late(audio, MILD_LOUDER_DB, rng)


def heavy(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The note as somebody may well record it: in a room, through a microphone that tilts the tone, over hiss and mains
    hum."""
    out = _late(audio, HEAVY_LOUDER_DB, rng)
    out = _in_room(out, rng)
    if rng.random() < SATURATION_SHARE:
        # The loudest peaks of a note at -20 dBFS are at some 0.3; the drive bends those by 0.1 to 2 dB.
        drive = np.float32(10 ** rng.uniform(-0.3, 0.5))
        out = np.tanh(out * drive) / drive
    return (out + _floor(len(audio), rng)).astype(np.float32)


def _late(audio: np.ndarray, louder_db: float, rng: np.random.Generator) -> np.ndarray:
    late = int(rng.integers(0, LATEST_START_SAMPLES + 1))
    gain = np.float32(10 ** (rng.uniform(-louder_db, louder_db) / 20))
    out = np.zeros(len(audio), np.float32)
    out[late:] = audio[: len(audio) - late] * gain
    return out


def _in_room(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Room and tilt in one convolution. The room is noise that decays, faster at high frequencies, some ms after the
    note itself."""
    decay_s = rng.uniform(*ROOM_DECAY_S)
    wet = 10 ** (rng.uniform(*ROOM_WET_DB) / 20)
    count = int(1.1 * decay_s * SAMPLE_RATE)
    seconds = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    tail = rng.standard_normal(count, np.float32) * np.exp(-6.9078 * seconds / np.float32(decay_s))
    duller = rng.uniform(0.2, 0.8)
    dark = signal.lfilter([1 - duller], [1, -duller], tail)
    tail = (tail * np.exp(-seconds / np.float32(0.3 * decay_s)) + dark).astype(np.float32)
    predelay = int(rng.uniform(0.001, 0.015) * SAMPLE_RATE)
    room = np.concatenate([np.zeros(predelay, np.float32), tail * np.float32(wet / np.sqrt((tail**2).sum()))])
    room[0] += 1
    length = fft.next_fast_len(len(audio) + len(room), real=True)
    hz = np.maximum(fft.rfftfreq(length, 1 / SAMPLE_RATE), 20.0).astype(np.float32)
    # A power of frequency with this phase is causal: a tilt must not ring before the note.
    power = rng.uniform(-1, 1) * TILT_DB_PER_DECADE / 20
    tilt = (hz / np.float32(TILT_AROUND_HZ)) ** np.float32(power) * np.complex64(np.exp(0.5j * np.pi * power))
    heard = fft.irfft(fft.rfft(audio, length) * fft.rfft(room, length) * tilt, length)
    return heard[: len(audio)]


def _floor(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise between white and 1/f, sometimes with mains hum of 50 or 60 Hz and its harmonics about as loud."""
    rms = 10 ** (rng.uniform(*HEAVY_FLOOR_DBFS) / 20)
    hz = np.maximum(fft.rfftfreq(count, 1 / SAMPLE_RATE), 20.0).astype(np.float32)
    spectrum = rng.standard_normal((len(hz), 2), np.float32).view(np.complex64)[:, 0]
    noise = fft.irfft(spectrum * hz ** np.float32(-rng.uniform(0, 0.5)), count)
    noise *= np.float32(rms / noise.std())
    if rng.random() < HUM_SHARE:
        mains, start = float(rng.choice([50, 60])), rng.random()
        # One second of hum holds whole periods, so it repeats.
        turn = 2 * np.pi * (mains * np.arange(SAMPLE_RATE) / SAMPLE_RATE + start)
        hum = sum(rng.uniform(0.2, 1) / n * np.sin(n * turn + n * n) for n in (1, 2, 3, 5))
        hum *= rms * 10 ** (rng.uniform(-6, 6) / 20) / hum.std()
        noise += np.resize(hum.astype(np.float32), count)
    return noise
