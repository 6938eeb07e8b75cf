"""The step graphs in numpy and ONNX Runtime: what the engine's driver does, in a few lines, for tests and to measure by."""

from pathlib import Path

import numpy as np
import onnxruntime

from . import mu_law
from .step_graph import LARGEST_BLOCK, STAGE_LAYERS

ZERO_8BIT = 128  # what stands for 0 in 8 bits


class StepRunner:
    """Notes in lockstep, from the graphs in a folder. The first step makes the notes: as many as it has rows."""

    def __init__(self, folder: Path, threads: int = 1):
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._decoder = self._session(folder / "decoder.onnx")
        layers = sum(value.name.startswith("x.") for value in self._decoder.get_outputs())
        self._dilations = [2 ** (number % STAGE_LAYERS) for number in range(layers)]
        self._outputs = ["logits", *(f"x.{number}" for number in range(layers))]
        blocks = sorted({min(dilation, LARGEST_BLOCK) for dilation in self._dilations})
        self._past = {block: self._session(folder / f"past_{block}.onnx") for block in blocks}
        self._steps = 0

    def step(self, samples: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """The previous samples `[B]` as audio in -1 .. 1 (0 before the first) and embeddings `[B, dims]` -> logits `[B, 256]`."""
        feeds = {"embedding": np.asarray(embeddings, np.float32)}
        if self._steps == 0:
            self._begin(len(samples))
        newest = mu_law.inflow(samples)
        self._samples = np.concatenate([self._samples[:, 1:], newest[:, None]], 1)
        for block, session in self._past.items():
            if self._steps % block == 0:
                self._look_back(block, session, feeds["embedding"])
        for number, dilation in enumerate(self._dilations):
            block = min(dilation, LARGEST_BLOCK)
            feeds[f"past.{number}"] = self._sums[number][self._steps % block]
        logits, *heard = self._decoder.run(self._outputs, feeds | {"samples": self._samples})
        for ring, x in zip(self._rings, heard, strict=True):
            ring[self._steps % len(ring)] = x
        self._steps += 1
        return logits

    def _begin(self, batch: int) -> None:
        self._samples = np.zeros((batch, 3), np.float32)
        x = self._decoder.get_outputs()[1]
        zero = np.float32(0) if x.type == "tensor(float)" else np.uint8(ZERO_8BIT)
        self._rings = [np.full((2 * dilation, batch, x.shape[1]), zero) for dilation in self._dilations]
        self._sums = [None] * len(self._dilations)

    def _look_back(self, block: int, session: onnxruntime.InferenceSession, embeddings: np.ndarray) -> None:
        numbers = [number for number, dilation in enumerate(self._dilations) if min(dilation, LARGEST_BLOCK) == block]
        feeds = {"embedding": embeddings}
        steps = self._steps + np.arange(block)
        for number in numbers:
            ring, dilation = self._rings[number], self._dilations[number]
            taps = [ring[(steps - back) % len(ring)] for back in (2 * dilation, dilation)]
            feeds[f"taps.{number}"] = np.concatenate(taps, 2)
        for number, sums in zip(numbers, session.run([f"past.{number}" for number in numbers], feeds), strict=True):
            self._sums[number] = sums

    def _session(self, path: Path) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(path), self._options, providers=["CPUExecutionProvider"])


def teacher_forced(runner: StepRunner, audio: np.ndarray, embedding: np.ndarray, hop: int) -> np.ndarray:
    """The logits `[samples, 256]` of each sample, fed what came before it in `audio` `[samples]`; `embedding` `[frames, dims]`."""
    before = np.concatenate([np.zeros(1, np.float32), audio[:-1]])
    return np.concatenate([runner.step(before[t : t + 1], embedding[None, t // hop]) for t in range(len(audio))])
