"""The step graphs in 8 bits: unsigned activations around 128, signed weights, sums in int32.

All scales are fixed, fitted to typical notes: with scales that are measured at each run (dynamic quantisation), a note would
depend on its neighbours, and what the taps of the past add up to could not be kept as whole numbers. One scale serves the
three taps of a layer, one each column of its weights. What flows along the layers stays float32, and so do the first and
the last products, which are small.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from onnx import TensorProto

from . import mu_law
from .step_graph import CONTRIBUTED, Graph, Network, begin, halves_of, head

ZERO = 128
LEVELS = 127  # to each side of the zero
# Weights of -64 .. 64: processors without VNNI add two products of 8 bits in 16, and full-range weights would saturate.
LARGEST_WEIGHT = 64
# Shares of the full range that are tried as the quantised one; what lies beyond is clipped.
RANGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3)
# Of how one channel's size is shared out between what flows (1) and its weights (0): SmoothQuant, Xiao et al. 2022.
SMOOTHING = 0.5
HOP_SAMPLES = 512
# One of so many samples is looked at: neighbours are alike. Odd, so that no tone is met at the same phase each time.
SAMPLE_STRIDE = 7
CALIBRATION_SAMPLES = 4 * HOP_SAMPLES
SAMPLE_RATE = 16_000


class Product:
    """One product in 8 bits: `[in, out]` int8, the scale of what flows in, one a column."""

    def __init__(self, inflow: np.ndarray, inflow_scale: np.float32, weights: np.ndarray):
        self.inflow_scale = inflow_scale
        self.scales = _column_scales(weights)
        self.weights = np.clip(np.round(weights / self.scales), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
        # What rounding adds on average goes into the bias.
        rounded = _rounded(inflow, inflow_scale) @ (self.weights * self.scales)
        self.error = (rounded - inflow @ weights).mean(0)

    @property
    def unit(self) -> np.ndarray:
        """What 1 in the int32 sum of each column stands for."""
        return np.float64(self.inflow_scale) * self.scales

    def whole(self, bias: np.ndarray) -> np.ndarray:
        """A bias in those units, corrected."""
        return np.round((bias - self.error) / self.unit).astype(np.int32)


def quantised(
    network: Network, typical: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[Callable[[Network, list[int]], Graph], Callable[[Network], Graph]]:
    """What makes the graphs of a past and of the step, fitted to audio `[samples]` and embeddings `[frames, dims]`. The network's
    channels are given other sizes on the way; what it computes stays."""
    if not typical:
        raise ValueError("8 bits are fitted to typical notes, and there are none")
    flows = [list(flow(network, *note)) for note in typical]
    taps, gates = zip(*(map(np.concatenate, zip(*parts, strict=True)) for parts in zip(*flows, strict=True)), strict=True)
    sizes = _equalise(network, taps)
    taps = [heard / np.tile(sizes, 3) for heard in taps]
    scales = [_inflow_scale(heard) for heard in taps]
    dilated = [
        Product(heard, scale, np.concatenate([layer.oldest, layer.older, layer.now]))
        for layer, heard, scale in zip(network.layers, taps, scales, strict=True)
    ]
    gate_scales = [_inflow_scale(gate) for gate in gates]
    ways = [
        Product(gate, scale, layer.residual) for layer, gate, scale in zip(network.layers, gates, gate_scales, strict=True)
    ]
    # One product for all layers' gates, so of one scale: the weights take what sets the layers apart.
    skips = np.concatenate([layer.skip * scale for layer, scale in zip(network.layers, gate_scales, strict=True)])
    in_units = np.concatenate([gate / scale for gate, scale in zip(gates, gate_scales, strict=True)], 1)
    skip = Product(in_units, np.float32(1), skips)
    return (
        lambda network, layers: _past(network, layers, dilated),
        lambda network: _step(network, dilated, ways, gate_scales, skip),
    )


def flow(network: Network, audio: np.ndarray, embedding: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each layer, what its three taps hear `[rows, 3 width]` and its gate `[rows, width]` while `audio` plays, at every
    `SAMPLE_STRIDE`-th sample."""
    heard = mu_law.inflow(np.concatenate([np.zeros(1, np.float32), audio[:-1]])) 
    x = _taps(heard[:, None], 1) @ network.start + network.start_bias
    frames = np.repeat(embedding, HOP_SAMPLES, 0)[: len(audio)]
    for layer in network.layers:
        taps = _taps(x, layer.dilation)
        sums = taps @ np.concatenate([layer.oldest, layer.older, layer.now]) + frames @ layer.condition + layer.bias
        a, b = np.split(sums, 2, axis=1)
        gate = np.tanh(b) / (1 + np.exp(-a))
        yield taps[::SAMPLE_STRIDE], gate[::SAMPLE_STRIDE]
        x = x + gate @ layer.residual + layer.residual_bias


