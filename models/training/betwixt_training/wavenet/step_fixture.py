"""Small random `step` models, with what they must compute: the fixtures of the engine's tests.

`python -m betwixt_training.wavenet.step_fixture plugin/engine/tests/fixtures/step` writes two model folders, `float` and
`eight_bit`, and beside their files `reference.json` (embedding frames, the classes that are fed, the steps that are told of)
and `logits.f32` (the logits of those steps, little-endian). Those of `float` come from the equations of Magenta's fastgen
with its queues, written out here once more; those of `eight_bit` from the graphs.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import mu_law
from .eight_bit import calibration_notes
from .step_graph import sha256, export_step
from .step_runner import StepRunner

LAYERS, WIDTH, SKIP, DIMS, HOP_SAMPLES = 6, 8, 8, 16, 512
STEPS = HOP_SAMPLES + 65
TOLD = [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 300, 511, 512, 513, STEPS - 1]


def random_weights(seed: int) -> dict[str, np.ndarray]:
    """A decoder of these widths, by Magenta's names."""
    generator = np.random.default_rng(seed)
    shapes = {"startconv": (3, 1, WIDTH), "skip_start": (1, WIDTH, SKIP), "out1": (1, SKIP, SKIP)}
    shapes |= {"cond_map_out1": (1, DIMS, SKIP), "logits": (1, SKIP, mu_law.LEVELS)}
    for number in range(1, LAYERS + 1):
        shapes |= {f"dilatedconv_{number}": (3, WIDTH, 2 * WIDTH), f"cond_map_{number}": (1, DIMS, 2 * WIDTH)}
        shapes |= {f"res_{number}": (1, WIDTH, WIDTH), f"skip_{number}": (1, WIDTH, SKIP)}
    weights = {}
    for name, (taps, wide_in, wide_out) in shapes.items():
        spread = (taps * wide_in) ** -0.5
        weights[f"{name}/W"] = np.float32(spread * generator.standard_normal((1, taps, wide_in, wide_out)))
        weights[f"{name}/biases"] = np.float32(0.1 * generator.standard_normal(wide_out))
    return weights


def fastgen(weights: dict[str, np.ndarray], heard: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """The logits `[steps, 256]` of each step, fed `heard` `[steps]` and frames `[frames, DIMS]`: Magenta's equations."""

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"{name}/W"][0, 0] + weights[f"{name}/biases"]

    class Causal:
        """A convolution of three taps over queues that were empty."""

        def __init__(self, name: str, dilation: int):
            self.taps, self.biases = weights[f"{name}/W"][0], weights[f"{name}/biases"]
            self.queues = [[np.zeros(self.taps.shape[1], np.float32)] * dilation for _ in range(2)]

        def __call__(self, x: np.ndarray) -> np.ndarray:
            newer = self.queues[0].pop(0)
            older = self.queues[1].pop(0)
            self.queues[0].append(x)
            self.queues[1].append(newer)
            return older @ self.taps[0] + newer @ self.taps[1] + x @ self.taps[2] + self.biases

    start = Causal("startconv", 1)
    dilated = [Causal(f"dilatedconv_{i + 1}", 2 ** (i % 10)) for i in range(LAYERS)]
    logits = []
    for step, x in enumerate(heard):
        frame = embedding[step // HOP_SAMPLES]
        x = start(np.float32([x]))
        skip = linear("skip_start", x)
        for i in range(LAYERS):
            sums = dilated[i](x) + linear(f"cond_map_{i + 1}", frame)
            gate = 1 / (1 + np.exp(-sums[:WIDTH])) * np.tanh(sums[WIDTH:])
            x = x + linear(f"res_{i + 1}", gate)
            skip = skip + linear(f"skip_{i + 1}", gate)
        out = linear("out1", np.maximum(skip, 0)) + linear("cond_map_out1", frame)
        logits.append(linear("logits", np.maximum(out, 0)))
    return np.float32(logits)


def encoder(path: Path) -> None:
    """An encoder that tells how loud each frame is, in every dimension."""
    nodes = [
        helper.make_node("Abs", ["audio"], ["level"]),
        helper.make_node("Unsqueeze", ["level", "one"], ["channel"]),
        helper.make_node(
            "AveragePool", ["channel"], ["means"], kernel_shape=[HOP_SAMPLES], strides=[HOP_SAMPLES], ceil_mode=1
        ),
        helper.make_node("Transpose", ["means"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("Tile", ["frames", "repeats"], ["embedding"]),
    ]
    constants = [
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("repeats", TensorProto.INT64, [3], [1, 1, DIMS]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "frames", DIMS])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), str(path))


def manifest(name: str, folder: Path, tables: dict[str, dict]) -> str:
    """The `model.toml` of a fixture."""
    fields = {"name": name, "version": 1, "sample_rate": 16000, "dims": DIMS, "embedding_hop": HOP_SAMPLES}
    fields |= {"hop": HOP_SAMPLES, "pitch": "embedded", "chunk_frames": 1, "licence": "MIT OR Apache-2.0"}
    fields |= {"source": "random, by wavenet/step_fixture.py"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    for table, entries in {"encoder": {"graph": "encoder.onnx", "sha256": sha256(folder / "encoder.onnx")}, **tables}.items():
        lines += ["", f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())]
    return "\n".join(lines) + "\n"


def write(folder: Path) -> None:
    """Both models."""
    generator = np.random.default_rng(0)
    weights = random_weights(1)
    embedding = np.float32(generator.standard_normal((2, DIMS)))
    # Up and down all levels.
    classes = np.int32(128 + 127 * np.sin(np.arange(STEPS) * 0.21) * np.sin(np.arange(STEPS) * 0.013))
    audio = mu_law.decode(classes - 128)
    for name, int8 in (("float", False), ("eight_bit", True)):
        out = folder / name
        out.mkdir(parents=True, exist_ok=True)
        notes = calibration_notes()
        typical = [(note, np.float32(generator.standard_normal((len(note) // HOP_SAMPLES, DIMS)))) for note in notes]
        encoder(out / "encoder.onnx")
        tables = export_step(weights, out, int8=int8, typical=typical)
        (out / "model.toml").write_text(manifest(f"step_{name}", out, tables))
        before = np.concatenate([np.zeros(1, np.float32), audio[:-1]])
        exact = fastgen(weights, mu_law.inflow(before), embedding)
        runner = StepRunner(out)
        logits = np.concatenate([runner.step(before[t : t + 1], embedding[None, t // HOP_SAMPLES]) for t in range(STEPS)])
        print(f"{name}: {np.abs(logits - exact).max():.1e} from Magenta's equations at most")
        (out / "logits.f32").write_bytes((logits if int8 else exact)[TOLD].astype("<f4").tobytes())
        reference = {"embedding": embedding.tolist(), "classes": classes.tolist(), "steps": TOLD}
        (out / "reference.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
