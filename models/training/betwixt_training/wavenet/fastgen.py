"""Magenta's own code, beside ours: is the converted network the same one, and how fast is theirs here?

Needs the packages of `requirements-magenta.lock`. Of `magenta` only `models.nsynth` is imported: the package's own
`__init__` asks for a great deal more than that.
"""

import importlib
import importlib.util
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..refused import Refused
from .checkpoint import STEP, tensorflow
from .convert import convert
from .loss import encode, test_notes
from .manifest import ENCODER
from .network import DIMS, HOP_SAMPLES, PUBLISHED, random_weights
from .step_runner import StepRunner

SEED = 0
WARM_UP_STEPS = 20
ALLOWED = 1e-4  # of embeddings relative (L2), of probabilities absolute


@dataclass(frozen=True)
class Timing:
    """Magenta's generation loop at one batch: mean over the steps after a warm-up."""

    batch: int
    milliseconds_per_step: float
    steps: int

    def row(self) -> dict:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Difference:
    """How far ours is from theirs: embeddings relative (L2), probabilities absolute (the largest)."""

    embedding: float
    probability: float
    frames: int
    steps: int


def write_random_checkpoint(prefix: Path, seed: int = SEED) -> None:
    """A checkpoint of the published widths whose network learnt nothing, 247 MB: raw weights and `global_step` 0."""
    tensors = dict(random_weights(PUBLISHED, seed)) | {STEP: np.int64(0)}
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tensorflow().raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=list(tensors.values())
    )


@contextmanager
def checkpoint_at(prefix: Path | None) -> Iterator[Path]:
    """A random checkpoint at `prefix`, made if it is not there; without a prefix a temporary one."""
    if prefix is None:
        with tempfile.TemporaryDirectory(prefix="fastgen-") as folder:
            write_random_checkpoint(Path(folder) / "random.ckpt")
            yield Path(folder) / "random.ckpt"
        return
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        write_random_checkpoint(prefix)
    yield prefix


def bench(prefix: Path, batch: int, steps: int) -> Timing:
    """Times `fastgen.generate_audio_sample`, which is what Magenta's `synthesize` repeats for every sample."""
    generator = np.random.default_rng(SEED)
    embedding = generator.standard_normal((batch, DIMS)).astype(np.float32)
    with _fastgen(prefix, batch) as (fastgen, session, net):
        audio = np.zeros([batch, 1])
        for _ in range(WARM_UP_STEPS):
            audio = fastgen.generate_audio_sample(session, net, audio, embedding)
        start = time.perf_counter()
        for _ in range(steps):
            audio = fastgen.generate_audio_sample(session, net, audio, embedding)
        seconds = time.perf_counter() - start
    return Timing(batch, 1000 * seconds / steps, steps)


def check(prefix: Path, steps: int, model: Path | None = None) -> Difference:
    """Runs Magenta's encoder and `steps` steps of its decoder, both fed the same notes, and ours as converted from the
    same file. `model`: a folder that was converted from it already."""
    notes = test_notes()
    audio = notes[:, : -(-steps // HOP_SAMPLES) * HOP_SAMPLES]
    theirs = _magenta_embeddings(prefix, audio)
    with tempfile.TemporaryDirectory(prefix="fastgen-") as scratch:
        if model is None:
            model = Path(scratch) / "model"
            convert(prefix, model, log=lambda line: None)
        ours = encode(model / ENCODER, audio)
        runner = StepRunner(model)
        furthest = 0.0
        with _fastgen(prefix, len(notes)) as (_, session, net):
            previous = np.zeros(len(notes), np.float32)
            for n in range(steps):
                embedding = np.ascontiguousarray(theirs[:, n // HOP_SAMPLES])
                fed = {net["X"]: previous[:, None], net["encoding"]: embedding}
                wanted = session.run([net["predictions"], net["push_ops"]], feed_dict=fed)[0]
                found = softmax(runner.step(previous, embedding))
                furthest = max(furthest, float(np.abs(found - wanted).max()))
                previous = audio[:, n].copy()
    relative = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    return Difference(relative, furthest, theirs.shape[1], steps)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits `[B, 256]` -> probabilities."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def _magenta_embeddings(prefix: Path, audio: np.ndarray) -> np.ndarray:
    v1, module = tensorflow().compat.v1, _magenta("h512_bo16")
    with v1.Graph().as_default(), v1.Session() as session:
        heard = v1.placeholder(v1.float32, audio.shape)
        net = module.Config().build({"wav": heard}, is_training=False, include_decoder=False)
        v1.train.Saver().restore(session, str(prefix))
        return session.run(net["encoding"], {heard: audio})


@contextmanager
def _fastgen(prefix: Path, batch: int):
    """Magenta's generation graph with the checkpoint's weights and empty queues: its module, the session, the net."""
    v1, fastgen = tensorflow().compat.v1, _magenta("fastgen")
    with v1.Graph().as_default(), v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as session:
        net = fastgen.load_fastgen_nsynth(batch_size=batch)
        v1.train.Saver().restore(session, str(prefix))
        session.run(net["init_ops"])
        yield fastgen, session, net


def _magenta(name: str):
    """`magenta.models.nsynth.wavenet.NAME`."""
    if "magenta" not in sys.modules:
        found = importlib.util.find_spec("magenta")
        if found is None:
            raise Refused("Magenta's own code is not installed: pip install --no-deps -r requirements-magenta.lock")
        empty = types.ModuleType("magenta")
        empty.__path__ = list(found.submodule_search_locations)
        sys.modules["magenta"] = empty
    try:
        return importlib.import_module(f"magenta.models.nsynth.wavenet.{name}")
    except ImportError as error:
        raise Refused(f"Magenta's code cannot be loaded ({error}): pip install --no-deps -r requirements-magenta.lock") from error
