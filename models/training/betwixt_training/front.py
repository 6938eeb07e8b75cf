"""The encoder's ear: audio and pitch -> what the encoder's network is fed. Plain operators only, so it exports to ONNX.

A frame every 512 samples, centred on sample 512 t. Instead of an STFT, a Hann-windowed Fourier sum six periods long
is taken at the very frequencies of the partials, for which cosine and sine kernels are built from the pitch; the
window's derivative gives each partial's exact frequency (reassignment, Auger & Flandrin 1995).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .columns import BAND_COUNT, HOP_SAMPLES, NOISE_BAND_MEANS, NOISE_WINDOW_SAMPLES, SAMPLE_RATE, SLOT_COUNT

EMBEDDING_HOP_SAMPLES = 3 * HOP_SAMPLES
LONGEST_WINDOW_SAMPLES = 8192
PERIODS = 6.0
LINE_COUNT = 128  # 0.5, 1.0 .. 64.0 in units of f0
BLOCK_COUNT = 8  # log energies of four 128-sample blocks, plain and differenced
WANDER_REACH = 3  # frames before and after, over which a partial's wandering is measured
FRONT_WIDTH = LINE_COUNT + 2 * SLOT_COUNT + 1 + BAND_COUNT + BLOCK_COUNT


class Front(nn.Module):
    """Has no parameters; its only stored table is the noise bands'."""

    def __init__(self):
        super().__init__()
        slots = list(range(32)) + [2 * k - 1 for k in range(17, 65)]
        self.register_buffer("slot_lines", torch.tensor(slots), persistent=False)
        self.register_buffer("bands", torch.from_numpy(NOISE_BAND_MEANS.T.copy()), persistent=False)

    def forward(self, audio: Tensor, pitch: Tensor) -> Tensor:
        """audio `[B, samples]` at 48 kHz, pitch `[B]` MIDI -> `[B, 3 * ceil(samples / 1536), FRONT_WIDTH]`."""
        frames = (audio.shape[1] + EMBEDDING_HOP_SAMPLES - 1) // EMBEDDING_HOP_SAMPLES * 3
        audio = functional.pad(audio, (0, frames * HOP_SAMPLES - audio.shape[1]))
        after, before = _halves(audio, frames)
        f0_hz = 440.0 * torch.exp((pitch - 69) * (math.log(2) / 12))
        level_db, deviation, wander, cents = self._lines(after, before, f0_hz, frames)
        bands_db = self._bands(after, before, frames)
        blocks_db = _block_energies(audio, frames)
        return torch.cat(
            [(level_db + 60) / 40, deviation, wander, cents, (bands_db + 80) / 40, (blocks_db + 50) / 40], 2
        )

    def _lines(self, after: Tensor, before: Tensor, f0_hz: Tensor, frames: int):
        """Level [B, T, 128] dB, and, scaled for the network, each slot's deviation from its multiple of f0(t) and how much
        that wanders, both [B, T, 80], and cents [B, T, 1]."""
        device = f0_hz.device
        window = torch.clamp(PERIODS * SAMPLE_RATE / f0_hz, 1024.0, float(LONGEST_WINDOW_SAMPLES))[:, None]
        n = torch.arange(torch.ceil(window.max() / 2).long(), device=device).float()
        turn = (n / window).clamp(max=0.5) * (2 * math.pi)
        hann = (0.5 + 0.5 * torch.cos(turn)) * (4 / window)
        slope = -math.pi / window * torch.sin(turn) * (4 / window)
        hann_once = torch.where(n == 0, hann * 0.5, hann)  # sample 0 is in both halves
        line = torch.arange(1, LINE_COUNT + 1, device=device).float() / 2
        nu = f0_hz[:, None] * line / SAMPLE_RATE
        cycles = n[None, :, None] * nu[:, None, :]
        phase = (cycles - torch.round(cycles)) * (2 * math.pi)
        cos, sin = torch.cos(phase), torch.sin(phase)
        after, before = after[:, :, : n.shape[0]], before[:, :, : n.shape[0]]
        even, odd = after + before, after - before
        pick = self.slot_lines
        slot_cos, slot_sin = cos.index_select(2, pick), sin.index_select(2, pick)
        even = torch.matmul(even, torch.cat([cos * hann_once[..., None], slot_sin * slope[..., None]], 2))
        odd = torch.matmul(odd, torch.cat([sin * hann[..., None], slot_cos * slope[..., None]], 2))
        real, imag = even[..., :LINE_COUNT], -odd[..., :LINE_COUNT]
        slope_real, slope_imag = odd[..., LINE_COUNT:], -even[..., LINE_COUNT:]
        power = real * real + imag * imag
        slot_real, slot_imag = real.index_select(2, pick), imag.index_select(2, pick)
        offset = -(slope_imag * slot_real - slope_real * slot_imag) / (power.index_select(2, pick) + 1e-13)
        # Frames whose window is not yet full of the note take the first full frame; the bands carry the attack.
        t = torch.arange(frames, device=device).float()[None]
        source = torch.maximum(t, torch.ceil(window / (2 * HOP_SAMPLES)))
        source = torch.minimum(source, torch.zeros_like(source) + (frames - 1)).long()
        both = torch.cat([power, offset], 2)
        both = torch.gather(both, 1, source[:, :, None].expand(-1, -1, LINE_COUNT + SLOT_COUNT))
        power, offset_hz = both[..., :LINE_COUNT], both[..., LINE_COUNT:] * (SAMPLE_RATE / (2 * math.pi))
        audible = (nu < 0.487).float()[:, None, :]
        level_db = 10 * torch.log10(power * audible + 1e-10)
        relative = (offset_hz / f0_hz[:, None, None]).clamp(-0.6, 0.6)
        # f0(t): amplitude-weighted mean over harmonics 1 .. 8, reweighted twice around itself.
        harmonic = torch.arange(1, 9, device=device).float()
        detune = (relative[..., 1:16:2] / harmonic).clamp(-0.06, 0.06)
        weight = torch.sqrt(power[..., 1:16:2] * audible[..., 1:16:2])
        weight = weight * (weight > 0.03 * weight.amax(2, keepdim=True)).float()
        mean = (weight * detune).sum(2, keepdim=True) / (weight.sum(2, keepdim=True) + 1e-6)
        for _ in range(2):
            near = weight * torch.exp(-(((detune - mean) / 0.008) ** 2)) + 1e-3 * weight
            mean = (near * detune).sum(2, keepdim=True) / (near.sum(2, keepdim=True) + 1e-6)
        level = 20 * torch.log10(weight.sum(2, keepdim=True) + 1e-6)
        mean = mean * ((level + 80) / 30).clamp(0, 1)  # in silence there is no pitch
        cents = torch.log(1 + mean) * (1200 / math.log(2)) / 25
        slot = line.index_select(0, pick)
        deviation = ((slot + relative) / (1 + mean) - slot).clamp(-0.5, 0.5)
        heard = ((level_db.index_select(2, pick) + 80) / 40).clamp(0, 1) * audible.index_select(2, pick)
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
