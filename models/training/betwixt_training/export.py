"""Networks -> a model folder: `encoder.onnx`, `decoder.onnx`, `model.toml`. Opset 20, every length dynamic; what goes in and
out is float32, and inside the decoder is 8-bit (`quantise.py`)."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from .decoder import DELAYS, DIMS, Decoder, at_decoder_frames
from .encoder import Encoder, EncoderNet
from .manifest import model_toml
from .quantise import fuse, quantise

OPSET = 20  # the first in which GELU is one node
LOWEST_PITCH, HIGHEST_PITCH = 24.0, 96.0
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


def export_decoder(decoder: Decoder, path: Path, typical: list[tuple[np.ndarray, float]] | None) -> None:
    """`embedding [B, F, 16]`, `pitch [B, F]`, `state.*` -> the columns and `state.*.next`. `typical`: what to fit the 8-bit
    scales to, embeddings at decoder frames `[F, 16]` and pitches; without it all stays float32."""
    example = (torch.zeros(2, 6, DIMS), torch.full((2, 6), 60.0), *decoder.start(2))
    framed = {name: {0: "batch", 1: "frames"} for name in ["embedding", "pitch", *COLUMNS]}
    carried = {name: {0: "batch"} for name in [*STATES, *NEXT_STATES]}
    inputs, outputs = ["embedding", "pitch", *STATES], [*COLUMNS, *NEXT_STATES]
    shapes = {name: [None, delay, decoder.width] for name, delay in zip(NEXT_STATES, DELAYS, strict=True)}
    _export(decoder.eval(), example, path, inputs, outputs, framed | carried, shapes)
    if typical is not None:
        start = {name: state.numpy() for name, state in zip(STATES, decoder.start(1), strict=True)}
        feeds = [
            {"embedding": frames[None], "pitch": np.full((1, len(frames)), pitch, np.float32), **start}
            for frames, pitch in typical
        ]
        onnx.save(quantise(onnx.load(str(path)), feeds), str(path))


def typical_runs(recordings: list[tuple[np.ndarray, float]], seed: int = 0) -> list[tuple[np.ndarray, float]]:
    """Embeddings `[J, 16]` of some recordings and their pitches -> runs as players have them, embeddings at decoder frames
    `[3J, 16]` and pitches: each sound as recorded, transposed, and blended with another, also past the edge."""
    rng = np.random.default_rng(seed)
    frames = [at_decoder_frames(torch.from_numpy(np.float32(embedding))[None])[0].numpy() for embedding, _ in recordings]
    runs = []
    for here, (_, pitch) in zip(frames, recordings, strict=True):
        runs.append((here, pitch))
        runs.append((here, float(np.clip(pitch + rng.uniform(-14, 14), LOWEST_PITCH, HIGHEST_PITCH))))
        other, share = frames[rng.integers(len(frames))], np.float32(rng.uniform(-0.5, 1.5))
        length = min(len(here), len(other))
        blend = (1 - share) * here[:length] + share * other[:length]
        runs.append((blend, float(rng.uniform(LOWEST_PITCH, HIGHEST_PITCH))))
    return runs


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
    onnx.save(fuse(graph), str(path))


def export_model(
    net: EncoderNet, decoder: Decoder, folder: Path, source: str, typical: list[tuple[np.ndarray, float]]
) -> None:
    """Writes the three files of a model into `folder`, each by rename from a temporary folder beside it, the manifest last.
    `typical` as `typical_runs` gives."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".export-"))
    try:
        export_encoder(net, staging / "encoder.onnx")
        export_decoder(decoder, staging / "decoder.onnx", typical)
        (staging / "model.toml").write_text(model_toml(staging, source))
        for name in ("encoder.onnx", "decoder.onnx", "model.toml"):
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging)