def calibration_notes() -> np.ndarray:
    """Notes to fit scales to, f32 `[6, 2048]`: harmonic ones, low to high, soft to loud, plucked, with noise."""
    generator = np.random.default_rng(1)
    t = np.arange(CALIBRATION_SAMPLES) / SAMPLE_RATE
    notes = []
    for pitch_hz, slope, decay, level, noise in (
        (65, 0.6, 0, 0.9, 0),
        (110, 1, 6, 0.7, 0.01),
        (196, 1.5, 0, 0.5, 0.05),
        (294, 0.8, 12, 0.95, 0),
        (523, 2, 2, 0.3, 0),
        (1047, 1.2, 4, 0.6, 0.02),
    ):
        harmonics = range(1, int(SAMPLE_RATE / 2 / pitch_hz))
        phases = generator.uniform(0, 2 * np.pi, len(harmonics))
        tone = sum(np.sin(2 * np.pi * pitch_hz * k * t + phase) / k**slope for k, phase in zip(harmonics, phases, strict=True))
        tone = tone / np.abs(tone).max() + noise * generator.standard_normal(len(t))
        notes.append(level * np.clip(tone * np.exp(-decay * t) * np.minimum(1, t / 0.005), -1, 1))
    return np.float32(notes)


def _past(network: Network, layers: list[int], dilated: list[Product]) -> Graph:
    graph, width = Graph(), network.width
    graph.input("embedding", TensorProto.FLOAT, ["batch", network.dims])
    zeros = [graph.constant("zero", np.uint8(ZERO)), graph.constant("weight_zero", np.int8(0))]
    for number in layers:
        layer, product = network.layers[number], dilated[number]
        taps = graph.input(f"taps.{number}", TensorProto.UINT8, ["steps", "batch", 2 * width])
        weights = graph.constant(f"weights.{number}", product.weights[: 2 * width])
        sums = graph.node("MatMulInteger", [taps, weights, *zeros], f"sums.{number}")
        bias = (layer.bias - product.error) / product.unit
        condition = graph.linear("embedding", layer.condition / product.unit, bias, f"condition.{number}")
        whole = graph.node("Cast", [graph.node("Round", [condition], f"round.{number}")], f"whole.{number}", to=TensorProto.INT32)
        graph.node("Add", [sums, whole], f"past.{number}")
        graph.output(f"past.{number}", TensorProto.INT32, ["steps", "batch", 2 * width])
    return graph


