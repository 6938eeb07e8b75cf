"""The step graphs against Magenta's equations."""

import numpy as np
import onnx
import pytest
from betwixt_training.wavenet import mu_law, step_fixture
from betwixt_training.wavenet.eight_bit import LARGEST_WEIGHT, calibration_notes, flow
from betwixt_training.wavenet.step_graph import Network, export_step
from betwixt_training.wavenet.step_runner import StepRunner, teacher_forced
from onnx import numpy_helper

STEPS = 200


@pytest.fixture(scope="module")
def weights():
    return step_fixture.random_weights(7)


@pytest.fixture(scope="module")
def note():
    generator = np.random.default_rng(3)
    audio = mu_law.decode(generator.integers(-128, 128, STEPS))
    return audio, generator.standard_normal((1, step_fixture.DIMS)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(weights, note):
    audio, embedding = note
    before = np.concatenate([np.zeros(1, np.float32), audio[:-1]])
    return step_fixture.fastgen(weights, mu_law.inflow(before), embedding)


@pytest.fixture(scope="module")
def eight_bit(weights, note, tmp_path_factory):
    folder = tmp_path_factory.mktemp("eight_bit")
    typical = [(audio, np.repeat(note[1], 4, 0)) for audio in calibration_notes()]
    export_step(weights, folder, int8=True, typical=typical)
    return folder


def test_float_logits_are_those_of_magentas_equations(weights, note, expected, tmp_path):
    export_step(weights, tmp_path)
    logits = teacher_forced(StepRunner(tmp_path), *note, step_fixture.HOP_SAMPLES)
    assert np.abs(logits - expected).max() < 1e-5


def test_eight_bit_logits_are_near_them(note, expected, eight_bit):
    logits = teacher_forced(StepRunner(eight_bit), *note, step_fixture.HOP_SAMPLES)
    assert 0 < np.abs(logits - expected).mean() < 0.05 * np.abs(expected).mean()


def test_notes_in_lockstep_are_what_they_are_alone(note, eight_bit):
    audio, embedding = note
    runner, alone = StepRunner(eight_bit), StepRunner(eight_bit)
    for sample in audio[:40]:
        together = runner.step(np.float32([sample, 0, -sample]), np.concatenate([embedding, -embedding, embedding]))
        np.testing.assert_array_equal(together[:1], alone.step(np.float32([sample]), embedding))


def test_weights_stay_where_no_processor_saturates(eight_bit):
    kinds = [onnx.TensorProto.INT8]
    for path in eight_bit.glob("*.onnx"):
        matrices = [t for t in onnx.load(str(path)).graph.initializer if t.data_type in kinds and len(t.dims) == 2]
        assert matrices
        assert max(np.abs(numpy_helper.to_array(t)).max() for t in matrices) <= LARGEST_WEIGHT


def test_eight_bits_want_typical_notes(weights, tmp_path):
    with pytest.raises(ValueError, match="typical"):
        export_step(weights, tmp_path, int8=True)


def test_missing_weights_are_named(weights, tmp_path):
    with pytest.raises(KeyError, match="res_3/W"):
        export_step({name: values for name, values in weights.items() if name != "res_3/W"}, tmp_path)


def test_a_layer_hears_nothing_before_a_note(weights, note):
    taps, gate = next(flow(Network(weights), *note))
    assert taps.shape[1] == 3 * step_fixture.WIDTH
    np.testing.assert_array_equal(taps[0, : 2 * step_fixture.WIDTH], 0)
    assert np.abs(gate).max() < 1


def test_every_level_comes_back_as_itself_and_silence_is_silent():
    levels = np.arange(-128, 128)
    np.testing.assert_array_equal(mu_law.encode(mu_law.decode(levels)), levels)
    assert mu_law.decode(np.int32([0]))[0] == 0 and mu_law.encode(np.float32([1.0]))[0] == 127
