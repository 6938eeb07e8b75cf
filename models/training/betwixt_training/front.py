"""The encoder's ear: audio and pitch -> what the encoder's network is fed. Plain operators only, so it exports to ONNX.

A frame every 512 samples, centred on sample 512 t. Instead of an STFT, a Hann-windowed Fourier sum six periods long
is taken at the very frequencies of the partials, for which cosine and sine kernels are built from the pitch; the
window's derivative gives each partial's exact frequency (reassignment, Auger & Flandrin 1995). A first, coarse pass over
the low harmonics finds how far the recording is from the pitch it was said to have, so that the lines lie where it sounds.
"""

import math

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
BLOCK_COUNT = 8  # log energies of four 128-sample blocks, plain and differenced
WANDER_REACH = 3  # frames before and after, over which a partial's wandering is measured
FRONT_WIDTH = 3 * SLOT_COUNT + 1 + BAND_COUNT + BLOCK_COUNT + 1
CENTS_COLUMN = 3 * SLOT_COUNT  # hundredths: 1 is a semitone
LOUDNESS_COLUMN = FRONT_WIDTH - 1


class Front(nn.Module):
    """Has no parameters; its only stored tables are the noise bands' and the slots."""

    def __init__(self):
        super().__init__()
        self.register_buffer("slots", torch.tensor(SLOTS, dtype=torch.float32), persistent=False)
        self.register_buffer("bands", torch.from_numpy(NOISE_BAND_MEANS.T.copy()), persistent=False)
        self.register_buffer("band_weights_db", torch.from_numpy(BAND_WEIGHTS_DB), persistent=False)

    def forward(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """audio `[B, samples]` at 48 kHz, pitch `[B]` MIDI -> `[B, 3 * ceil(samples / 1536), FRONT_WIDTH]`."""
        frames = (audio.shape[1] + EMBEDDING_HOP_SAMPLES - 1) // EMBEDDING_HOP_SAMPLES * 3
        audio = functional.pad(audio, (0, frames * HOP_SAMPLES - audio.shape[1]))
        after, before = _halves(audio, frames)
        told_hz = 440.0 * torch.exp((pitch - 69) * (math.log(2) / 12))
        f0_hz = told_hz * (1 + self._detune(after[:, 1::3], before[:, 1::3], told_hz))
        level_db, deviation, wander, cents = self._lines(after, before, f0_hz, frames)
        bands_db = self._bands(after, before, frames)
        loudness_db = _over_embedding_frames(power_sum_db(bands_db + self.band_weights_db))[..., None]
        cents = _centred(cents, loudness_db)
        relative = lambda db: ((db - loudness_db + 30) / 30).clamp(-2, 2)
        blocks_db = _block_energies(audio, frames)
        loudness = (loudness_db - LOUDNESS_MIDDLE_DB) / LOUDNESS_REACH_DB
        return torch.cat(
            [relative(level_db), deviation, wander, cents, relative(bands_db + 20), relative(blocks_db), loudness], 2
        )

    def _detune(self, after: Tensor, before: Tensor, told_hz: Tensor) -> Tensor:
        """How far the note as a whole is from its pitch `[B]`, as a share of f0: what the low harmonics agree on; 0 where
        they agree on nothing."""
        harmonics = torch.arange(1, TUNING_HARMONICS + 1, device=told_hz.device).float()
        power, offset_hz, _ = _fourier_sums(after, before, told_hz, harmonics)
        detune = offset_hz / (told_hz[:, None, None] * harmonics)
        weight = torch.sqrt(power) * (detune.abs() < LARGEST_DETUNE).float()
        everything = torch.sqrt(power).sum((1, 2), keepdim=True) + 1e-6
        mean = (weight * detune).sum((1, 2), keepdim=True) / (weight.sum((1, 2), keepdim=True) + 1e-6)
        for reach in (0.02, 0.01, 0.006):
            near = weight * torch.exp(-(((detune - mean) / reach) ** 2))
            mean = (near * detune).sum((1, 2), keepdim=True) / (near.sum((1, 2), keepdim=True) + 1e-6)
        agreement = near.sum((1, 2), keepdim=True) / everything
        return (mean * ((agreement - 0.2) / 0.2).clamp(0, 1))[:, 0, 0]

    def _lines(self, after: Tensor, before: Tensor, f0_hz: Tensor, frames: int):
        """Level dB, and, scaled for the network, each slot's deviation from its multiple of f0(t) and how much that wanders,
        all [B, T, 80], and cents / 100 [B, T, 1]."""
        power, offset_hz, window = _fourier_sums(after, before, f0_hz, self.slots)
        # Frames whose window is not yet full of the note take the first full frame; the bands carry the attack.
        t = torch.arange(frames, device=f0_hz.device).float()[None]
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

    def _bands(self, after: Tensor, before: Tensor, frames: int) -> Tensor:
        """Power in the 64 noise bands, 1024-sample Hann [B, T, 64] dB."""
        half = NOISE_WINDOW_SAMPLES // 2
        # Cut from a range as long as the note, for the exporter stores whatever does not depend on an input, and
        # the file would be 2 MB larger. Building the tables takes 3 ms a call.
        k = torch.arange(half + 1 + frames, device=after.device)[: half + 1]
        n = k[:half]
        phase = torch.remainder(n[:, None] * k, NOISE_WINDOW_SAMPLES).float() * (2 * math.pi / NOISE_WINDOW_SAMPLES)
        hann = (0.5 + 0.5 * torch.cos(n.float() * (2 * math.pi / NOISE_WINDOW_SAMPLES)))[:, None] * (2 / half)
        once = torch.where(n == 0, 0.5, 1.0)[:, None]
        even, odd = (after + before)[:, :, :half], (after - before)[:, :, :half]
        real = torch.matmul(even, hann * once * torch.cos(phase))
        imag = torch.matmul(odd, hann * torch.sin(phase))
        # Frame 0 is half full: the other half lies before the note.
        t = torch.arange(frames, device=after.device)
        fill = torch.where(t == 0, 2.0, 1.0)[None, :, None]
        return 10 * torch.log10(torch.matmul(real * real + imag * imag, self.bands) * fill + 1e-12)


def _fourier_sums(after: Tensor, before: Tensor, f0_hz: Tensor, multiples: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Power (a cosine of amplitude 1 has 1) and offset of the true frequency, Hz, at `multiples` `[K]` of f0, both `[B, T, K]`,
    and the window's length in samples `[B, 1]`."""
    window = torch.clamp(PERIODS * SAMPLE_RATE / f0_hz, 1024.0, float(LONGEST_WINDOW_SAMPLES))[:, None]
    n = torch.arange(torch.ceil(window.max() / 2).long(), device=f0_hz.device).float()
    turn = (n / window).clamp(max=0.5) * (2 * math.pi)
    hann = ((0.5 + 0.5 * torch.cos(turn)) * (4 / window))[..., None]
    slope = (-math.pi / window * torch.sin(turn) * (4 / window))[..., None]
    cycles = n[None, :, None] * (f0_hz[:, None] * multiples / SAMPLE_RATE)[:, None, :]
    phase = (cycles - torch.round(cycles)) * (2 * math.pi)
    cos, sin = torch.cos(phase), torch.sin(phase)
    after, before = after[:, :, : n.shape[0]], before[:, :, : n.shape[0]]
    once = torch.where(n == 0, 0.5, 1.0)[:, None]  # sample 0 is in both halves
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


def _halves(audio: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Samples after and before each frame's centre: two `[B, T, 4096]`, x[512 t + n] and x[512 t - n]."""
    half = LONGEST_WINDOW_SAMPLES // 2
    blocks = half // HOP_SAMPLES
    right = functional.pad(audio, (0, half)).reshape(audio.shape[0], -1, HOP_SAMPLES)
    left = functional.pad(audio, (half - 1, 1)).reshape(audio.shape[0], -1, HOP_SAMPLES)
    after = torch.cat([right[:, i : i + frames] for i in range(blocks)], 2)
    before = torch.cat([left[:, i : i + frames] for i in range(blocks)], 2).flip(2)
    return after, before


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