def _step(network: Network, dilated: list[Product], ways: list[Product], gate_scales: list, skip: Product) -> Graph:
    graph, width = Graph(), network.width
    zero = graph.constant("zero", np.uint8(ZERO))

    def product(x: str, of: Product, weights: np.ndarray, addend: str, to: str) -> str:
        columns = weights.shape[1]
        return graph.node(
            "QGemm",
            [
                x,
                graph.constant(f"{to}/inflow_scale", of.inflow_scale),
                zero,
                graph.constant(f"{to}/weights", weights),
                graph.constant(f"{to}/scales", of.scales),
                graph.constant(f"zeros.{columns}", np.zeros(columns, np.int8)),
                addend,
            ],
            to,
            domain=CONTRIBUTED,
        )

    def in_8_bits(x: str, scale: np.float32, to: str) -> str:
        return graph.node("QuantizeLinear", [x, graph.constant(f"{to}/scale", scale), zero], to)

    begin(graph, network, first="flow.0")
    x, gates = "flow.0", []
    for number, layer in enumerate(network.layers):
        past = graph.input(f"past.{number}", TensorProto.INT32, ["batch", 2 * width])
        heard = in_8_bits(x, dilated[number].inflow_scale, f"x.{number}")
        graph.output(heard, TensorProto.UINT8, ["batch", width])
        sums = product(heard, dilated[number], dilated[number].weights[2 * width :], past, f"sum.{number}")
        a, b = halves_of(graph, sums, width, number)
        factors = [graph.node("Sigmoid", [a], f"sigmoid.{number}"), graph.node("Tanh", [b], f"tanh.{number}")]
        gate = graph.node("Mul", factors, f"gate.{number}")
        gates.append(in_8_bits(gate, gate_scales[number], f"gate_8bit.{number}"))
        if number + 1 < len(network.layers):
            bias = graph.constant(f"way.{number}/bias", ways[number].whole(layer.residual_bias))
            way = product(gates[-1], ways[number], ways[number].weights, bias, f"way.{number}")
            x = graph.node("Add", [x, way], f"flow.{number + 1}")
    together = graph.node("Concat", gates, "gates", axis=1)
    bias = graph.constant("skips/bias", skip.whole(np.zeros(len(skip.scales))))
    skips = product(together, skip, skip.weights, bias, "skips")
    head(graph, network, graph.node("Add", [skips, "skip_start"], "skip"))
    return graph


def _equalise(network: Network, taps: Sequence[np.ndarray]) -> np.ndarray:
    """Gives the channels of what flows along the layers sizes that one scale fits, by what goes into their weights; returns what
    they were divided by, `[width]`."""
    peaks = [np.abs(heard).reshape(-1, network.width).max(0) for heard in taps]
    sizes = np.mean([peak / peak.max() for peak in peaks], 0) + 1e-6
    sizes = sizes**SMOOTHING
    sizes = (sizes / np.exp(np.log(sizes).mean())).astype(np.float32)
    network.start, network.start_bias = network.start / sizes, network.start_bias / sizes
    for layer in network.layers:
        layer.oldest, layer.older, layer.now = (tap * sizes[:, None] for tap in (layer.oldest, layer.older, layer.now))
        layer.residual, layer.residual_bias = layer.residual / sizes, layer.residual_bias / sizes
    return sizes


def _taps(x: np.ndarray, dilation: int) -> np.ndarray:
    """`[samples, channels]` -> 2 and 1 times the dilation ago, and now: `[samples, 3 channels]`."""
    earlier = [np.concatenate([np.zeros_like(x[:back]), x[:-back]])[: len(x)] for back in (2 * dilation, dilation)]
    return np.concatenate([*earlier, x], 1)


def _rounded(values: np.ndarray, scale: np.float32) -> np.ndarray:
    return np.clip(np.round(values / scale), -LEVELS - 1, LEVELS) * scale


def _inflow_scale(inflow: np.ndarray) -> np.float32:
    """The scale whose rounding and clipping together lose the least power."""
    peak = np.abs(inflow).max() + 1e-12
    scales = [np.float32(peak * share / LEVELS) for share in RANGES]
    return min(scales, key=lambda scale: float(np.square(_rounded(inflow, scale) - inflow).mean()))


def _column_scales(weights: np.ndarray) -> np.ndarray:
    """The scale of each column that loses the least power, f32."""
    peak = np.abs(weights).max(0) + 1e-12
    scales = np.stack([peak * share / LARGEST_WEIGHT for share in RANGES]).astype(np.float32)
    losses = [
        np.square(np.clip(np.round(weights / s), -LARGEST_WEIGHT, LARGEST_WEIGHT) * s - weights).mean(0) for s in scales
    ]
    return scales[np.argmin(losses, 0), np.arange(weights.shape[1])]
