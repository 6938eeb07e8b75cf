import torch

from betwixt_training.columns import AMPLITUDE, AMPLITUDE_COUNT, FRAME_WIDTH, NOISE
from betwixt_training.losses import loudness_db
from betwixt_training.mel import mel_of_columns
from betwixt_training.mixing import mixed_columns


def columns(*sounding: int) -> torch.Tensor:
    """One note of 6 frames: partials of -30 dB in the columns named, nothing else."""
    found = torch.zeros(1, 6, FRAME_WIDTH)
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
        over = loudness(mixed(low, high, share)) - between
        assert over.min() > -1e-3 and over.max() < 0.1


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


def mel(of: torch.Tensor) -> torch.Tensor:
    found = mel_of_columns(of[..., AMPLITUDE], of[..., NOISE], torch.tensor([60.0]))
    return torch.maximum(found, torch.tensor(-30.0 - 70))


def test_equal_shares_are_equal_steps_and_the_middle_is_in_the_middle():
    dull, bright = columns(1), columns(*range(1, 60))
    way = [mel(mixed(dull, bright, share)) for share in torch.linspace(0, 1, 9).tolist()]
    steps = [float((a - b).abs().mean()) for a, b in zip(way, way[1:])]
    assert max(steps) / min(steps) < 1.8
    halves = [float((way[4] - end).abs().mean()) for end in (way[0], way[8])]
    assert max(halves) / min(halves) < 1.25


def test_a_part_of_a_note_is_mixed_as_the_whole_note_is():
    struck, held = columns(1, 3), columns(15, 19)
    struck[:, 3:, AMPLITUDE] -= 40  # decays
    loudest = struck[:, 0], held[:, 0]
    share, pitch = torch.tensor([0.4]), torch.tensor([60.0])
    whole = mixed_columns(struck, held, share, pitch, loudest)
    part = mixed_columns(struck[:, 3:], held[:, 3:], share, pitch, loudest)
    assert (whole[:, 3:] - part).abs().max() < 1e-4
