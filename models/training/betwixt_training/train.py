"""Training of encoder and decoder together, from nothing or from a trained pair: processes of one thread each that average
their gradients.

Half of the items encode one note and are to decode another pitch of the same instrument, so that the embedding becomes
free of pitch; and a share of the embeddings is blended with another's, to be decoded to what lies between the two notes
(mixup, Zhang et al. 2018), so that the way between two sounds is even. All draws of a step depend on seed, process and step
alone, so a run that was killed goes on from its last checkpoint as if nothing had happened.
"""

import hashlib
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import Tensor

from .batches import Batch, Batches
from .curve import Curve
from .dataset import FRAMES, Dataset
from .decoder import CENTS_DIM, DIMS, LOUDNESS_DIM, Decoder, at_decoder_frames
from .encoder import EncoderNet
from .losses import PARTS, column_loss
from .mixing import mixed_columns
from .notes import HELD_INSTRUMENT, HELD_PITCH
from .optimiser import Optimiser
from .refused import Refused

EMBEDDING_NOISE, MEASURED_NOISE = 0.03, 0.01  # so that near embeddings mean near sounds
REST_WEIGHT = 0.03
PEAK_RATE, LAST_RATE, WARM_UP_STEPS = 2e-3, 1e-5, 200
FALLING_SHARE = 0.4  # of the run, at its end
TUNING_RATE, TUNING_FALLING_SHARE = 8e-4, 0.6  # of a run that begins with trained networks
VALIDATION_STRIDE = 8


@dataclass(frozen=True)
class Plan:
    """What a run is; a checkpoint can only be resumed with the plan it was begun with, or with another number of steps as
    long as the learning rate falls in neither yet."""

    steps: int
    batch: int = 32  # crops a step and process
    processes: int = 2
    seed: int = 0
    bfloat16: bool = True
    encoder_width: int = 208
    encoder_hidden: int = 336
    decoder_width: int = 256
    decoder_hidden: int = 512
    tuned_from: str = ""  # digest of the checkpoint whose networks the run began with

    def networks(self) -> tuple[EncoderNet, Decoder]:
        """New networks with this plan's sizes and seed."""
        torch.manual_seed(self.seed)
        encoder = EncoderNet(self.encoder_width, self.encoder_hidden)
        return encoder, Decoder(self.decoder_width, self.decoder_hidden)

    @property
    def first_falling_step(self) -> int:
        """Where the learning rate begins to fall."""
        return round(self.steps * (1 - (TUNING_FALLING_SHARE if self.tuned_from else FALLING_SHARE)))

    def learning_rate(self, step: int) -> float:
        """A short rise, level, and at the end a fall that is linear in the steps."""
        left = min(1.0, (self.steps - step) / (self.steps - self.first_falling_step))
        peak = TUNING_RATE if self.tuned_from else PEAK_RATE
        return peak * min(1, (step + 1) / WARM_UP_STEPS) * left + LAST_RATE

    def transposed_share(self, step: int) -> float:
        """Share of the items that decode another pitch than they encode."""
        if self.tuned_from:
            return 0.35
        return 0.5 if step < self.first_falling_step else 0.25

    def continues(self, begun: "Plan", step: int) -> bool:
        """Whether this plan may go on from `step` of a run `begun` by another one."""
        level = step <= min(self.first_falling_step, begun.first_falling_step)
        return self == begun or (level and replace(self, steps=begun.steps) == begun)


def decode(decoder: Decoder, embedding: Tensor, pitch: Tensor) -> tuple[Tensor, ...]:
    """A whole note from its start: embedding `[B, J, 16]`, pitch `[B]` -> the columns of 3J frames."""
    frames = at_decoder_frames(embedding)
    held = pitch[:, None].expand(frames.shape[:2])
    return decoder(frames, held, *decoder.start(len(frames)))[:4]


