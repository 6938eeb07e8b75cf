"""The VST3 in pedalboard: in tune, on time, the blend heard, the same bytes twice, its state kept."""

import numpy as np
import pytest
from mido import Message
from pedalboard import load_plugin

import spectrum

RATE = 48_000
TOLERANCE_CENTS = 2.0


def notes(*events):
    """(key, start, length) in seconds, as messages."""
    messages = []
    for key, start, length in events:
        messages.append(Message("note_on", note=key, velocity=100, time=start))
        messages.append(Message("note_off", note=key, time=start + length))
    return sorted(messages, key=lambda message: message.time)


def play(plugin, messages, seconds, buffer_size=512, rate=RATE, reset=True):
    return plugin(
        messages, duration=seconds, sample_rate=rate, num_channels=2, buffer_size=buffer_size, reset=reset
    )


@pytest.fixture
def plugin(vst3):
    return load_plugin(vst3)


def test_it_is_an_instrument_with_its_parameters(plugin):
    assert plugin.is_instrument
    names = {"blend_x", "blend_y", "attack", "decay", "sustain", "release", "gain"}
    names |= {"start", "stretch", "freeze", "heat", "push", "attack_from", "width", "brightness", "own_ending"}
    names |= {"voices", "glide", "mpe", "pressure_to", "slide_to", "bend_range", "mpe_bend_range"}
    assert names <= set(plugin.parameters)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_chord_is_in_tune(plugin, rate):
    chord = (45, 57, 61, 64, 76)
    audio = play(plugin, notes(*((key, 0.1, 1.6) for key in chord)), 2.0, rate=rate)
    steady = audio[0, int(0.4 * rate) : int(1.6 * rate)]
    found = {key: round(spectrum.tuning_cents(steady, rate, key), 2) for key in chord}
    print(rate, found)
    assert max(map(abs, found.values())) <= TOLERANCE_CENTS, found


def test_notes_start_on_their_samples(plugin):
    reference = play(plugin, notes((60, 0.0, 1.0)), 1.0)[0]
    for sample in (1, 511, 512, 513, 4_800, 12_345):
        # Half a sample more: pedalboard cuts times down to samples.
        late = play(plugin, notes((60, (sample + 0.5) / RATE, 1.0)), 1.0)[0]
        assert not late[:sample].any(), f"sound before the note at sample {sample}"
        assert np.array_equal(late[sample:], reference[: len(reference) - sample]), f"note at sample {sample}"


def test_two_bounces_are_byte_identical(vst3, plugin):
    messages = notes((48, 0.0, 0.9), (60, 0.1, 0.5), (64, 0.333, 0.5), (67, 0.5, 0.4))
    first = play(plugin, messages, 1.2)
    assert np.abs(first).max() > 1e-3
    assert first.tobytes() == play(plugin, messages, 1.2).tobytes(), "the same instance"
    assert first.tobytes() == play(load_plugin(vst3), messages, 1.2).tobytes(), "another instance"
    for buffer_size in (32, 333, 8192):
        assert first.tobytes() == play(plugin, messages, 1.2, buffer_size).tobytes(), f"blocks of {buffer_size}"


def test_the_blend_is_heard(plugin):
    timbres = []
    plugin.parameters["blend_y"].raw_value = 1.0
    for x in (0.0, 0.5, 1.0):
        plugin.parameters["blend_x"].raw_value = x
        audio = play(plugin, notes((57, 0.0, 1.4)), 1.5)
        timbres.append(spectrum.timbre(audio[0, int(0.1 * RATE) : int(1.3 * RATE)], RATE))
    left, middle, right = timbres
    assert spectrum.distance_db(left, right) > 3.0
    assert spectrum.distance_db(left, middle) < spectrum.distance_db(left, right)


def test_a_blend_moved_while_notes_sound_is_heard_in_the_next_note(plugin):
    plugin.parameters["blend_y"].raw_value = 1.0
    plugin.parameters["blend_x"].raw_value = 0.0
    first = play(plugin, notes((57, 0.0, 0.9)), 1.0)
    plugin.parameters["blend_x"].raw_value = 1.0
    second = play(plugin, notes((57, 0.0, 0.9)), 1.0, reset=False)
    timbres = [spectrum.timbre(audio[0, int(0.1 * RATE) : int(0.9 * RATE)], RATE) for audio in (first, second)]
    assert spectrum.distance_db(*timbres) > 3.0


