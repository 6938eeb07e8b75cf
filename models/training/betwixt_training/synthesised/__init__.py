"""Instruments that no recording holds: more than 150 seeded synthesisers, each always the same sound, as training data.

`render` gives notes in the form of `soundfont.Soundfont.note`: 3 s held, 1 s of release, mono f32 at 48 kHz. The same
(index, pitch, velocity) is the same note, for ever: the noise in it is seeded by them. Velocity changes timbre and
attack as well as level. Pitched instruments are in tune with equal temperament (A4 = 440 Hz); where partials are not
harmonic, the first one is the pitch.
"""

import numpy as np
from scipy import signal

from ..columns import SAMPLE_RATE
from ..soundfont import NOTE_SAMPLES
from . import drums, fm, modal, organs, plucks, subtractive, voices, wavetable, winds
from .sound import Synthesised

_FAMILIES = {
    module.FAMILY: module for module in (fm, wavetable, subtractive, plucks, modal, organs, voices, winds, drums)
}
INSTRUMENTS: tuple[Synthesised, ...] = tuple(i for module in _FAMILIES.values() for i in module.instruments())

_LOUDEST_PEAK = 0.9
_SOFTEST_DB = -26.0  # of velocity 0 against 127
_SEED = 48_000
_NO_DC = signal.butter(2, 18.0, "highpass", fs=SAMPLE_RATE, output="sos")
_FADE = np.ones(NOTE_SAMPLES, np.float32)
_FADE[-960:] = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, 960))


def render(index: int, pitch: int, velocity: int) -> np.ndarray:
    """Note of `INSTRUMENTS[index]`, f32 `[192000]`, peak below 1. `pitch` MIDI 0..127, `velocity` 1..127.

    The pitch of an unpitched instrument transposes all of it, as resampling would, 60 being the sound as it is.
    """
    instrument = INSTRUMENTS[index]
    rng = np.random.default_rng((_SEED, index, pitch, velocity))
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    audio = _FAMILIES[instrument.family].render(instrument.parameters, hz, velocity / 127, rng)
    audio = signal.sosfilt(_NO_DC, audio.astype(np.float32)) * _FADE
    peak = _LOUDEST_PEAK * 10 ** (_SOFTEST_DB * (1 - velocity / 127) / 20)
    return (audio * (peak / max(np.abs(audio).max(), 1e-9))).astype(np.float32)
