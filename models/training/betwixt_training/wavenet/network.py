"""What every one of these networks has in common, and the tensors that make one of given widths.

Names and shapes are those of Magenta's `models/nsynth/wavenet/h512_bo16.py`: each layer has `NAME/W` `[1, taps, in, out]`
and `NAME/biases` `[out]`. Widths are a network's own (the published one's: 512, 256, 128); all else is fixed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000
HOP_SAMPLES = 512  # an embedding frame's
DIMS = 16
CLASSES = 256  # of mu-law audio
MU = 255
LAYERS = 30  # encoder and decoder alike
STAGES = 10  # layer i looks 2 ** (i % STAGES) samples to its side
TAPS = 3


@dataclass(frozen=True)
class Widths:
    """Channels of the decoder's residual path, of its skip path, and of the encoder."""

    decoder: int
    skip: int
    encoder: int

    @staticmethod
    def of(weights: Mapping[str, np.ndarray]) -> "Widths":
        """Of a complete set of weights."""
        return Widths(
            decoder=weights["startconv/W"].shape[3],
            skip=weights["skip_start/W"].shape[3],
            encoder=weights["ae_startconv/W"].shape[3],
        )


PUBLISHED = Widths(decoder=512, skip=256, encoder=128)


def dilation(layer: int) -> int:
    """Samples between the taps of layer 0 .. 29."""
    return 2 ** (layer % STAGES)


def shapes(widths: Widths) -> dict[str, tuple[int, ...]]:
    """Every tensor of a network with these widths, by name, in the order of its layers."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(name: str, taps: int, wide_in: int, wide_out: int) -> None:
        found[f"{name}/W"] = (1, taps, wide_in, wide_out)
        found[f"{name}/biases"] = (wide_out,)

    layer("ae_startconv", TAPS, 1, widths.encoder)
    for i in range(1, LAYERS + 1):
        layer(f"ae_dilatedconv_{i}", TAPS, widths.encoder, widths.encoder)
        layer(f"ae_res_{i}", 1, widths.encoder, widths.encoder)
    layer("ae_bottleneck", 1, widths.encoder, DIMS)
    layer("startconv", TAPS, 1, widths.decoder)
    layer("skip_start", 1, widths.decoder, widths.skip)
    for i in range(1, LAYERS + 1):
        layer(f"dilatedconv_{i}", TAPS, widths.decoder, 2 * widths.decoder)
        layer(f"cond_map_{i}", 1, DIMS, 2 * widths.decoder)
        layer(f"res_{i}", 1, widths.decoder, widths.decoder)
        layer(f"skip_{i}", 1, widths.decoder, widths.skip)
    layer("out1", 1, widths.skip, widths.skip)
    layer("cond_map_out1", 1, DIMS, widths.skip)
    layer("logits", 1, widths.skip, CLASSES)
    return found


def random_weights(widths: Widths, seed: int) -> dict[str, np.ndarray]:
    """A network that learnt nothing, whose signals neither die nor grow: for benches and checks. Same seed, same weights."""
    generator = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes(widths).items():
        if name.endswith("/biases"):
            values = 0.05 * generator.standard_normal(shape)
        else:
            spread = (shape[1] * shape[2]) ** -0.5
            # The sums over 30 layers stay of the size of one of them; embeddings and logits come out a few units wide.
            if name.startswith(("res_", "skip_", "ae_res_")) and not name.startswith("skip_start"):
                spread *= 0.3
            elif name.startswith(("ae_bottleneck", "logits")):
                spread *= 3
            elif name.startswith("cond_map"):
                spread *= 0.3
            values = spread * generator.standard_normal(shape)
        weights[name] = values.astype(np.float32)
    return weights
