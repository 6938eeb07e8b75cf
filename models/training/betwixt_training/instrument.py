"""A trained model as a player has it: encode a recording, decode it at a pitch. Through PyTorch or through the graphs."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from . import synthesis
from .columns import FRAME_WIDTH
from .decoder import DELAYS, Decoder, at_decoder_frames
from .encoder import Encoder, EncoderNet
from .export import COLUMNS, NEXT_STATES, STATES
from .level import encoder_gain


def session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one CPU thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Graphs:
    """The exported graphs of a model folder."""

    def __init__(self, folder: Path):
        self._encoder = session(folder / "encoder.onnx")
        self._decoder = session(folder / "decoder.onnx")
        self._width = next(i.shape[2] for i in self._decoder.get_inputs() if i.name == STATES[0])

    def encode(self, audio: np.ndarray, pitch: np.ndarray) -> np.ndarray:
        """audio `[B, samples]`, level-normalised, pitch `[B]` -> embedding `[B, J, 16]`."""
        return self._encoder.run(None, {"audio": audio, "pitch": pitch})[0]

    def start(self, batch: int) -> list[np.ndarray]:
        """The state at the start of a note."""
        return [np.zeros((batch, d, self._width), np.float32) for d in DELAYS]

    def decode(self, embedding, pitch, state) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """embedding `[B, F, 16]`, pitch `[B, F]`, state -> the four column groups and the next state."""
        inputs = {"embedding": embedding, "pitch": pitch, **dict(zip(STATES, state, strict=True))}
        found = self._decoder.run([*COLUMNS, *NEXT_STATES], inputs)
        return found[: len(COLUMNS)], found[len(COLUMNS) :]


def joined(columns) -> np.ndarray:
    """The decoder's four outputs -> `[..., 257]` as in `columns.py`."""
    level, deviation, cents, noise = (np.asarray(c) for c in columns)
    return np.concatenate([level, deviation, cents[..., None], noise], -1)


def decoder_frames(embedding: np.ndarray) -> np.ndarray:
    """embedding `[J, 16]` -> the same at decoder frames, `[3J, 16]`."""
    return at_decoder_frames(torch.from_numpy(np.asarray(embedding, np.float32))[None])[0].numpy()


class Instrument:
    """Trained networks in PyTorch."""

    def __init__(self, encoder: EncoderNet, decoder: Decoder):
        self.encoder, self.decoder = Encoder(encoder).eval(), decoder.eval()

    @torch.no_grad()
    def encode(self, audio: np.ndarray, pitch: float) -> np.ndarray:
        """Mono 48 kHz `audio` of any level -> embedding `[J, 16]`."""
        gain = np.float32(encoder_gain(audio) or 1.0)
        heard = torch.from_numpy(np.asarray(audio, np.float32) * gain)[None]
        return self.encoder(heard, torch.tensor([float(pitch)]))[0].numpy()

    @torch.no_grad()
    def columns(self, embedding: np.ndarray, pitch: float) -> np.ndarray:
        """embedding `[J, 16]` -> columns `[3J, 257]`."""
        return self.columns_of_frames(decoder_frames(embedding), pitch)

    @torch.no_grad()
    def columns_of_frames(self, frames: np.ndarray, pitch: float) -> np.ndarray:
        """embedding at decoder frames `[F, 16]`, from the note's start -> columns `[F, 257]`."""
        frames = torch.from_numpy(np.asarray(frames, np.float32))[None]
        pitches = torch.full(frames.shape[:2], float(pitch))
        found = joined([c[0] for c in self.decoder(frames, pitches, *self.decoder.start(1))[:4]])
        assert found.shape[1] == FRAME_WIDTH
        return found

    def play(self, embedding: np.ndarray, pitch: float) -> np.ndarray:
        """embedding `[J, 16]` -> audio at 48 kHz, f32."""
        return synthesis.audio(self.columns(embedding, pitch), pitch)
