"""A checkpoint becomes a model folder: `encoder.onnx`, the decoder's graphs, `model.toml`, `MODEL_CARD.md`.

Everything is made in a temporary folder beside the wanted one and takes its name when it is whole; a model that lay there
before is replaced only then.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..refused import Refused
from . import checkpoint as checkpoints
from .encoder_graph import export_encoder
from .loss import Loss, encode, measure, test_notes
from .manifest import ENCODER, model_card, model_toml, source
from .network import DIMS, HOP_SAMPLES
from .step_graph import export_step
from .step_runner import StepRunner


def convert(path: Path, out: Path, averaged: bool = False, int8: bool = False, log: Callable[[str], None] = print) -> Loss | None:
    """Reads the checkpoint at `path` (as `checkpoint.read` takes it) and writes the model folder `out`; returns what 8 bits
    lost. Raises `Refused`."""
    out = out.absolute()
    _check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=out.parent) as scratch:
            loss = _convert(path, Path(scratch), averaged, int8, log)
            _put(Path(scratch) / "model", out)
    except OSError as error:
        raise Refused(f"cannot write the model folder {out}: {error.strerror or error}") from error
    log(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")
    return loss


def _convert(path: Path, scratch: Path, averaged: bool, int8: bool, log: Callable[[str], None]) -> Loss | None:
    found = checkpoints.read(path, averaged, scratch)
    log(f"{path} holds:")
    for line in found.listing:
        log(f"  {line}")
    log(
        f"training step {'not stated' if found.step is None else found.step}; taking the "
        f"{'averaged' if averaged else 'raw'} weights; widths: decoder {found.widths.decoder}, skip {found.widths.skip}, "
        f"encoder {found.widths.encoder}"
    )
    folder = scratch / "model"
    folder.mkdir()
    export_encoder(found.weights, folder / ENCODER)
    typical = []
    if int8:
        from .eight_bit import calibration_notes

        notes = calibration_notes()
        typical = list(zip(notes, encode(folder / ENCODER, notes), strict=True))
    tables = export_step(found.weights, folder, int8=int8, typical=typical)
    _try(folder)
    loss = None
    if int8:
        exact = scratch / "float32"
        exact.mkdir()
        export_step(found.weights, exact, int8=False)
        loss = measure(StepRunner(exact), StepRunner(folder), folder / ENCODER)
        log(
            f"lost to 8 bits, over {loss.steps} steps: the likeliest class agrees in {loss.agreement:.2%}, "
            f"mean divergence {loss.divergence_nats:.2e} nats"
        )
    made_by = source(found, checkpoint_name(path), int8)
    (folder / "model.toml").write_text(model_toml(folder, made_by, tables), encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(model_card(found, made_by, loss), encoding="utf-8")
    return loss


def checkpoint_name(path: Path) -> str:
    """What a prefix, one of its files or an archive is called, without its folder."""
    return path.name.removesuffix(".index")


def _try(folder: Path) -> None:
    """Runs both graphs once; raises `Refused` if anything that comes out is no number."""
    embeddings = encode(folder / ENCODER, test_notes()[:1, :HOP_SAMPLES])
    assert embeddings.shape == (1, 1, DIMS)
    logits = StepRunner(folder).step(np.zeros(1, np.float32), embeddings[:, 0])
    if not (np.isfinite(embeddings).all() and np.isfinite(logits).all()):
        raise Refused("the network gives values that are not finite for a plain note: its weights are damaged")


def _check_place(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise Refused(f"{out} is a file; expected a folder for the model")
    if out.is_dir() and any(out.iterdir()) and not (out / "model.toml").is_file():
        raise Refused(f"{out} holds something else than a model (no model.toml); expected a new folder or a model's")


def _put(made: Path, out: Path) -> None:
    """Gives `made` the name `out`; what had it is kept until then."""
    if not out.exists():
        os.rename(made, out)
        return
    before = made.with_name("before")
    os.rename(out, before)
    try:
        os.rename(made, out)
    except OSError:
        os.rename(before, out)
        raise
    shutil.rmtree(before)
