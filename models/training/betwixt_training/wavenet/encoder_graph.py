"""NSynth's encoder as an ONNX graph: `audio [B, samples]` at 16 kHz -> `embedding [B, ceil(samples / 512), 16]`, float32.

All of it is in the graph: the quantisation to 256 levels of mu-law that the network hears, 30 layers that look to both sides,
and the mean over each frame. Magenta's code trims a recording to whole frames; here the last frame is filled up with silence,
as the model contract wants it. Whole frames come out the same.

Written for speed on one CPU core: activations lie as `[B, channels, 1, samples]`, because ONNX Runtime has its fast
convolutions in two dimensions only.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .network import CLASSES, DIMS, HOP_SAMPLES, LAYERS, MU, dilation

OPSET = 20
IR_VERSION = 10  # the newest that the engine's ONNX Runtime is promised to read
_HALF = CLASSES // 2


def export_encoder(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Writes the graph; `weights` as `checkpoint.read` gives them."""
    graph = _Graph(weights)
    line = graph.conv("ae_startconv", _mu_law(graph, _whole_frames(graph)), dilated_by=1)
    for layer in range(LAYERS):
        heard = graph.node("Relu", [line], f"heard_{layer}")
        heard = graph.conv(f"ae_dilatedconv_{layer + 1}", heard, dilated_by=dilation(layer))
        heard = graph.node("Relu", [heard], f"gated_{layer}")
        heard = graph.conv(f"ae_res_{layer + 1}", heard)
        line = graph.node("Add", [line, heard], f"line_{layer}")
    narrow = graph.conv("ae_bottleneck", line)
    size = [1, HOP_SAMPLES]
    pooled = graph.node("AveragePool", [narrow], "pooled", kernel_shape=size, strides=size)
    flat = graph.node("Squeeze", [pooled, graph.constant("row", np.int64([2]))], "flat")
    graph.node("Transpose", [flat], "embedding", perm=[0, 2, 1])
    onnx.save(graph.model(), str(path))


def _whole_frames(graph: "_Graph") -> str:
    """`audio` with silence to the end of its last frame."""
    samples = graph.node("Shape", ["audio"], "samples", start=1, end=2)
    hop = graph.constant("hop", np.int64([HOP_SAMPLES]))
    rest = graph.node("Mod", [graph.node("Neg", [samples], "minus_samples"), hop], "missing_samples")
    pads = graph.node("Concat", [graph.constant("no_pads", np.int64([0, 0, 0])), rest], "pads", axis=0)
    return graph.node("Pad", ["audio", pads], "whole")


def _mu_law(graph: "_Graph", audio: str) -> str:
    """Audio `[B, samples]` -> levels -1 .. 127/128 as `[B, 1, 1, samples]`; in the order in which Magenta's code computes, so
    that rounding falls alike."""
    loudness = graph.node("Mul", [graph.node("Abs", [audio], "loudness"), graph.scalar("mu", MU)], "loudness_mu")
    curved = graph.node("Log", [graph.node("Add", [graph.scalar("one", 1), loudness], "one_more")], "curved")
    signed = graph.node("Mul", [graph.node("Sign", [audio], "sign"), curved], "signed")
    unit = graph.node("Div", [signed, graph.scalar("log_of_classes", np.log(1 + MU))], "unit")
    level = graph.node("Floor", [graph.node("Mul", [unit, graph.scalar("half", _HALF)], "fine_level")], "level")
    # Full scale, 1.0, would be one level more than there are.
    bounds = [graph.scalar("lowest", -_HALF), graph.scalar("highest", _HALF - 1)]
    heard = graph.node("Div", [graph.node("Clip", [level, *bounds], "clipped"), "half"], "quantised")
    return graph.node("Unsqueeze", [heard, graph.constant("channel_and_row", np.int64([1, 2]))], "planes")


class _Graph:
    """Nodes and constants in the order they are added."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def scalar(self, name: str, value: float) -> str:
        return self.constant(name, np.float32(value))

    def conv(self, layer: str, heard: str, dilated_by: int = 1) -> str:
        """A layer `W [1, taps, in, out]`, tap 0 the earliest; zeros at both ends keep the length."""
        kernel = self._weights[f"{layer}/W"]
        side = dilated_by * (kernel.shape[1] // 2)
        names = [
            self.constant(f"{layer}/W", np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))),
            self.constant(f"{layer}/biases", self._weights[f"{layer}/biases"]),
        ]
        return self.node("Conv", [heard, *names], layer, dilations=[1, dilated_by], pads=[0, side, 0, side])

    def model(self) -> onnx.ModelProto:
        audio = helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["B", "samples"])
        embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["B", "frames", DIMS])
        graph = helper.make_graph(self._nodes, "nsynth_encoder", [audio], [embedding], self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="betwixt_training")
        onnx.checker.check_model(model)
        return model
