import json
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import tone

from betwixt_training import evaluate as evaluation
from betwixt_training.dataset import Dataset
from betwixt_training.decoder import Decoder
from betwixt_training.encoder import EncoderNet
from betwixt_training.evaluation import blends, robustness, space, splits
from betwixt_training.evaluation.bench import Bench
from betwixt_training.evaluation.distances import attack_distances, distances, summary
from betwixt_training.evaluation.goals import Goal, goal_table
from betwixt_training.instrument import Instrument
from betwixt_training.notes import HELD_INSTRUMENT, HELD_PITCH

needs_crepe = pytest.mark.skipif(find_spec("torchcrepe") is None, reason="the extra `evaluate` is not installed")


class Tones:
    """Stands where the soundfonts stand."""

    def render(self, note):
        return None if note.velocity == 0 else tone(note.pitch, 0.2 + 0.1 * (note.program % 8))

    def unseen_notes(self, count, programs=()):
        return []


@pytest.fixture(scope="module")
def model() -> Instrument:
    torch.manual_seed(0)
    return Instrument(EncoderNet(16, 16), Decoder(16, 16))


@pytest.fixture
def bench(model):
    with Bench(model, Tones(), 1, lambda line: None) as made:
        yield made


@pytest.fixture
def data(tiny_work, monkeypatch) -> Dataset:
    of_fonts = lambda font: font == "tones"
    monkeypatch.setattr(splits, "SPLITS", {s: (s, of_fonts) for s in (HELD_PITCH, HELD_INSTRUMENT)})
    return Dataset(tiny_work / "data")


@needs_crepe
def test_splits_measure_model_ceiling_and_nearest_note(bench, data):
    found = splits.measure(bench, data, 3)
    assert found.keys() == {HELD_PITCH, HELD_INSTRUMENT}  # the unseen bank is not there
    for of in found.values():
        systems = of["systems"]
        assert systems.keys() == {splits.CEILING, splits.MODEL, splits.NEAREST, splits.RESAMPLED}
        assert systems[splits.CEILING]["mel"]["mean"] < 1 < systems[splits.MODEL]["mel"]["mean"]
        assert systems[splits.CEILING]["outliers"]["mean"] == 0
    lines = splits.tables(found)
    assert all(line.count("|") == len(splits.FIGURES) + 3 for line in lines[:10])
    assert [g.met for g in splits.goals(found)][0] is False


def test_the_nearest_note_is_of_the_same_program_or_else_the_most_alike(data):
    nearest = splits.Nearest(data)
    known, unknown = (data.notes[data.indices(s)[0]] for s in (HELD_PITCH, HELD_INSTRUMENT))
    found = [data.notes[nearest.find(note, Tones().render(note))] for note in (known, unknown)]
    assert (found[0].program, found[0].pitch) == (1, 62)
    assert found[1].program == 4  # brightness 0.6 against 0.3, of program 6's 0.8


def test_silent_notes_are_left_out(bench, data):
    note = data.notes[data.indices(HELD_PITCH)[0]]
    silent = SimpleNamespace(**{**note.__dict__, "velocity": 0})
    assert len(list(splits.jobs(bench, data, splits.Nearest(data), [note, silent]))) == 1


@needs_crepe
def test_a_pair_of_sounds_is_measured_and_judged(model):
    job = blends.Job(("a", "b"), (tone(60, 0.3), tone(64, 0.8)), (60, 64), 62)
    row = blends.measure_pair(model, job)
    assert len(row["steps"]) == 8 and row["passes"].keys() == set(blends.CHECKS)
    assert row["passes"]["even"] == (max(row["steps"]) <= 2 * min(row["steps"]))
    json.dumps(row)
    table = blends.tables([row])
    assert len({line.count("|") for line in table}) == 1
    assert blends.goals([row])[-1].figure == all(row["passes"].values())


