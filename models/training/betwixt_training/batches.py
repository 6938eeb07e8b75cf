"""Draws of training crops: which notes, from where in them, decoded at which pitch, and blended with which others."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .columns import FRAME_WIDTH
from .dataset import FRAMES, VARIANTS, Dataset
from .decoder import FRAMES_PER_EMBEDDING
from .notes import DRUMS, TRAIN
from .refused import Refused

CROP_FRAMES = 96
WARM_UP_FRAMES = 15  # not scored when a crop begins inside a note: the decoder's past is missing
FIRST_FRAMES, FIRST_WEIGHT = 4, 5.0
ATTACK_FRAMES, ATTACK_WEIGHT = 12, 2.5
ONSET_SHARE, RELEASE_SHARE = 0.5, 0.15
DRUM_WEIGHT = 3.0  # how much oftener a drum is drawn than another note: there are few, and they are all attack
LARGEST_TRANSPOSITION = 15  # semitones; one in four items goes as far as the instrument does
FAR_SHARE = 0.25
BLENDED_SHARE = 0.6
NEAREST_SIBLING = 3  # semitones, that the second note of a blend may be from the pitch that is decoded


@dataclass
class Blended:
    """Items of a batch that are blended: item `of` with the embedding of item `partner`, whose share is `share`, towards
    the partner's instrument at (nearly) the item's pitch, `target`; all `[M]`, target `[M, T, 257]`, and the loudest frames
    `[M, 257]` of the two whole notes that lie at the blend's ends."""

    of: Tensor
    partner: Tensor
    share: Tensor
    target: Tensor
    loudest: tuple[Tensor, Tensor]


@dataclass
class Batch:
    """heard `[B, T, FRONT_WIDTH]`, told `[B]`, frame `[B, T]` for the encoder; pitch `[B]`, target `[B, T, 257]`, weight
    `[B, T]` for the decoder."""

    heard: Tensor
    told: Tensor
    frame: Tensor
    pitch: Tensor
    target: Tensor
    weight: Tensor
    blended: Blended


class Batches:
    """Draws of training crops."""

    def __init__(self, data: Dataset):
        self._data = data
        self._pool = data.indices(TRAIN)
        if not len(self._pool):
            raise Refused("the data has no usable training notes")
        siblings: dict[tuple, list[int]] = {}
        for note in self._pool:
            siblings.setdefault(data.notes[note].instrument, []).append(note)
        self._siblings = {key: np.array(members) for key, members in siblings.items()}
        weight = [DRUM_WEIGHT if data.notes[note].font.startswith(DRUMS) else 1.0 for note in self._pool]
        self._chance = np.array(weight) / np.sum(weight)

    def draw(self, count: int, transposed_share: float, rng: np.random.Generator) -> Batch:
        """Crops from the start of the note (50 %), round its release (15 %), or anywhere."""
        data = self._data
        sources = rng.choice(self._pool, count, p=self._chance)
        variants = rng.integers(0, VARIANTS, count)
        targets = np.array([self._target(s, transposed_share, rng) for s in sources])
        last = (FRAMES - CROP_FRAMES) // FRAMES_PER_EMBEDDING
        where = rng.random(count)
        anywhere, release = rng.integers(0, last + 1, count), rng.integers(last - 15, last + 1, count)
        first = FRAMES_PER_EMBEDDING * np.where(
            where < ONSET_SHARE, 0, np.where(where < ONSET_SHARE + RELEASE_SHARE, release, anywhere)
        )
        weight = np.ones((count, CROP_FRAMES), np.float32)
        weight[first > 0, :WARM_UP_FRAMES] = 0
        weight[first == 0, :ATTACK_FRAMES] = ATTACK_WEIGHT
        weight[first == 0, :FIRST_FRAMES] = FIRST_WEIGHT
        heard = [data.heard(s, v, f, CROP_FRAMES) for s, v, f in zip(sources, variants, first)]
        target = [data.columns(t, f, CROP_FRAMES) for t, f in zip(targets, first)]
        return Batch(
            heard=torch.from_numpy(np.stack(heard)).float(),
            told=torch.from_numpy(data.told[sources, variants]),
            frame=torch.from_numpy(first[:, None] + np.arange(CROP_FRAMES)).float(),
            pitch=torch.from_numpy(data.pitch[targets]),
            target=torch.from_numpy(np.stack(target)).float(),
            weight=torch.from_numpy(weight),
            blended=self._blended(sources, targets, first, rng),
        )

    def _target(self, source: int, transposed_share: float, rng: np.random.Generator) -> int:
        if rng.random() >= transposed_share:
            return source
        members = self._siblings[self._data.notes[source].instrument]
        if rng.random() >= FAR_SHARE:
            members = members[np.abs(self._data.pitch[members] - self._data.pitch[source]) <= LARGEST_TRANSPOSITION]
        return rng.choice(members)

    def _blended(self, sources, targets, first, rng: np.random.Generator) -> Blended:
        data = self._data
        found: list[tuple[int, int, int]] = []
        partners = rng.permutation(len(sources))
        for item in np.nonzero(rng.random(len(sources)) < BLENDED_SHARE)[0]:
            partner = partners[item]
            members = self._siblings[data.notes[sources[partner]].instrument]
            gap = np.abs(data.pitch[members] - data.pitch[targets[item]])
            # Two crops go together if both begin at an onset, or neither does.
            if partner != item and gap.min() <= NEAREST_SIBLING and (first[item] == 0) == (first[partner] == 0):
                found.append((item, partner, members[gap.argmin()]))
        share = rng.random(len(found), np.float32)
        columns = [data.columns(there, first[partner], CROP_FRAMES) for _, partner, there in found]
        ends = [[data.loudest(targets[item]) for item, _, _ in found], [data.loudest(there) for _, _, there in found]]
        stacked = lambda some, *shape: torch.from_numpy(np.stack(some) if some else np.zeros(shape, np.float16)).float()
        return Blended(
            of=torch.tensor([f[0] for f in found], dtype=torch.long),
            partner=torch.tensor([f[1] for f in found], dtype=torch.long),
            share=torch.from_numpy(share),
            target=stacked(columns, 0, CROP_FRAMES, FRAME_WIDTH),
            loudest=tuple(stacked(of, 0, FRAME_WIDTH) for of in ends),
        )
