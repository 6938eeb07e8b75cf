"""Networks -> a model folder: `encoder.onnx`, `decoder.onnx`, `model.toml`. Opset 18, float32, every length dynamic."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import onnx
import torch

from .decoder import DELAYS, DIMS, Decoder
from .encoder import Encoder, EncoderNet
from .manifest import model_toml

OPSET = 18
COLUMNS = ["amplitude_db", "deviation", "cents", "noise_db"]
STATES = [f"state.{i}" for i in range(len(DELAYS))]
NEXT_STATES = [f"{name}.next" for name in STATES]


def export_encoder(net: EncoderNet, path: Path) -> None:
    """`audio [B, samples]`, `pitch [B]` -> `embedding [B, ceil(samples / 1536), 16]`."""
    generator = torch.Generator().manual_seed(0)
    example = (torch.randn(2, 48000, generator=generator) * 0.1, torch.tensor([60.0, 50.0]))
    axes = {
        "audio": {0: "batch", 1: "samples"},
        "pitch": {0: "batch"},
        "embedding": {0: "batch", 1: "embedding_frames"},
    }
    _export(Encoder(net).eval(), example, path, ["audio", "pitch"], ["embedding"], axes, {})


def export_decoder(decoder: Decoder, path: Path) -> None:
    """`embedding [B, F, 16]`, `pitch [B, F]`, `state.*` -> the columns and `state.*.next`."""
    example = (torch.zeros(2, 6, DIMS), torch.full((2, 6), 60.0), *decoder.start(2))
    framed = {name: {0: "batch", 1: "frames"} for name in ["embedding", "pitch", *COLUMNS]}
    carried = {name: {0: "batch"} for name in [*STATES, *NEXT_STATES]}
    inputs, outputs = ["embedding", "pitch", *STATES], [*COLUMNS, *NEXT_STATES]
    shapes = {name: [None, delay, decoder.width] for name, delay in zip(NEXT_STATES, DELAYS, strict=True)}
    _export(decoder.eval(), example, path, inputs, outputs, framed | carried, shapes)


def _export(module, example, path: Path, inputs, outputs, axes, shapes) -> None:
    """`shapes`: sizes of outputs' axes that the exporter cannot see to be fixed, None where they are not."""
    with torch.no_grad(), warnings.catch_warnings():
        # The TorchScript exporter announces its successor, and its tracer each shape that it sees as a number.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    graph = onnx.load(str(path))
    for value in graph.graph.output:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, []), strict=False):
            if size is not None:
                dim.dim_value = size
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))


def export_model(net: EncoderNet, decoder: Decoder, folder: Path, source: str) -> None:
    """Writes the three files of a model into `folder`, each by rename from a temporary folder beside it, the manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".export-"))
    try:
        export_encoder(net, staging / "encoder.onnx")
        export_decoder(decoder, staging / "decoder.onnx")
        (staging / "model.toml").write_text(model_toml(staging, source))
        for name in ("encoder.onnx", "decoder.onnx", "model.toml"):
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging)