def held_chord(plugin, blends):
    """A chord that is held while the blend takes each of some places for half a second."""
    plugin.parameters["blend_y"].raw_value = 1.0
    parts = []
    for index, x in enumerate(blends):
        plugin.parameters["blend_x"].raw_value = x
        messages = [Message("note_on", note=key, velocity=100, time=0.0) for key in (45, 57, 64)] if index == 0 else []
        parts.append(play(plugin, messages, 0.5, reset=index == 0))
    return np.concatenate(parts, axis=1)


def test_a_held_chord_follows_the_blend(vst3):
    blends = np.linspace(0.0, 1.0, 5)
    moved = held_chord(load_plugin(vst3), blends)
    assert moved.tobytes() == held_chord(load_plugin(vst3), blends).tobytes()
    still = held_chord(load_plugin(vst3), np.zeros(5))
    assert np.array_equal(moved[:, : RATE // 2], still[:, : RATE // 2])
    end = slice(int(2.1 * RATE), int(2.5 * RATE))
    distance = spectrum.distance_db(spectrum.timbre(moved[0, end], RATE), spectrum.timbre(still[0, end], RATE))
    print(round(distance, 1))
    assert distance > 2.0


def on_channels(vst3, mpe: bool, *messages):
    """A low note on the second MIDI channel and a high one on the third, and what is sent to them after half a second."""
    plugin = load_plugin(vst3)
    plugin.parameters["blend_y"].raw_value = 1.0
    plugin.parameters["blend_x"].raw_value = 0.2
    plugin.parameters["mpe"].raw_value = float(mpe)
    # The first of four targets after "Off": Blend X.
    for name in ("pressure_to", "slide_to"):
        plugin.parameters[name].raw_value = 0.25
    return play(plugin, sorted(messages, key=lambda message: message.time), 1.5)


LOW = Message("note_on", channel=1, note=50, velocity=100, time=0.0)
HIGH = Message("note_on", channel=2, note=69, velocity=100, time=0.0)


@pytest.mark.parametrize(
    "change",
    [
        Message("control_change", channel=1, control=74, value=127, time=0.5),
        Message("aftertouch", channel=1, value=127, time=0.5),
        Message("pitchwheel", channel=1, pitch=1000, time=0.5),
    ],
    ids=["slide", "pressure", "bend"],
)
def test_a_channel_is_a_note_with_mpe_and_slide_and_pressure_mean_nothing_without(vst3, change):
    moved, still = on_channels(vst3, True, LOW, change), on_channels(vst3, True, LOW)
    assert np.array_equal(moved[:, : RATE // 2 - 512], still[:, : RATE // 2 - 512])
    assert np.abs(moved - still).max() > 1e-3, "not heard"
    other = on_channels(vst3, True, HIGH)
    both = on_channels(vst3, True, LOW, HIGH, change)
    worst = np.abs(both - moved - other).max()
    print(worst)
    assert worst < 1e-5, "the other channel's note moves too"
    if change.type != "pitchwheel":
        assert np.array_equal(on_channels(vst3, False, LOW, change), on_channels(vst3, False, LOW))


def test_a_keys_own_pressure_is_heard_without_mpe(vst3):
    pressed = Message("polytouch", channel=1, note=50, value=127, time=0.5)
    difference = on_channels(vst3, False, LOW, pressed) - on_channels(vst3, False, LOW)
    assert np.abs(difference).max() > 1e-3


def test_a_state_carries_over_to_another_instance(vst3, plugin):
    plugin.parameters["blend_x"].raw_value = 0.3
    plugin.parameters["attack"].raw_value = 0.4
    messages = notes((55, 0.0, 0.8), (62, 0.2, 0.6))
    sound, state = play(plugin, messages, 1.0), plugin.raw_state
    other = load_plugin(vst3)
    assert play(other, messages, 1.0).tobytes() != sound.tobytes()
    other.raw_state = state
    assert other.parameters["blend_x"].raw_value == pytest.approx(0.3, abs=1e-6)
    assert play(other, messages, 1.0).tobytes() == sound.tobytes()
