"""The font reader and the renderer, on a SoundFont written here: one sine, as a preset and as the drum kit."""

import struct

import numpy as np
import pytest

from betwixt_training.columns import SAMPLE_RATE
from betwixt_training.metrics import f0_cents
from betwixt_training.soundfont import DRUM_KEYS, LIBRARY, NOTE_SAMPLES, Missing, Preset, Soundfont, presets

ROOT = 69


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listing(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", kind + b"".join(chunks))


def font_bytes() -> bytes:
    period, periods = 109, 100  # 440.37 Hz at 48 kHz
    wave = (20_000 * np.sin(2 * np.pi * np.arange(period * periods) / period)).astype("<i2").tobytes()
    name = lambda text: text.ljust(20, b"\0")
    generator = lambda op, amount: struct.pack("<HH", op, amount)
    samples = period * periods
    header = lambda n, end: name(n) + struct.pack(
        "<IIIIIBbHH", 0, end, period, max(0, end - period), SAMPLE_RATE, ROOT, 0, 0, 1
    )
    preset = lambda n, program, bank, zone: name(n) + struct.pack("<HHHIII", program, bank, zone, 0, 0, 0)
    info = listing(b"INFO", chunk(b"ifil", struct.pack("<HH", 2, 1)), chunk(b"isng", b"EMU8000\0"), chunk(b"INAM", b"test\0\0"))
    pdta = listing(
        b"pdta",
        chunk(b"phdr", preset(b"Sine", 5, 0, 0) + preset(b"Kit", 0, 128, 1) + preset(b"EOP", 0, 0, 2)),
        chunk(b"pbag", struct.pack("<HHHHHH", 0, 0, 1, 0, 2, 0)),
        chunk(b"pmod", b"\0" * 10),
        chunk(b"pgen", generator(41, 0) * 2 + generator(0, 0)),
        chunk(b"inst", name(b"Sine") + struct.pack("<H", 0) + name(b"EOI") + struct.pack("<H", 1)),
        chunk(b"ibag", struct.pack("<HHHH", 0, 0, 2, 0)),
        chunk(b"imod", b"\0" * 10),
        chunk(b"igen", generator(54, 1) + generator(53, 0) + generator(0, 0)),
        chunk(b"shdr", header(b"Sine", samples) + header(b"EOS", 0)),
    )
    body = b"sfbk" + info + listing(b"sdta", chunk(b"smpl", wave + b"\0" * 92)) + pdta
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture
def font(tmp_path):
    path = tmp_path / "sine.sf2"
    path.write_bytes(font_bytes())
    return path


def test_presets_tell_names_and_recorded_keys(font):
    assert presets(font) == {5: Preset("Sine", ROOT, ROOT)}


def test_a_note_is_rendered_at_its_pitch_or_the_missing_library_is_named(font):
    try:
        loaded = Soundfont(font)
    except Missing as error:
        # A machine that only exports and tests models need not have libfluidsynth.
        assert LIBRARY in str(error) and "apt install libfluidsynth3" in str(error)
        return
    audio = loaded.note(5, 57, 100)
    assert audio.shape == (NOTE_SAMPLES,) and audio.dtype == np.float32
    cents = f0_cents(audio, 57)[5:100]
    assert abs(np.nanmedian(cents) - 1200 * np.log2(SAMPLE_RATE / 109 / 440)) < 1
    assert np.abs(audio[: 2 * SAMPLE_RATE]).max() > 0.01 and np.abs(audio[-1000:]).max() < 1e-3


def test_a_drum_is_rendered_from_the_kit_in_the_form_of_a_note(font):
    try:
        loaded = Soundfont(font)
    except Missing:
        return
    loaded.drum(ROOT, 100)  # fluidsynth begins the first voice that it ever plays some samples later
    audio = loaded.drum(ROOT, 100)
    assert ROOT in DRUM_KEYS and audio.shape == (NOTE_SAMPLES,) and audio.dtype == np.float32
    assert np.abs(audio - loaded.note(5, ROOT, 100)).max() < 1e-3 * np.abs(audio).max()
