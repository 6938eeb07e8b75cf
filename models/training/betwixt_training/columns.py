"""What one frame of a note consists of: the layout that analysis, networks, synthesis and `model.toml` share.

A frame holds, in this order, `FRAME_WIDTH` = 257 numbers:

- `amplitude_db` [112]: amplitude of one partial, dB re 1.0, floor -100. 80 *slots* hold one partial each
  (0.5, 1.0 .. 16.0 in halves, then 17 .. 64, in units of f0); 32 *groups* hold harmonics 65 .. 400 in geometric
  steps, every harmonic of a group having that column's amplitude.
- `deviation` [80]: of the slots' partials: f = (slot + deviation) * f0(t).
- `cents` [1]: deviation of f0(t) from the nominal pitch.
- `noise_db` [64]: power density of the noise in triangular bands: 10 log10 of the window-normalised |STFT|^2
  (1024-sample Hann), averaged by the band's triangle. Floor -120.
"""

import numpy as np

SAMPLE_RATE = 48_000
HOP_SAMPLES = 512
NOISE_WINDOW_SAMPLES = 1024

SLOT_COUNT = 80
GROUP_COUNT = 32
AMPLITUDE_COUNT = SLOT_COUNT + GROUP_COUNT
BAND_COUNT = 64
FRAME_WIDTH = AMPLITUDE_COUNT + SLOT_COUNT + 1 + BAND_COUNT

HIGHEST_HARMONIC = 400
HIGHEST_SLOT = 64
AMPLITUDE_FLOOR_DB = -100.0
NOISE_FLOOR_DB = -120.0

AMPLITUDE = slice(0, AMPLITUDE_COUNT)
DEVIATION = slice(AMPLITUDE_COUNT, AMPLITUDE_COUNT + SLOT_COUNT)
CENTS = AMPLITUDE_COUNT + SLOT_COUNT
NOISE = slice(CENTS + 1, FRAME_WIDTH)

# Centres of every partial that can sound, slots first, then each harmonic of the groups; units of f0.
PARTIALS = np.concatenate([np.arange(1, 33) / 2, np.arange(17, HIGHEST_HARMONIC + 1)])
SLOTS = PARTIALS[:SLOT_COUNT]
_half_width = np.where(PARTIALS <= 16, 0.25, 0.5)
PARTIAL_LOW = PARTIALS - _half_width
PARTIAL_HIGH = PARTIALS + _half_width
PARTIAL_HIGH[31] = 16.5  # between the last half-harmonic slot (16) and the first whole one (17)

# Group g holds harmonics GROUP_EDGES[g] .. GROUP_EDGES[g + 1] - 1.
GROUP_EDGES = np.unique(
    np.round(65 * (401 / 65) ** (np.arange(GROUP_COUNT + 1) / GROUP_COUNT)).astype(int)
)
assert len(GROUP_EDGES) == GROUP_COUNT + 1

# Amplitude column of each partial.
COLUMN_OF_PARTIAL = np.concatenate(
    [
        np.arange(SLOT_COUNT),
        SLOT_COUNT
        + np.searchsorted(GROUP_EDGES, np.arange(65, HIGHEST_HARMONIC + 1), "right")
        - 1,
    ]
)


def midi_to_hz(pitch):
    """MIDI note number (fractional) -> Hz, A4 = 440."""
    return 440.0 * 2 ** ((np.asarray(pitch, np.float64) - 69) / 12)


def partial_count(f0_hz: float) -> int:
    """How many of `PARTIALS` lie wholly under the analysis limit (0.487 of the sample rate)."""
    return int((PARTIAL_HIGH * f0_hz < 0.487 * SAMPLE_RATE).sum())


def _noise_centres() -> np.ndarray:
    """ERB-spaced centres (Glasberg & Moore 1990), never closer than two STFT bins, from 0 Hz to Nyquist."""
    bin_hz = SAMPLE_RATE / NOISE_WINDOW_SAMPLES
    nyquist = SAMPLE_RATE / 2
    to_erb = lambda f: 21.4 * np.log10(1 + 0.00437 * f)
    to_hz = lambda e: (10 ** (e / 21.4) - 1) / 0.00437
    low, high = 0.2 * to_erb(nyquist) / BAND_COUNT, 2 * to_erb(nyquist) / BAND_COUNT
    for _ in range(60):  # bisect the ERB step so that exactly BAND_COUNT centres fit
        step = (low + high) / 2
        centres = [0.0]
        while len(centres) < BAND_COUNT:
            centres.append(max(centres[-1] + 2 * bin_hz, to_hz(to_erb(centres[-1]) + step)))
        low, high = (low, step) if centres[-1] > nyquist else (step, high)
    return np.array(centres) * nyquist / centres[-1]


NOISE_CENTRES_HZ = _noise_centres()
# Band i rises from edge i to edge i + 1 and falls to edge i + 2.
NOISE_EDGES_HZ = np.concatenate([[0.0], NOISE_CENTRES_HZ, [SAMPLE_RATE / 2]])

# [64, 513] triangles over the STFT's bins; they sum to 1 at every bin.
NOISE_BANDS = np.stack(
    [
        np.interp(
            np.arange(NOISE_WINDOW_SAMPLES // 2 + 1) * SAMPLE_RATE / NOISE_WINDOW_SAMPLES,
            NOISE_CENTRES_HZ,
            np.eye(BAND_COUNT)[i],
        )
        for i in range(BAND_COUNT)
    ]
).astype(np.float32)
# The same, each row summing to 1: averages a power spectrum into bands.
NOISE_BAND_MEANS = NOISE_BANDS / NOISE_BANDS.sum(1, keepdims=True)
