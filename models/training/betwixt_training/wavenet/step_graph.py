"""The decoder as graphs that make one sample a step, for the driver `step` of the engine.

A layer is W0 x[t - 2d] + W1 x[t - d] + W2 x[t]. What it heard d and 2d steps ago is known d steps ahead, so those two
products, over half of all weights, are computed for a block of steps at once: `past_N.onnx` holds them for the layers whose
block is N = min(d, 16) steps, with the biases and what the embedding adds. A step proper (`decoder.onnx`) is W2, the gate,
and the way on. What is kept of the past stays outside of the graphs.

| graph | inputs | outputs |
|---|---|---|
| `past_N.onnx` | `taps.L` `[N, B, 2 width]`: x[t - 2d], x[t - d] of N steps; `embedding` `[B, dims]` | `past.L` `[N, B, 2 width]` |
| `decoder.onnx` | `samples` `[B, 3]`: the last three, as mu-law level / 128, newest last; `embedding` `[B, dims]`; `past.L` `[B, 2 width]` | `logits` `[B, 256]`; `x.L` `[B, width]` |

L counts layers from 0, and `x.L` is what layer L hears at this step. Before a note there were zeros. In float32 all are f32. In
8 bits `taps` and `x` are u8 around 128 (`eight_bit.py`), and `past` is int32: the sums of products themselves, which are
exact, so that what a step adds to them fits to the bit.

In float32 the gate, sigmoid(a) tanh(b), is half of (1 + tanh(a / 2)) tanh(b): ONNX Runtime computes a product and the tanh of
all of it in one go.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
CONTRIBUTED = "com.microsoft"
LARGEST_BLOCK = 16
STAGE_LAYERS = 10  # dilations double this often, then begin again at 1


class Layer:
    """One layer's matrices, all `[in, out]` float32."""

    def __init__(self, weights: Mapping[str, np.ndarray], number: int):
        self.dilation = 2 ** ((number - 1) % STAGE_LAYERS)
        self.oldest, self.older, self.now = _matrix(weights, f"dilatedconv_{number}", taps=True)
        self.condition = _matrix(weights, f"cond_map_{number}")
        self.bias = _biases(weights, f"dilatedconv_{number}") + _biases(weights, f"cond_map_{number}")
        self.residual = _matrix(weights, f"res_{number}")
        self.residual_bias = _biases(weights, f"res_{number}")
        self.skip = _matrix(weights, f"skip_{number}")
        self.skip_bias = _biases(weights, f"skip_{number}")

    @property
    def block(self) -> int:
        """Steps whose past is known at once, of those that are used."""
        return min(self.dilation, LARGEST_BLOCK)


