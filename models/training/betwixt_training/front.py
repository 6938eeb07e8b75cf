"""The encoder's ear: audio and pitch -> what the encoder's network is fed. Plain operators only, so it exports to ONNX.

A frame every 512 samples, centred on sample 512 t. Instead of an STFT, a Hann-windowed Fourier sum six periods long
is taken at the very frequencies of the partials, for which cosine and sine kernels are built from the pitch; the
window's derivative gives each partial's exact frequency (reassignment, Auger & Flandrin 1995). A first, coarse pass over
the low harmonics finds how far the recording is from the pitch it was said to have, so that the lines lie where it sounds.

Low notes have long windows and no partial high up: theirs are taken of the audio at a half or a quarter of the rate.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .columns import BAND_COUNT, HOP_SAMPLES, NOISE_BAND_MEANS, NOISE_WINDOW_SAMPLES, SAMPLE_RATE, SLOT_COUNT, SLOTS
from .loudness import BAND_WEIGHTS_DB, LOUDNESS_MIDDLE_DB, LOUDNESS_REACH_DB, PER_DB, power_sum_db

EMBEDDING_HOP_SAMPLES = 3 * HOP_SAMPLES
LONGEST_WINDOW_SAMPLES = 8192
PERIODS = 6.0
TUNING_HARMONICS = 8
LARGEST_DETUNE = 0.06  # of f0, by which a partial may be off its place and still tell the tuning
# Audio is filed in rows, of which frames are put together, at three rates: 48, 24 and 12 kHz.
ROW_SAMPLES = 128
ROWS_PER_HOP = HOP_SAMPLES // ROW_SAMPLES
ROWS_BEYOND = 10  # of silence after the audio: the longest half of a window that `_rate` lets be
PASSED_HZ = (8000.0, 4000.0)  # what 24 and 12 kHz hold unharmed
FILTER_REACH = 24  # samples; down by 120 dB where it must be
BLOCK_COUNT = 8  # log energies of four 128-sample blocks, plain and differenced
WANDER_REACH = 3  # frames before and after, over which a partial's wandering is measured
FRONT_WIDTH = 3 * SLOT_COUNT + 1 + BAND_COUNT + BLOCK_COUNT + 1
CENTS_COLUMN = 3 * SLOT_COUNT  # hundredths: 1 is a semitone
LOUDNESS_COLUMN = FRONT_WIDTH - 1


class Front(nn.Module):
    """Has no parameters; its tables are the noise bands', the slots, the filter that halves a rate, and the Fourier sums of
    the noise bands, folded twice: 1.2 MB that would take 3 ms to compute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("slots", torch.tensor(SLOTS, dtype=torch.float32), persistent=False)
        self.register_buffer("halving", torch.from_numpy(_halving_table()), persistent=False)
        bands = torch.from_numpy(NOISE_BAND_MEANS.T.copy())
        for name, table in (("even_bands", bands[::2]), ("odd_bands", bands[1::2])):
            self.register_buffer(name, table.clone(), persistent=False)
        for name, table in _noise_tables().items():
            self.register_buffer(name, torch.from_numpy(table), persistent=False)
        self.register_buffer("band_weights_db", torch.from_numpy(BAND_WEIGHTS_DB), persistent=False)

    def forward(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """audio `[B, samples]` at 48 kHz, pitch `[B]` MIDI -> `[B, 3 * ceil(samples / 1536), FRONT_WIDTH]`."""
        frames = (audio.shape[1] + EMBEDDING_HOP_SAMPLES - 1) // EMBEDDING_HOP_SAMPLES * 3
        audio = functional.pad(audio, (0, frames * HOP_SAMPLES - audio.shape[1]))
        backwards = functional.pad(audio, (0, 1)).flip(1)
        rows = self._rows(audio, backwards)
        told_hz = 440.0 * torch.exp((pitch - 69) * (math.log(2) / 12))
        f0_hz = told_hz * (1 + self._detune(rows, told_hz, frames))
        level_db, deviation, wander, cents = self._lines(rows, f0_hz, frames)
        bands_db = self._bands(audio, backwards, frames)
        loudness_db = _over_embedding_frames(power_sum_db(bands_db + self.band_weights_db))[..., None]
        cents = _centred(cents, loudness_db)
        relative = lambda db: ((db - loudness_db + 30) / 30).clamp(-2, 2)
        blocks_db = _block_energies(audio, frames)
        loudness = (loudness_db - LOUDNESS_MIDDLE_DB) / LOUDNESS_REACH_DB
        return torch.cat(
            [relative(level_db), deviation, wander, cents, relative(bands_db + 20), relative(blocks_db), loudness], 2
        )

    def _rows(self, audio: Tensor, backwards: Tensor) -> Tensor:
        """`[B, samples]`, and the same from its end, `[B, samples + 1]` -> `[B, R, ROW_SAMPLES]`: at each rate the audio, and
        the audio backwards, each with silence after it."""
        parts, silence = [], ROWS_BEYOND * ROW_SAMPLES
        for halvings in range(3):
            if halvings:
                audio = self._halved(audio)
                backwards = functional.pad(audio, (0, 1)).flip(1)
            parts += [functional.pad(audio, (0, silence)), functional.pad(backwards, (0, silence - 1))]
        return torch.cat(parts, 1).reshape(audio.shape[0], -1, ROW_SAMPLES)

    def _halved(self, audio: Tensor) -> Tensor:
        """Every second sample of the audio without its upper half of frequencies."""
        rows = audio.reshape(audio.shape[0], -1, 2 * ROW_SAMPLES)
        before = functional.pad(rows[:, :-1, -FILTER_REACH:], (0, 0, 1, 0))
        after = functional.pad(rows[:, 1:, :FILTER_REACH], (0, 0, 0, 1))
        return torch.matmul(torch.cat([before, rows, after], 2), self.halving).reshape(audio.shape[0], -1)

    def _detune(self, rows: Tensor, told_hz: Tensor, frames: int) -> Tensor:
        """How far the note as a whole is from its pitch `[B]`, as a share of f0: what the low harmonics agree on; 0 where
        they agree on nothing."""
        harmonics = torch.arange(1, TUNING_HARMONICS + 1, device=told_hz.device).float()
        centres = torch.arange(frames // 3, device=told_hz.device) * 3 + 1
        power, offset_hz, _ = _fourier_sums(rows, frames, centres, told_hz, harmonics, float(TUNING_HARMONICS))
        detune = offset_hz / (told_hz[:, None, None] * harmonics)
        weight = torch.sqrt(power) * (detune.abs() < LARGEST_DETUNE).float()
        everything = torch.sqrt(power).sum((1, 2), keepdim=True) + 1e-6
        mean = (weight * detune).sum((1, 2), keepdim=True) / (weight.sum((1, 2), keepdim=True) + 1e-6)
        for reach in (0.02, 0.01, 0.006):
            near = weight * torch.exp(-(((detune - mean) / reach) ** 2))
            mean = (near * detune).sum((1, 2), keepdim=True) / (near.sum((1, 2), keepdim=True) + 1e-6)
        agreement = near.sum((1, 2), keepdim=True) / everything
        return (mean * ((agreement - 0.2) / 0.2).clamp(0, 1))[:, 0, 0]

    def _lines(self, rows: Tensor, f0_hz: Tensor, frames: int):
        """Level dB, and, scaled for the network, each slot's deviation from its multiple of f0(t) and how much that wanders,
        all [B, T, 80], and cents / 100 [B, T, 1]."""
        centres = torch.arange(frames, device=f0_hz.device)
        power, offset_hz, window = _fourier_sums(rows, frames, centres, f0_hz, self.slots, float(SLOTS[-1]))
        # Frames whose window is not yet full of the note take the first full frame; the bands carry the attack.
        t = centres.float()[None]
        source = torch.maximum(t, torch.ceil(window / (2 * HOP_SAMPLES)))
        source = torch.minimum(source, torch.zeros_like(source) + (frames - 1)).long()
        both = torch.gather(torch.cat([power, offset_hz], 2), 1, source[:, :, None].expand(-1, -1, 2 * SLOT_COUNT))
        power, offset_hz = both[..., :SLOT_COUNT], both[..., SLOT_COUNT:]
        audible = (f0_hz[:, None] * self.slots < 0.487 * SAMPLE_RATE).float()[:, None, :]
        level_db = 10 * torch.log10(power * audible + 1e-10)
        relative = (offset_hz / f0_hz[:, None, None]).clamp(-0.6, 0.6)
        # f0(t): amplitude-weighted mean over harmonics 1 .. 8, reweighted twice around itself.
        harmonic = torch.arange(1, TUNING_HARMONICS + 1, device=f0_hz.device).float()
        detune = (relative[..., 1:16:2] / harmonic).clamp(-LARGEST_DETUNE, LARGEST_DETUNE)
        weight = torch.sqrt(power[..., 1:16:2] * audible[..., 1:16:2])
        weight = weight * (weight > 0.03 * weight.amax(2, keepdim=True)).float()
        mean = (weight * detune).sum(2, keepdim=True) / (weight.sum(2, keepdim=True) + 1e-6)
        for _ in range(2):
            near = weight * torch.exp(-(((detune - mean) / 0.008) ** 2)) + 1e-3 * weight
            mean = (near * detune).sum(2, keepdim=True) / (near.sum(2, keepdim=True) + 1e-6)
        agreement = near.sum(2, keepdim=True) / (weight.sum(2, keepdim=True) + 1e-6)
        level = 20 * torch.log10(weight.sum(2, keepdim=True) + 1e-6)
        # In silence, and where the harmonics contradict each other, there is no pitch.
        mean = mean * ((level + 80) / 30).clamp(0, 1) * ((agreement - 0.4) / 0.3).clamp(0, 1)
        cents = torch.log(1 + mean) * (12 / math.log(2))
        deviation = ((self.slots + relative) / (1 + mean) - self.slots).clamp(-0.5, 0.5)
        heard = ((level_db + 80) / 40).clamp(0, 1) * audible
        offset_bins = relative * (window * f0_hz[:, None] / SAMPLE_RATE)[..., None]
        wander = _wander(offset_bins.clamp(-1, 1))
        return level_db, deviation * heard * 4, wander * heard * 2, cents

    def _bands(self, audio: Tensor, backwards: Tensor, frames: int) -> Tensor:
        """Power in the 64 noise bands, 1024-sample Hann [B, T, 64] dB.

        A window's samples n, -n, 512 - n and n - 512 from its centre share their cosines and sines but for the sign, so they
        are added up before they are multiplied: even bins have one set of signs, odd bins the other."""
        reach = NOISE_WINDOW_SAMPLES // 4 + 1
        hops = audio.reshape(audio.shape[0], -1, HOP_SAMPLES)
        after = hops[:, :, :reach]  # n from the centre of frame t
        earlier = functional.pad(after[:, :-1], (0, 0, 1, 0)) * self.outer_window
        before = functional.pad(backwards, (0, HOP_SAMPLES - 1)).reshape(audio.shape[0], -1, HOP_SAMPLES)
        before = before[:, :, :reach].flip(1)  # n before it; one frame more
        before, later = before[:, :-1], before[:, 1:] * self.outer_window
        after, before = after * self.inner_window, before * self.inner_window
        inner, outer = after + before, later + earlier
        inner_odd, outer_odd = after - before, later - earlier
        power = []
        for cosines, real, sines, imag in (
            (self.even_cosines, inner + outer, self.even_sines, inner_odd - outer_odd),
            (self.odd_cosines, inner - outer, self.odd_sines, inner_odd + outer_odd),
        ):
            real, imag = torch.matmul(real, cosines), torch.matmul(imag, sines)
            power.append(real * real + imag * imag)
        # Frame 0 is half full: the other half lies before the note.
        t = torch.arange(frames, device=audio.device)
        fill = torch.where(t == 0, 2.0, 1.0)[None, :, None]
        means = torch.matmul(power[0], self.even_bands) + torch.matmul(power[1], self.odd_bands)
        return 10 * torch.log10(means * fill + 1e-12)


def _halving_table() -> np.ndarray:
    """Half-band filter (Kaiser) as a matrix: 256 samples and `FILTER_REACH` on each side -> 128 at half the rate, f32."""
    k = np.arange(-FILTER_REACH, FILTER_REACH + 1)
    taps = np.sinc(k / 2) * np.kaiser(len(k), 12.26)
    table = np.zeros((2 * ROW_SAMPLES + 2 * FILTER_REACH, ROW_SAMPLES))
    for sample in range(ROW_SAMPLES):
        table[2 * sample : 2 * sample + len(k), sample] = taps / taps.sum()
    return table.astype(np.float32)


def _noise_tables() -> dict[str, np.ndarray]:
    """Windows `[257]` and Fourier sums `[257, bins]` of `Front._bands`, f32: sample n = 0 .. 256 from the centre (inner), and
    512 - n (outer); those that n and 512 - n, or n and -n, have in common count half in each."""
    half, quarter = NOISE_WINDOW_SAMPLES // 2, NOISE_WINDOW_SAMPLES // 4
    n = np.arange(quarter + 1)
    hann = lambda n: (0.5 + 0.5 * np.cos(np.pi * n / half)) * (2 / half)
    inner, outer = hann(n), hann(half - n)
    inner[0] /= 2
    inner[-1] /= 2
    outer[-1] /= 2
    tables = {"inner_window": inner, "outer_window": outer}
    for name, bins in (("even", np.arange(0, half + 1, 2)), ("odd", np.arange(1, half, 2))):
        turn = 2 * np.pi / NOISE_WINDOW_SAMPLES * (n[:, None] * bins % NOISE_WINDOW_SAMPLES)
        tables |= {f"{name}_cosines": np.cos(turn), f"{name}_sines": np.sin(turn)}
    return {name: table.astype(np.float32) for name, table in tables.items()}


def _fourier_sums(
    rows: Tensor, frames: int, centres: Tensor, f0_hz: Tensor, multiples: Tensor, highest: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Power (a cosine of amplitude 1 has 1) and offset of the true frequency, Hz, at `multiples` `[K]` of f0, the last of which
    is `highest`, about the frames `centres` `[T]` of all `frames`: both `[B, T, K]`; and the window's length in samples
    `[B, 1]`. `rows` as `Front._rows` makes them."""
    device, batch = f0_hz.device, f0_hz.shape[0]
    window = torch.clamp(PERIODS * SAMPLE_RATE / f0_hz, 1024.0, float(LONGEST_WINDOW_SAMPLES))[:, None]
    half_rate = ((highest + 1) * f0_hz < PASSED_HZ[0]).long()
    quarter_rate = ((highest + 1) * f0_hz < PASSED_HZ[1]).long()
    stride = (1 + half_rate + 2 * quarter_rate)[:, None]
    # Rows of this rate begin here; a frame is so many on.
    first = half_rate * (2 * (ROWS_PER_HOP * frames + ROWS_BEYOND))
    first = (first + quarter_rate * (ROWS_PER_HOP * frames + 2 * ROWS_BEYOND))[:, None]
    first = first + torch.arange(batch, device=device)[:, None] * rows.shape[1]
    hop = torch.div(ROWS_PER_HOP, stride, rounding_mode="floor")
    span = torch.arange(torch.ceil((window / stride).max() / (2 * ROW_SAMPLES)).long(), device=device)
    filed = rows.reshape(-1, ROW_SAMPLES)
    after = filed[(first + hop * centres)[..., None] + span].reshape(batch, centres.shape[0], -1)
    first = first + hop * frames + ROWS_BEYOND
    before = filed[(first + hop * (frames - centres))[..., None] + span].reshape(batch, centres.shape[0], -1)

    n = (torch.arange(span.shape[0] * ROW_SAMPLES, device=device) * stride).float()
    turn = (n / window).clamp(max=0.5) * (2 * math.pi)
    weight = 4 * stride / window
    hann = ((0.5 + 0.5 * torch.cos(turn)) * weight)[..., None]
    slope = (-math.pi / window * torch.sin(turn) * weight)[..., None]
    cycles = n[:, :, None] * (f0_hz[:, None] * multiples / SAMPLE_RATE)[:, None, :]
    phase = (cycles - torch.round(cycles)) * (2 * math.pi)
    cos, sin = torch.cos(phase), torch.sin(phase)
    once = torch.where(n == 0, 0.5, 1.0)[..., None]  # sample 0 is in both halves
    even = torch.matmul(after + before, torch.cat([cos * (hann * once), sin * slope], 2))
    odd = torch.matmul(after - before, torch.cat([sin * hann, cos * slope], 2))
    count = multiples.shape[0]
    real, imag = even[..., :count], -odd[..., :count]
    slope_real, slope_imag = odd[..., count:], -even[..., count:]
    power = real * real + imag * imag
    offset = -(slope_imag * real - slope_real * imag) / (power + 1e-13)
    return power, offset * (SAMPLE_RATE / (2 * math.pi)), window


def _centred(cents: Tensor, loudness_db: Tensor) -> Tensor:
    """What is left of the note's mistuning is taken out `[B, T, 1]`: the mean over the note, by amplitude, becomes 0."""
    amplitude = torch.exp(loudness_db * (PER_DB / 2))
    mean = (amplitude * cents).sum(1, keepdim=True) / (amplitude.sum(1, keepdim=True) + 1e-9)
    audible = ((loudness_db - loudness_db.amax(1, keepdim=True) + 70) / 20).clamp(0, 1)
    return cents - mean * audible


def _over_embedding_frames(level_db: Tensor) -> Tensor:
    """`[B, T]` dB -> the same, the mean power of each three frames standing for all three."""
    thirds = level_db.reshape(level_db.shape[0], -1, 3)
    return (power_sum_db(thirds) - 10 * math.log10(3))[..., None].expand(thirds.shape).reshape(level_db.shape)


def _wander(offset_bins: Tensor) -> Tensor:
    """Standard deviation `[B, T, 80]` of each slot's offset over 7 frames; what wanders by half a bin is noise."""
    x = offset_bins.transpose(1, 2)
    mean = functional.avg_pool1d(x, 2 * WANDER_REACH + 1, 1, WANDER_REACH, count_include_pad=False)
    square = functional.avg_pool1d(x * x, 2 * WANDER_REACH + 1, 1, WANDER_REACH, count_include_pad=False)
    return torch.sqrt((square - mean * mean).clamp(min=1e-8)).transpose(1, 2)


def _block_energies(audio: Tensor, frames: int) -> Tensor:
    """Log energies of the four 128-sample blocks round each frame's centre, plain and differenced: `[B, T, 8]` dB."""
    samples = frames * HOP_SAMPLES
    plain = functional.pad(audio, (256, 0))[:, :samples]
    differenced = plain - functional.pad(plain, (1, 0))[:, :samples]
    blocks = [(x * x).reshape(x.shape[0], frames, 4, 128).mean(3) for x in (plain, differenced)]
    return 10 * torch.log10(torch.cat(blocks, 2) + 1e-10)