def step_loss(
    encoder: EncoderNet, decoder: Decoder, batch: Batch, rng: np.random.Generator, bfloat16: bool
) -> tuple[Tensor, Tensor]:
    """The loss of one batch, and its parts: those of `column_loss`, and how restless the embedding is."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        embedding = encoder(batch.heard, batch.told, batch.frame)
    rest = (embedding[:, 5:] - embedding[:, 4:-1]).float().abs().mean()  # the attack may move
    blended, target = batch.blended, batch.target
    if len(blended.of):
        share = blended.share[:, None, None]
        between = torch.lerp(embedding[blended.of], embedding[blended.partner], share)
        embedding = embedding.index_copy(0, blended.of, between)
        of_blended = target[blended.of], blended.target, blended.share, batch.pitch[blended.of]
        between = mixed_columns(*of_blended, blended.loudest)
        target = target.index_copy(0, blended.of, between)
    shake = torch.from_numpy(rng.standard_normal(embedding.shape, np.float32)) * _noise()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        predicted = decode(decoder, embedding + shake, batch.pitch)
    loss, parts = column_loss(predicted, target, batch.pitch, batch.weight)
    return loss + REST_WEIGHT * rest, torch.cat([parts, rest.detach()[None]])


def _noise() -> Tensor:
    noise = torch.full((DIMS,), EMBEDDING_NOISE)
    noise[[LOUDNESS_DIM, CENTS_DIM]] = MEASURED_NOISE
    return noise


def validation_loss(encoder: EncoderNet, decoder: Decoder, data: Dataset, split: str) -> float:
    """Mean loss over every eighth note of a split, each whole, encoded and decoded at its own pitch."""
    notes = data.indices(split)[::VALIDATION_STRIDE]
    losses = []
    with torch.no_grad():
        for start in range(0, len(notes), 16):
            some = notes[start : start + 16]
            heard = torch.from_numpy(np.stack([data.heard(n, 0) for n in some])).float()
            target = torch.from_numpy(np.stack([data.columns(n) for n in some])).float()
            pitch = torch.from_numpy(data.pitch[some])
            frame = torch.arange(FRAMES).float()[None].expand(len(some), -1)
            predicted = decode(decoder, encoder(heard, pitch, frame), pitch)
            loss, _ = column_loss(predicted, target, pitch, torch.ones(len(some), FRAMES))
            losses += [float(loss)] * len(some)
    return float(np.mean(losses)) if losses else math.nan


@dataclass
class Checkpoint:
    """Networks, optimiser and step of a run."""

    plan: Plan
    step: int
    encoder: dict
    decoder: dict
    optimiser: dict

    def save(self, path: Path) -> None:
        """Writes beside and renames, so that a kill leaves the old one."""
        temporary = path.with_suffix(".tmp")
        torch.save({**self.__dict__, "plan": asdict(self.plan)}, temporary)
        os.replace(temporary, path)

    @staticmethod
    def load(path: Path) -> "Checkpoint":
        """Raises `Refused` if there is none."""
        if not path.is_file():
            raise Refused(f"no {path}: run `python -m betwixt_training train` first")
        found = torch.load(path, weights_only=True)
        return Checkpoint(**{**found, "plan": Plan(**found["plan"])})

    def what(self) -> str:
        """How its networks came about, in words."""
        begun = f", begun with the networks of checkpoint {self.plan.tuned_from[:8]}" if self.plan.tuned_from else ""
        return f"{self.step} of {self.plan.steps} steps, seed {self.plan.seed}{begun}"

    def networks(self) -> tuple[EncoderNet, Decoder]:
        """The trained networks, ready to be used."""
        encoder, decoder = self.plan.networks()
        encoder.load_state_dict(self.encoder)
        decoder.load_state_dict(self.decoder)
        return encoder.eval(), decoder.eval()


def checkpoint_path(work: Path) -> Path:
    """Where `train` keeps its checkpoint."""
    return work / "checkpoint.pt"


def curve_path(work: Path) -> Path:
    """Where `train` keeps its curve, CSV."""
    return work / "curve.csv"


def tuning_plan(begun: Path, steps: int, batch: int, processes: int, seed: int, bfloat16: bool) -> Plan:
    """The plan of a run of `steps` that begins with the networks of the checkpoint `begun`, with a fresh optimiser and a
    lower rate."""
    digest = hashlib.sha256(begun.read_bytes()).hexdigest() if begun.is_file() else ""
    of = Checkpoint.load(begun).plan
    return replace(of, steps=steps, batch=batch, processes=processes, seed=seed, bfloat16=bfloat16, tuned_from=digest)


def train(
    work: Path, plan: Plan, every: int = 250, stop_after: int | None = None, log=print, begun: Path | None = None
) -> None:
    """Trains by `plan` on the data in `work`, from its checkpoint if there is one, saving and validating every `every`
    steps. `stop_after` ends the run early, at that step, as a kill just after a checkpoint would. `begun` is the
    checkpoint that a `tuning_plan` was made of."""
    path = checkpoint_path(work)
    Dataset(work / "data")  # says what is missing before any process starts
    if path.exists():
        found = Checkpoint.load(path)
        if not plan.continues(found.plan, found.step):
            raise Refused(f"{path}, at step {found.step}, has another plan ({found.plan}): delete it or choose another --work")
    with tempfile.TemporaryDirectory() as meeting:
        arguments = (work, plan, every, stop_after, log, f"file://{meeting}/meet", begun)
        if plan.processes == 1:
            _run(0, *arguments)
        else:
            multiprocessing.spawn(_run, arguments, plan.processes)


def _run(
    rank: int, work: Path, plan: Plan, every: int, stop_after: int | None, log, meeting: str, begun: Path | None
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=plan.processes)
    data = Dataset(work / "data")
    batches = Batches(data)
    encoder, decoder = plan.networks()
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = Optimiser([encoder, decoder], rank, plan.processes)
    step = 0
    if checkpoint_path(work).exists():
        found = Checkpoint.load(checkpoint_path(work))
        step = found.step
        encoder.load_state_dict(found.encoder)
        decoder.load_state_dict(found.decoder)
        optimiser.load_state_dict(found.optimiser)
    elif begun is not None:
        found = Checkpoint.load(begun)
        encoder.load_state_dict(found.encoder)
        decoder.load_state_dict(found.decoder)
    curve = Curve(curve_path(work), step) if rank == 0 else None
    dist.barrier()
    sums, began, began_step = torch.zeros(2 + len(PARTS)), time.time(), step
    parent = multiprocessing.parent_process() if plan.processes > 1 else None
    while step < (plan.steps if stop_after is None else min(stop_after, plan.steps)):
        if parent is not None and not parent.is_alive():
            return  # whoever starts the next run must not meet this one
        rng = np.random.default_rng((plan.seed, rank, step))
        batch = batches.draw(plan.batch, plan.transposed_share(step), rng)
        loss, parts = step_loss(encoder, decoder, batch, rng, plan.bfloat16)
        loss.backward()
        _average_gradients(parameters, plan.processes)
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        if torch.isfinite(norm):
            optimiser.step(plan.learning_rate(step))
        else:
            optimiser.forget()
        sums += torch.cat([loss.detach()[None], parts])
        step += 1
        if step % every == 0 or step == plan.steps:
            state = optimiser.state_dict()
            if rank == 0:
                done = step - began_step
                losses = [validation_loss(encoder, decoder, data, split) for split in (HELD_PITCH, HELD_INSTRUMENT)]
                log(curve.add(step, (sums / done).tolist(), losses, (time.time() - began) / done))
                Checkpoint(plan, step, encoder.state_dict(), decoder.state_dict(), state).save(
                    checkpoint_path(work)
                )
            dist.barrier()
            sums.zero_()
            began, began_step = time.time(), step
    dist.destroy_process_group()


def _average_gradients(parameters: list[Tensor], processes: int) -> None:
    if processes == 1:
        return
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    dist.all_reduce(flat)
    for parameter, piece in zip(parameters, (flat / processes).split([p.numel() for p in parameters])):
        parameter.grad.copy_(piece.view_as(parameter))
