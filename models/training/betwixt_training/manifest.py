"""`model.toml`: what the engine needs to know of a model folder, written beside the graphs."""

import hashlib
from pathlib import Path

from .columns import GROUP_EDGES, HOP_SAMPLES, NOISE_EDGES_HZ, SAMPLE_RATE, SLOTS
from .decoder import CENTS_DIM, DIMS, LOUDNESS_DIM
from .front import EMBEDDING_HOP_SAMPLES

VERSION = 3
CHUNK_FRAMES = 2
LICENCE = "MIT OR Apache-2.0"


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _numbers(values, digits: int) -> str:
    return "[" + ", ".join(f"{v:.{digits}f}" if digits else str(int(v)) for v in values) + "]"


def model_toml(folder: Path, source: str) -> str:
    """The manifest's text, for the `encoder.onnx` and `decoder.onnx` that lie in `folder`. `source` is one line."""
    if any(c in source for c in '"\\\n'):
        raise ValueError("source must be one line without quotes or backslashes")
    return f"""name = "spectral"
version = {VERSION}
sample_rate = {SAMPLE_RATE}
dims = {DIMS}
embedding_hop = {EMBEDDING_HOP_SAMPLES}
hop = {HOP_SAMPLES}
pitch = "conditioned"
pitch_dim = {CENTS_DIM}
level_dim = {LOUDNESS_DIM}
chunk_frames = {CHUNK_FRAMES}
licence = "{LICENCE}"
source = "{source}"

[encoder]
graph = "encoder.onnx"
sha256 = "{sha256(folder / "encoder.onnx")}"

[decoder]
graph = "decoder.onnx"
sha256 = "{sha256(folder / "decoder.onnx")}"
driver = "partials"

[partials]
slots = {_numbers(SLOTS, 1)}
group_edges = {_numbers(GROUP_EDGES, 0)}
noise_edges_hz = {_numbers(NOISE_EDGES_HZ, 6)}
"""
