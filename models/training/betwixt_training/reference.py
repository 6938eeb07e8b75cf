"""Reference vectors for the engine's synthesis kernel and its use of the decoder: `models/spectral/reference/`.

For each note: `*.embedding.f32` (decoder frames `[F, 16]`), `*.columns.f32` (`[F, 257]`, what the decoder makes of them from
a zero state), `*.phases.f32` (`[K]`, radians, each partial's phase at frame 0's centre) and `*.partials.f32`
(`[(F - 1) * 512]`, the tonal part alone, by a direct sum of cosines in double precision). All little-endian float32,
row by row. `reference.json` lists them, with the rms that the noise part is expected to have.
"""

import json
from pathlib import Path

import numpy as np

from .columns import HOP_SAMPLES, NOISE, NOISE_BANDS, SAMPLE_RATE
from .decoder import DIMS
from .instrument import Graphs, joined
from .synthesis import accumulated_phases, partial_tracks, start_phases

FRAMES = 33
EMBEDDING_FRAMES = FRAMES // 3


def direct_partials(columns: np.ndarray, pitch: float, start: np.ndarray) -> np.ndarray:
    """As `synthesis.partials_audio`, but by the definition: f64 `[(T - 1) * 512]`."""
    amplitude, frequency = partial_tracks(columns, pitch)
    phase = accumulated_phases(frequency, start)
    n = np.arange(-HOP_SAMPLES, HOP_SAMPLES)
    hann = 0.5 + 0.5 * np.cos(np.pi * n / HOP_SAMPLES)
    out = np.zeros((len(columns) + 1) * HOP_SAMPLES)
    for t in range(len(columns)):
        angle = phase[t][:, None] + 2 * np.pi / SAMPLE_RATE * frequency[t][:, None] * n
        out[t * HOP_SAMPLES : (t + 2) * HOP_SAMPLES] += hann * (amplitude[t] @ np.cos(angle))
    return out[HOP_SAMPLES:-HOP_SAMPLES]


def noise_rms(columns: np.ndarray) -> float:
    """Expected rms of the noise part: a frame of bin powers p has the variance sum(p) / 6 over all 1024 bins."""
    power = 10 ** (columns[:, NOISE].astype(np.float64) / 10) @ NOISE_BANDS
    whole = 2 * power.sum(1) - power[:, 0] - power[:, -1]
    return float(np.sqrt(((whole[1:] + whole[:-1]) / 2).mean() / 6))


def write_reference(model: Path, embeddings: dict[str, tuple[float, np.ndarray]], folder: Path) -> list[dict]:
    """`embeddings`: name -> (pitch to decode at, embedding `[J, 16]`, J >= 12). Returns what `reference.json` lists."""
    graphs = Graphs(model)
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, (pitch, embedding) in embeddings.items():
        place = (np.arange(FRAMES) - 1) / 3
        index = np.arange(len(embedding))
        frames = np.stack([np.interp(place, index, embedding[:, d]) for d in range(DIMS)], 1).astype(np.float32)
        pitches = np.full((1, FRAMES), pitch, np.float32)
        columns = joined(graphs.decode(frames[None], pitches, graphs.start(1))[0])[0]
        amplitude, _ = partial_tracks(columns, pitch)
        start = start_phases()[: amplitude.shape[1]].astype(np.float32)
        audio = direct_partials(columns, pitch, start.astype(np.float64))
        files = {"embedding": frames, "columns": columns, "phases": start, "partials": audio}
        row = {"name": name, "pitch": pitch, "frames": FRAMES, "noise_rms": noise_rms(columns)}
        for part, values in files.items():
            values = np.ascontiguousarray(values, "<f4")
            row[part] = {"file": f"{name}.{part}.f32", "shape": list(values.shape)}
            values.tofile(folder / row[part]["file"])
        listed.append(row)
    (folder / "reference.json").write_text(json.dumps(listed, indent=1) + "\n")
    return listed
