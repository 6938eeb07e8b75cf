"""`model.toml` and `MODEL_CARD.md` of an imported NSynth WaveNet: what the engine needs to know, and what its user should."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from .checkpoint import Checkpoint
from .loss import Loss
from .network import DIMS, HOP_SAMPLES, SAMPLE_RATE

NAME = "nsynth"
VERSION = 1
ENCODER = "encoder.onnx"
# A checkpoint says nothing of its licence. This is what Magenta says around the one it publishes.
LICENCE = (
    "The file states none. Magenta's, as published: in a repository under Apache-2.0, "
    "trained on the NSynth dataset (CC-BY-4.0)"
)


def source(checkpoint: Checkpoint, name: str, int8: bool) -> str:
    """One line: which weights these are. `name`: the checkpoint's, without its folder."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    step = "an unknown step" if checkpoint.step is None else f"step {checkpoint.step}"
    widths = checkpoint.widths
    return (
        f"cargo xtask import-nsynth: NSynth's WaveNet autoencoder, {shown} at {step}, "
        f"{'averaged' if checkpoint.averaged else 'raw'} weights, widths {widths.decoder}/{widths.skip}/{widths.encoder}, "
        f"decoder in {'8 bits' if int8 else 'float32'}"
    )


def model_toml(folder: Path, source: str, tables: Mapping[str, Mapping]) -> str:
    """The manifest's text, for the `encoder.onnx` that lies in `folder`. `tables`: the decoder's, as `step_graph.export_step`
    gives them."""
    with open(folder / ENCODER, "rb") as graph:
        sha256 = hashlib.file_digest(graph, "sha256").hexdigest()
    fields = {
        "name": NAME,
        "version": VERSION,
        "sample_rate": SAMPLE_RATE,
        "dims": DIMS,
        "embedding_hop": HOP_SAMPLES,
        "hop": HOP_SAMPLES,
        "pitch": "embedded",
        "chunk_frames": 1,
        "licence": LICENCE,
        "source": source,
    }
    parts = [_fields(fields), f"\n[encoder]\n{_fields({'graph': ENCODER, 'sha256': sha256})}"]
    parts += [f"\n[{name}]\n{_fields(table)}" for name, table in tables.items()]
    return "".join(parts)


def model_card(checkpoint: Checkpoint, source: str, loss: Loss | None) -> str:
    """The card's text; `loss`: of an 8-bit decoder."""
    listed = "\n".join(checkpoint.listing)
    lost = ""
    if loss is not None:
        lost = f"""
## 8 bits

The decoder's weights are 8-bit. Against the same decoder in float32, over {loss.steps} steps in which both are fed the same
{loss.notes} synthesised notes: the likeliest of the 256 classes is the same in {loss.agreement:.2%} of the steps, and the mean
Kullback-Leibler divergence of its distribution from that of float32 is {loss.divergence_nats:.2e} nats.
"""
    return f"""# nsynth

The WaveNet autoencoder of Engel et al. 2017 (arXiv 1704.01279), in the form that Betwixt plays. Made on this machine from a
checkpoint that its user has; nothing of it comes with Betwixt.

- Made by: {source}
- Licence: a checkpoint states none. The one that Magenta publishes lies in a project whose repository is under Apache-2.0, and
  was trained on the NSynth dataset, which is under CC BY 4.0 (credit: Engel et al. 2017).
- 16 kHz, mono; an embedding frame is 512 samples (32 ms) of 16 values. The decoder takes no pitch: pitch lives in the
  embedding, so a sound wants recordings at several pitches.
- It makes one sample a step, each drawn from 256 classes of mu-law. It is slow, and has the noise of 8-bit mu-law.
{lost}
## What the checkpoint held

```
{listed}
```
"""


def _fields(table: Mapping) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value) -> str:
    """Text, whole numbers, truth and lists of them as TOML, whose notation for these is that of JSON."""
    return json.dumps(value, ensure_ascii=False)