def test_past_the_edge_is_judged_by_level_peak_and_number(model):
    job = blends.Job(("a", "b"), (tone(60, 0.3), tone(64, 0.8)), (60, 64), 62)
    row = space.measure_beyond(model, job)
    assert len(row["at"]) == 2 and all(f["finite"] for f in row["at"])


def test_the_layout_of_a_space_without_pitch_and_with_families(monkeypatch):
    rng = np.random.default_rng(0)
    names = ["Oboe", "Clarinet", "Trumpet", "Trombone", "Violin", "Cello"]
    place = {name: rng.standard_normal(16) + 10 * (i // 2) for i, name in enumerate(names)}
    still = lambda name: np.repeat((place[name] + 0.1 * rng.standard_normal(16))[None], 60, 0)
    found = space.layout({(name, pitch): still(name) for name in names for pitch in (48, 54, 60, 66, 72)})
    assert found["pitch_r2"] < 0.3 and found["octave_ratio"] < 0.1
    assert found["family_accuracy"] == 1 and found["own_nearest"] == 1 and found["family_chance"] < 0.5


def test_gain_does_not_change_what_is_encoded(model):
    note = SimpleNamespace(pitch=60)
    found = robustness.measure_note(model, (note, tone(60)))
    for name in ("6 dB softer", "20 dB softer"):
        assert abs(found[name]["mel"]) < 0.01 and found[name]["moved"] < 0.05
    assert found.keys() == robustness.DISTURBANCES.keys()


def test_a_disturbed_recording_is_as_late_soft_and_noisy_as_it_is_said_to_be():
    x = tone(60)
    late = robustness.disturbed(x, 200, -6.0, None)
    assert (late[:200] == 0).all() and np.allclose(late[200:], x[:-200] * 10 ** (-6 / 20), atol=1e-6)
    floor = robustness.disturbed(np.zeros_like(x), 0, 0.0, -60.0)
    assert 20 * np.log10(floor.std()) == pytest.approx(-60, abs=0.1)


def test_all_distances_of_a_note_from_itself_are_none():
    x = tone(60)
    assert all(v == 0 for v in (distances(x, x, 60) | attack_distances(x, x, 60)).values())


def test_a_summary_counts_only_the_notes_that_have_a_figure():
    found = summary([{"f0": 1.0, "mel": 2.0}, {"mel": float("nan")}, {"mel": 4.0}])
    assert found["notes"] == 3 and found["f0"]["of"] == 1 and found["mel"] == {"mean": 3.0, "median": 3.0, "of": 2}


def test_goals_say_which_are_met():
    goals = [Goal("a", 1.0, at_most=2.0), Goal("b", 11, at_least=12, digits=0), Goal("c", float("nan"), at_most=1.0)]
    assert [g.met for g in goals] == [True, False, False]
    text = "\n".join(goal_table(goals))
    assert "1 of 3 met" in text and "| b | 11 | >= 12 | **not met** |" in text


def test_sections_run_alone_and_what_was_known_of_the_same_model_stays(bench, tmp_path, monkeypatch):
    section = lambda name: SimpleNamespace(
        measure=lambda *_: {"name": name, "ran": next(runs)}, tables=lambda found: [f"ran {found['ran']}"]
    )
    runs = iter(range(10))
    monkeypatch.setattr(evaluation, "SECTIONS", {n: (section(n), n.upper()) for n in ("first", "second")})
    evaluation.evaluate(bench, None, tmp_path, "one", 4)
    found = evaluation.evaluate(bench, None, tmp_path, "one", 4, ["second"])["sections"]
    assert (found["first"]["ran"], found["second"]["ran"]) == (0, 2)
    text = (tmp_path / "evaluation.md").read_text()
    assert "### FIRST\n\nran 0" in text and "### SECOND\n\nran 2" in text
    found = evaluation.evaluate(bench, None, tmp_path, "another", 4, ["first"])["sections"]
    assert found.keys() == {"first"} and json.loads((tmp_path / "evaluation.json").read_text())["model"] == "another"
