import json
import shutil

import numpy as np
import pytest
from conftest import TINY_NOTES, TINY_SHARD, ToneSource

from betwixt_training.columns import CENTS, FRAME_WIDTH
from betwixt_training.batches import Batches
from betwixt_training.dataset import FRAMES, LARGEST_MISTUNING, Dataset, make_dataset, shard_path, transposed
from betwixt_training.front import FRONT_WIDTH
from betwixt_training.notes import HELD_INSTRUMENT, HELD_PITCH, HELD_VELOCITY, TRAIN, note_list
from betwixt_training.refused import Refused
from betwixt_training.soundfont import FONTS, Missing, Preset, font_path

QUIET = dict(log=lambda line: None)


def test_a_missing_shard_is_made_again_the_same_and_finished_ones_are_skipped(tiny_work, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(tiny_work / "data", folder)
    kept = shard_path(folder, 0) / "columns.npy"
    stamp = kept.stat().st_mtime_ns
    shutil.rmtree(shard_path(folder, 1))
    half_made = folder / ".shard-0001.partial"  # as a kill leaves it
    half_made.mkdir()
    (half_made / "columns.npy").write_bytes(b"half")
    with pytest.raises(Refused, match="lacks 1 of 3"):
        Dataset(folder)
    assert make_dataset(folder, TINY_NOTES, ToneSource(), 1, TINY_SHARD, **QUIET) == 1
    assert kept.stat().st_mtime_ns == stamp and not half_made.exists()
    for name in ("columns", "heard", "told", "usable"):
        ours, theirs = (np.load(shard_path(d, 1) / f"{name}.npy") for d in (folder, tiny_work / "data"))
        assert np.array_equal(ours, theirs)
    assert make_dataset(folder, TINY_NOTES, ToneSource(), 1, TINY_SHARD, **QUIET) == 0


def test_processes_make_the_same_shards_as_one_does(tiny_work, tmp_path):
    make_dataset(tmp_path, TINY_NOTES[:4], ToneSource(), 2, TINY_SHARD, **QUIET)
    for shard in (0, 1):
        ours, theirs = (np.load(shard_path(d, shard) / "heard.npy") for d in (tmp_path, tiny_work / "data"))
        assert np.array_equal(ours, theirs)


def test_other_notes_are_not_mixed_into_a_data_folder(tiny_work, tmp_path):
    (tmp_path / "notes.json").write_text((tiny_work / "data" / "notes.json").read_text())
    with pytest.raises(Refused, match="other notes"):
        make_dataset(tmp_path, TINY_NOTES[:2], ToneSource(), 1, TINY_SHARD, **QUIET)


def test_the_data_hold_what_their_notes_are(tiny_work):
    data = Dataset(tiny_work / "data")
    assert data.usable.all() and data.notes == TINY_NOTES
    assert data.columns(3).shape == (FRAMES, FRAME_WIDTH) and data.heard(3, 1).shape == (FRAMES, FRONT_WIDTH)
    assert np.abs(data.columns(0)[20:350, CENTS]).max() < 1
    assert (data.told[:, 0] == data.pitch).all() and (data.told[:, 1] != data.pitch).all()
    assert not np.array_equal(data.heard(0, 0), data.heard(0, 1))


def test_batches_pair_pitches_of_one_instrument(tiny_work):
    batches = Batches(Dataset(tiny_work / "data"))
    same = batches.draw(16, 0.0, np.random.default_rng(0))
    assert (same.told - same.pitch).abs().max() <= LARGEST_MISTUNING + 1e-5
    mixed = batches.draw(16, 1.0, np.random.default_rng(0))
    assert (mixed.told - mixed.pitch).abs().max() > 5
    assert (same.weight[same.frame[:, 0] > 0, :15] == 0).all()


def test_blended_items_have_partners_of_their_own_kind_of_crop(tiny_work):
    data = Dataset(tiny_work / "data")
    batch = Batches(data).draw(64, 0.0, np.random.default_rng(0))
    blended = batch.blended
    assert 5 < len(blended.of) < 40 and blended.target.shape == (len(blended.of), *batch.target.shape[1:])
    assert ((batch.frame[blended.of, 0] == 0) == (batch.frame[blended.partner, 0] == 0)).all()
    assert (blended.of != blended.partner).all() and ((blended.share >= 0) & (blended.share < 1)).all()


def test_transposing_moves_the_spectrum_and_keeps_the_length():
    audio = np.sin(2 * np.pi * 1000 * np.arange(192_000) / 48_000).astype(np.float32)
    for semitones in (-12, 12):
        found = transposed(audio, semitones)
        peak = np.abs(np.fft.rfft(found[:48_000])).argmax()
        assert len(found) == len(audio) and abs(peak - 1000 * 2 ** (semitones / 12)) <= 1


def test_held_out_programs_and_pitches_are_apart_from_training():
    presets = {font: {p: Preset("x", 48, 84) for p in range(128)} for font in ("fluid", "musescore")}
    notes = note_list(presets)
    assert notes == note_list(dict(reversed(presets.items())))
    split = {s: [n for n in notes if n.split == s] for s in (TRAIN, HELD_PITCH, HELD_VELOCITY, HELD_INSTRUMENT)}
    assert {n.program % 10 for n in split[HELD_INSTRUMENT]} == {8}
    assert all(n.program % 10 != 8 for n in split[TRAIN] + split[HELD_PITCH])
    taught = {(n.font, n.program, n.pitch) for n in split[TRAIN]}
    assert all((n.font, n.program, n.pitch) not in taught for n in split[HELD_PITCH])
    assert all((n.font, n.program, n.pitch) in taught for n in split[HELD_VELOCITY])
    assert not {n.velocity for n in split[TRAIN]} & {n.velocity for n in split[HELD_PITCH] + split[HELD_VELOCITY]}
    assert all(24 <= n.pitch <= 96 for n in notes)
    assert 120 not in {n.program for n in notes if n.font in FONTS}
    assert len(note_list(presets, quick=True)) < len(notes) / 4


def test_a_missing_soundfont_names_its_package(tmp_path):
    for font, (_, package) in FONTS.items():
        with pytest.raises(Missing, match=f"apt install {package}"):
            font_path(font, tmp_path)


def test_the_note_list_on_disk_is_json(tiny_work):
    found = json.loads((tiny_work / "data" / "notes.json").read_text())
    assert found["notes_per_shard"] == TINY_SHARD and len(found["notes"]) == len(TINY_NOTES)
