"""The list of the factory sounds' recordings; rendering them needs the soundfonts, so it is not tested here."""

import numpy as np

from betwixt_training.factory import FACTORY, FAMILIES, ORIGINS, SOURCES, described
from betwixt_training.notes import SYNTHESISED
from betwixt_training.recordings import RECORDINGS, render
from betwixt_training.synthesised import INSTRUMENTS


def test_there_are_at_least_64_of_all_eleven_families_with_names_of_their_own():
    assert len(FACTORY) >= 64
    assert {recording.family for recording in FACTORY} == set(FAMILIES)
    assert len({recording.file for recording in FACTORY}) == len(FACTORY)
    assert FACTORY[: len(RECORDINGS)] == RECORDINGS


def test_each_says_how_it_sounds_its_source_author_and_licence():
    for recording in FACTORY:
        assert recording.tags[-1] in SOURCES and len(recording.tags) >= 2, recording.name
        row = described(recording)
        assert all(row[key] for key in ("name", "family", "author", "licence", "source")), recording.name
        assert (row["author"], row["licence"]) == ORIGINS[recording.font][1:], recording.name


def test_our_own_instruments_are_asked_for_pitches_that_they_have():
    for recording in FACTORY:
        if recording.font == SYNTHESISED:
            instrument = INSTRUMENTS[recording.program]
            assert instrument.lowest <= recording.pitch <= instrument.highest, recording.name


def test_a_recording_of_our_own_needs_no_soundfont():
    own = next(recording for recording in FACTORY if recording.font == SYNTHESISED)
    audio = render(own, "/nowhere")
    assert np.array_equal(audio, render(own, "/nowhere")) and 0.1 < np.abs(audio).max() < 1
