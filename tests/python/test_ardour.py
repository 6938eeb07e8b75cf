"""The VST3 in Ardour: a session with MIDI and blend automation, exported without a screen."""

import numpy as np
import pytest
import soundfile

import spectrum
from ardour import host

pytestmark = pytest.mark.skipif(not host.is_installed(), reason="Ardour 7 is not installed (Debian: ardour)")

RATE = 48_000
SECONDS = 6.0
CHORD = (45, 57, 61, 64)
TOLERANCE_CENTS = 2.0
# A chord each second and a half; the blend moves from left to right meanwhile.
NOTES = [(key, start, 1.25) for start in (0.0, 1.5, 3.0, 4.5) for key in CHORD]


@pytest.fixture(scope="module")
def exports(vst3, tmp_path_factory):
    """Two exports of one session."""
    folder = tmp_path_factory.mktemp("ardour")
    ardour = host.Ardour(folder, vst3)
    session = ardour.session("blend", NOTES, SECONDS)
    return [ardour.export(session, folder / name) for name in ("first.wav", "second.wav")]


@pytest.fixture(scope="module")
def recording(exports):
    samples, rate = soundfile.read(exports[0])
    assert rate == RATE
    return samples[:, 0]


def test_its_chords_are_in_tune(recording):
    for start in (0.0, 1.5, 3.0, 4.5):
        steady = recording[int((start + 0.2) * RATE) : int((start + 1.2) * RATE)]
        found = {key: round(spectrum.tuning_cents(steady, RATE, key), 2) for key in CHORD}
        print(start, found)
        assert max(map(abs, found.values())) <= TOLERANCE_CENTS, found


def test_the_first_note_starts_at_the_start(recording):
    assert spectrum.first_sound(recording) < 0.01 * RATE


def test_the_automated_blend_is_heard(recording):
    timbres = [
        spectrum.timbre(recording[int((start + 0.1) * RATE) : int((start + 1.2) * RATE)], RATE)
        for start in (0.0, 1.5, 3.0, 4.5)
    ]
    distances = [spectrum.distance_db(timbres[0], timbre) for timbre in timbres]
    print([round(distance, 1) for distance in distances])
    assert distances[3] > 3.0
    assert distances[1] < distances[3]


def test_two_exports_are_byte_identical(exports):
    first, second = (soundfile.read(path, dtype="float32")[0] for path in exports)
    assert np.abs(first).max() > 1e-3
    assert first.tobytes() == second.tobytes()