class Network:
    """The decoder's matrices, from weights by Magenta's plain names."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self.start = _matrix(weights, "startconv", taps=True)[:, 0]  # [3, width]
        self.start_bias = _biases(weights, "startconv")
        count = sum(name.startswith("dilatedconv_") and name.endswith("/W") for name in weights)
        self.layers = [Layer(weights, number) for number in range(1, count + 1)]
        # What goes past all layers is linear in the three samples too.
        skip_start = _matrix(weights, "skip_start")
        self.skip_start = self.start @ skip_start
        self.skip_bias = self.start_bias @ skip_start + _biases(weights, "skip_start")
        self.skip_bias = self.skip_bias + sum(layer.skip_bias for layer in self.layers)
        self.out = _matrix(weights, "out1")
        self.out_condition = _matrix(weights, "cond_map_out1")
        self.out_bias = _biases(weights, "out1") + _biases(weights, "cond_map_out1")
        self.logits = _matrix(weights, "logits")
        self.logits_bias = _biases(weights, "logits")

    @property
    def width(self) -> int:
        return self.start.shape[1]

    @property
    def dims(self) -> int:
        return self.out_condition.shape[0]

    def blocks(self) -> dict[int, list[int]]:
        """Block length -> the layers that have it."""
        found: dict[int, list[int]] = {}
        for number, layer in enumerate(self.layers):
            found.setdefault(layer.block, []).append(number)
        return dict(sorted(found.items()))


class Graph:
    """A graph in the making."""

    def __init__(self):
        self.nodes, self.inputs, self.outputs, self.constants = [], [], [], {}

    def input(self, name: str, kind: int, shape: list) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: list) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, values: np.ndarray) -> str:
        values = np.asarray(values)
        self.constants[name] = np.ascontiguousarray(values, np.float32 if values.dtype == np.float64 else values.dtype)
        return name

    def node(self, kind: str, inputs: list[str], *outputs: str, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, list(outputs), name=outputs[0], **attributes))
        return outputs[0]

    def linear(self, x: str, weights: np.ndarray, addend: np.ndarray | str, to: str) -> str:
        """x W + addend: a bias, or a tensor by its name."""
        if not isinstance(addend, str):
            addend = self.constant(f"{to}/bias", addend)
        return self.node("Gemm", [x, self.constant(f"{to}/weights", weights), addend], to)

    def save(self, path: Path) -> None:
        constants = [numpy_helper.from_array(values, name) for name, values in self.constants.items()]
        graph = helper.make_graph(self.nodes, path.stem, self.inputs, self.outputs, constants)
        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain == CONTRIBUTED for node in self.nodes):
            opsets.append(helper.make_opsetid(CONTRIBUTED, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="betwixt_training")
        onnx.save(model, str(path))


def export_step(
    weights: Mapping[str, np.ndarray],
    folder: Path,
    *,
    int8: bool = False,
    typical: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> dict:
    """Writes the decoder's graphs into `folder` (which exists) and returns the tables of `model.toml` that tell of them, by
    their names: `decoder`, `step`, and `step.past_N` for each `past_N.onnx`.

    `weights`: by Magenta's plain names, `startconv/W` `[1, 3, 1, width]` and so on; widths and layers are read from them, and the
    encoder's are left alone. `int8`: matrices in 8 bits, with scales fitted to `typical`: audio `[samples]` in -1 .. 1 at
    16 kHz, and its embedding `[frames, dims]`, one frame each 512 samples. KeyError names weights that are missing.
    """
    network = Network(weights)
    if int8:
        from .eight_bit import quantised  # which builds on this file

        past_graph, step_graph = quantised(network, typical)
    else:
        past_graph, step_graph = float_past, float_step
    tables = {
        "decoder": {"graph": "decoder.onnx", "driver": "step"},
        "step": {"dilations": [layer.dilation for layer in network.layers]},
    }
    for block, layers in network.blocks().items():
        graph = f"past_{block}.onnx"
        past_graph(network, layers).save(folder / graph)
        tables[f"step.past_{block}"] = {"graph": graph, "sha256": sha256(folder / graph)}
    step_graph(network).save(folder / "decoder.onnx")
    tables["decoder"]["sha256"] = sha256(folder / "decoder.onnx")
    return tables


def float_past(network: Network, layers: list[int]) -> Graph:
    """The past taps of some layers, in float32."""
    graph, width = Graph(), network.width
    graph.input("embedding", TensorProto.FLOAT, ["batch", network.dims])
    first = graph.input(f"taps.{layers[0]}", TensorProto.FLOAT, ["steps", "batch", 2 * width])
    # The embedding goes into the same product, at each step.
    frame = graph.constant("frame", np.int64([network.dims]))
    steps = graph.node("Concat", [graph.node("Shape", [first], "rows", start=0, end=2), frame], "rows_of_frames", axis=0)
    embeddings = graph.node("Expand", ["embedding", steps], "embeddings")
    for number in layers:
        layer = network.layers[number]
        taps = first if number == layers[0] else graph.input(f"taps.{number}", TensorProto.FLOAT, ["steps", "batch", 2 * width])
        heard = graph.node("Concat", [taps, embeddings], f"heard.{number}", axis=2)
        flat = graph.node("Reshape", [heard, graph.constant("flat", np.int64([-1, 2 * width + network.dims]))], f"flat.{number}")
        matrix, half = np.concatenate([layer.oldest, layer.older, layer.condition]), half_of_sigmoid(width)
        sums = graph.linear(flat, matrix * half, layer.bias * half, f"sums.{number}")
        graph.node("Reshape", [sums, whole_shape(graph, width)], f"past.{number}")
        graph.output(f"past.{number}", TensorProto.FLOAT, ["steps", "batch", 2 * width])
    return graph


def whole_shape(graph: Graph, width: int) -> str:
    """The shape `[steps, batch, 2 width]`, from the node `rows`."""
    if "whole" not in {node.name for node in graph.nodes}:
        graph.node("Concat", ["rows", graph.constant("columns", np.int64([2 * width]))], "whole", axis=0)
    return "whole"


def float_step(network: Network) -> Graph:
    """One step, in float32."""
    graph, width = Graph(), network.width
    begin(graph, network, first="x.0")
    x, gates = "x.0", []
    for number, layer in enumerate(network.layers):
        past = graph.input(f"past.{number}", TensorProto.FLOAT, ["batch", 2 * width])
        graph.output(f"x.{number}", TensorProto.FLOAT, ["batch", width])
        sums = graph.linear(x, layer.now * half_of_sigmoid(width), past, f"sum.{number}")
        a, b = halves_of(graph, graph.node("Tanh", [sums], f"bent.{number}"), width, number)
        gates.append(graph.node("Add", [graph.node("Mul", [a, b], f"product.{number}"), b], f"gate.{number}"))
        if number + 1 < len(network.layers):
            way = graph.linear(gates[-1], layer.residual / 2, layer.residual_bias, f"way.{number}")
            x = graph.node("Add", [x, way], f"x.{number + 1}")
    together = graph.node("Concat", gates, "gates", axis=1)
    skip = np.concatenate([layer.skip / 2 for layer in network.layers])
    head(graph, network, graph.linear(together, skip, "skip_start", "skip"))
    return graph


def begin(graph: Graph, network: Network, first: str) -> None:
    """What the first layer hears, by that name, and what goes past all layers, `skip_start`."""
    samples = graph.input("samples", TensorProto.FLOAT, ["batch", len(network.start)])
    graph.input("embedding", TensorProto.FLOAT, ["batch", network.dims])
    graph.linear(samples, network.start, network.start_bias, first)
    graph.linear(samples, network.skip_start, network.skip_bias, "skip_start")


def half_of_sigmoid(width: int) -> np.ndarray:
    """What the columns of a layer's sums are multiplied by, for a tanh to stand for the sigmoid."""
    return np.repeat(np.float32([0.5, 1]), width)


def halves_of(graph: Graph, both: str, width: int, number: int) -> tuple[str, str]:
    """The sigmoid's columns of a layer, and the tanh's."""
    a, b = f"a.{number}", f"b.{number}"
    graph.node("Split", [both, graph.constant("halves", np.int64([width, width]))], a, b, axis=1)
    return a, b


def head(graph: Graph, network: Network, skip: str) -> None:
    """The logits, from what all layers gave."""
    heard = graph.node("Relu", [skip], "skip_relu")
    condition = graph.linear("embedding", network.out_condition, network.out_bias, "out_condition")
    out = graph.node("Relu", [graph.linear(heard, network.out, condition, "out")], "out_relu")
    graph.linear(out, network.logits, network.logits_bias, "logits")
    graph.output("logits", TensorProto.FLOAT, ["batch", network.logits.shape[1]])


def _matrix(weights: Mapping[str, np.ndarray], name: str, taps: bool = False) -> np.ndarray:
    """`[in, out]`, or with the taps before, oldest first."""
    values = np.asarray(weights[f"{name}/W"], np.float32)[0]
    return values if taps else values[0]


def _biases(weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return np.asarray(weights[f"{name}/biases"], np.float32)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
