from pathlib import Path

import pytest
import torch

from betwixt_training.curve import read_curve
from betwixt_training.refused import Refused
from betwixt_training.train import Checkpoint, Plan, checkpoint_path, curve_path, train, tuning_plan

QUIET = dict(every=2, log=lambda line: None)


def tiny_plan(processes: int = 1) -> Plan:
    return Plan(6, 2, processes, encoder_width=16, encoder_hidden=16, decoder_width=16, decoder_hidden=16)


@pytest.fixture
def work(tiny_work, tmp_path) -> Path:
    (tmp_path / "data").symlink_to(tiny_work / "data")
    return tmp_path


def weights(work: Path) -> dict:
    found = Checkpoint.load(checkpoint_path(work))
    return {**found.encoder, **{f"decoder.{k}": v for k, v in found.decoder.items()}}


def test_a_killed_run_goes_on_to_the_very_same_weights(work, tmp_path_factory):
    whole = tmp_path_factory.mktemp("whole")
    (whole / "data").symlink_to(work / "data")
    train(whole, tiny_plan(), **QUIET)
    train(work, tiny_plan(), stop_after=3, **QUIET)  # dies a step after the checkpoint of step 2
    assert Checkpoint.load(checkpoint_path(work)).step == 2
    train(work, tiny_plan(), **QUIET)
    ours, theirs = weights(work), weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert [r["step"] for r in read_curve(curve_path(work))] == ["2", "4", "6"]


def test_a_finished_run_is_left_alone(work):
    train(work, tiny_plan(), **QUIET)
    before = weights(work)
    train(work, tiny_plan(), **QUIET)
    assert all(torch.equal(before[k], v) for k, v in weights(work).items())


def test_two_processes_train_one_network(work):
    train(work, tiny_plan(processes=2), every=3, log=print)
    assert Checkpoint.load(checkpoint_path(work)).step == 6


def test_another_plan_does_not_go_on_from_a_checkpoint(work):
    train(work, tiny_plan(), stop_after=2, **QUIET)
    with pytest.raises(Refused, match="another plan"):
        train(work, Plan(8, 2, 1), **QUIET)


def test_a_run_may_be_made_longer_until_its_rate_falls(work):
    train(work, tiny_plan(), stop_after=2, **QUIET)
    longer = Plan(8, 2, 1, encoder_width=16, encoder_hidden=16, decoder_width=16, decoder_hidden=16)
    train(work, longer, **QUIET)
    assert Checkpoint.load(checkpoint_path(work)).step == 8
    with pytest.raises(Refused, match="another plan"):
        train(work, tiny_plan(), **QUIET)


def test_the_rate_rises_stays_and_falls():
    plan = Plan(1000)
    rates = [plan.learning_rate(step) for step in range(1000)]
    assert rates[0] < rates[199] == rates[599] > rates[800] > rates[999] > 0


def test_a_run_may_begin_with_trained_networks(work, tmp_path_factory):
    train(work, tiny_plan(), **QUIET)
    begun, tuned = checkpoint_path(work), tmp_path_factory.mktemp("tuned")
    (tuned / "data").symlink_to(work / "data")
    plan = tuning_plan(begun, 4, 2, 1, 1, True)
    train(tuned, plan, begun=begun, stop_after=3, **QUIET)
    train(tuned, plan, begun=begun, **QUIET)
    ours, theirs = weights(tuned), weights(work)
    assert [r["step"] for r in read_curve(curve_path(tuned))] == ["2", "4"]
    changed = [float((ours[k] - v).abs().max()) for k, v in theirs.items()]
    assert 0 < max(changed) < 1e-3  # four steps at the beginning of a slow rise
    assert plan.learning_rate(3) < tiny_plan().learning_rate(3)
    with pytest.raises(Refused, match="another plan"):
        train(tuned, tiny_plan(), **QUIET)


def test_training_without_data_says_what_to_run(tmp_path):
    with pytest.raises(Refused, match="betwixt_training data"):
        train(tmp_path, tiny_plan(), **QUIET)


def test_the_loss_falls(work):
    plan = Plan(80, 4, 1, encoder_width=32, encoder_hidden=32, decoder_width=32, decoder_hidden=32)
    train(work, plan, every=20, log=lambda line: None)
    first, *_, last = read_curve(curve_path(work))
    assert float(last["loss"]) < 0.7 * float(first["loss"])
