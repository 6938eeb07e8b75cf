import torch

from betwixt_training.columns import AMPLITUDE, AMPLITUDE_COUNT, FRAME_WIDTH, NOISE
from betwixt_training.losses import loudness_db
from betwixt_training.mixing import mixed_columns


def columns(*sounding: int) -> torch.Tensor:
    """One note of 5 frames: partials of -30 dB in the columns named, nothing else."""
    found = torch.zeros(1, 5, FRAME_WIDTH)
    found[..., AMPLITUDE] = -100.0
    found[..., NOISE] = -120.0
    found[..., list(sounding)] = -30.0
    return found


def loudness(of: torch.Tensor) -> torch.Tensor:
    return loudness_db(of[..., AMPLITUDE], of[..., NOISE], torch.tensor([60.0]))


def mixed(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:
    return mixed_columns(a, b, torch.tensor([share]), torch.tensor([60.0]))


def test_between_two_sounds_of_nothing_in_common_there_is_no_hole():
    low, high = columns(1, 3), columns(15, 19)
    for share in (0.25, 0.5, 0.75):
        between = (1 - share) * loudness(low) + share * loudness(high)
        assert (loudness(mixed(low, high, share)) - between).abs().max() < 1e-3


def test_at_its_ends_a_blend_is_its_parents():
    low, high = columns(1, 3), columns(15, 19)
    for share, parent in ((0.0, low), (1.0, high)):
        sounding = parent[..., AMPLITUDE] > -90
        found = mixed(low, high, share)[..., AMPLITUDE]
        assert (found - parent[..., AMPLITUDE])[sounding].abs().max() < 0.1
        assert found[~sounding].max() < -99 and found.shape[-1] == AMPLITUDE_COUNT


def test_a_partial_lies_where_the_stronger_parent_has_it():
    low, high = columns(1), columns(3)
    low[..., AMPLITUDE_COUNT + 1] = 0.2
    high[..., AMPLITUDE_COUNT + 1] = -0.2
    assert (mixed(low, high, 0.5)[..., AMPLITUDE_COUNT + 1] > 0.19).all()
