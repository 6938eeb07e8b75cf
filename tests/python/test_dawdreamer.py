"""The VST3 in DawDreamer: in tune, on time, automation inside a bounce heard, the same bytes twice."""

import dawdreamer
import numpy as np
import pytest

import spectrum

RATE = 48_000
TOLERANCE_CENTS = 2.0


class Session:
    """One engine with one instance of the plugin."""

    def __init__(self, vst3: str, rate: int = RATE, block: int = 128):
        self.engine = dawdreamer.RenderEngine(rate, block)
        self.plugin = self.engine.make_plugin_processor("betwixt", vst3)
        self.engine.load_graph([(self.plugin, [])])
        self.parameters = {p["name"]: p["index"] for p in self.plugin.get_parameters_description()}

    def play(self, notes, seconds: float) -> np.ndarray:
        """`notes`: (key, start, length) in seconds."""
        self.plugin.clear_midi()
        for key, start, length in notes:
            self.plugin.add_midi_note(key, 100, start, length)
        self.engine.render(seconds)
        return self.engine.get_audio()


@pytest.mark.parametrize("rate", [44_100, 48_000, 192_000])
def test_a_chord_is_in_tune(vst3, rate):
    chord = (45, 57, 61, 64, 76)
    audio = Session(vst3, rate).play([(key, 0.1, 1.6) for key in chord], 2.0)
    steady = audio[0, int(0.4 * rate) : int(1.6 * rate)]
    found = {key: round(spectrum.tuning_cents(steady, rate, key), 2) for key in chord}
    print(rate, found)
    assert max(map(abs, found.values())) <= TOLERANCE_CENTS, found


def test_notes_start_on_their_samples(vst3):
    reference = Session(vst3).play([(60, 0.0, 1.5)], 1.0)[0]
    for sample in (1, 127, 128, 129, 4_800):
        late = Session(vst3).play([(60, (sample + 0.5) / RATE, 1.5)], 1.0)[0]
        assert not late[:sample].any(), f"sound before the note at sample {sample}"
        assert np.array_equal(late[sample:], reference[: len(reference) - sample]), f"note at sample {sample}"


def automated(vst3) -> np.ndarray:
    session = Session(vst3, block=32)
    session.plugin.set_automation(session.parameters["Blend Y"], np.ones(6 * RATE))
    session.plugin.set_automation(session.parameters["Blend X"], np.linspace(0.0, 1.0, 6 * RATE))
    return session.play([(57, start, 0.8) for start in range(6)], 6.0)


def test_automating_the_blend_is_heard_from_note_to_note(vst3):
    audio = automated(vst3)[0]
    timbres = [
        spectrum.timbre(audio[int((start + 0.1) * RATE) : int((start + 0.8) * RATE)], RATE) for start in range(6)
    ]
    distances = [spectrum.distance_db(timbres[0], timbre) for timbre in timbres]
    print([round(distance, 1) for distance in distances])
    assert distances[5] > 3.0
    assert distances[1] < distances[4]


def held_chord(vst3, moves: bool) -> np.ndarray:
    """A chord of three seconds; the blend moves from left to right under it, or rests."""
    session = Session(vst3, block=32)
    session.plugin.set_automation(session.parameters["Blend Y"], np.ones(3 * RATE))
    way = np.clip(np.linspace(-0.5, 1.5, 3 * RATE), 0.0, 1.0) if moves else np.zeros(3 * RATE)
    session.plugin.set_automation(session.parameters["Blend X"], way)
    return session.play([(key, 0.0, 2.9) for key in (45, 57, 64)], 3.0)


def test_a_held_chord_follows_the_automated_blend(vst3):
    moved, still = held_chord(vst3, True), held_chord(vst3, False)
    assert moved.tobytes() == held_chord(vst3, True).tobytes()
    end = slice(int(2.5 * RATE), int(2.85 * RATE))
    distance = spectrum.distance_db(spectrum.timbre(moved[0, end], RATE), spectrum.timbre(still[0, end], RATE))
    print(round(distance, 1))
    assert distance > 2.0


def test_two_bounces_are_byte_identical(vst3):
    assert automated(vst3).tobytes() == automated(vst3).tobytes()


def test_block_sizes_do_not_change_a_bounce(vst3):
    notes = [(48, 0.0, 0.9), (60, 0.1, 0.5), (64, 0.333, 0.5), (67, 0.5, 0.4)]
    reference = Session(vst3, block=128).play(notes, 1.2)
    for block in (32, 256, 1024):
        assert reference.tobytes() == Session(vst3, block=block).play(notes, 1.2).tobytes(), f"blocks of {block}"
