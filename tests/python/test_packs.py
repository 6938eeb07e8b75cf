"""Packs in readers that know nothing of Betwixt: the SFZ in sfizz, NSynth's form as its page describes it, the XML as XML."""

import json
import subprocess
import zipfile
from xml.etree import ElementTree

import numpy as np
import pysfizz
import pytest
import soundfile

import spectrum

RATE = 48_000
TOLERANCE_CENTS = 3.0
# https://magenta.tensorflow.org/datasets/nsynth, "Feature Encodings", "Instrument Families", "Instrument Sources".
FAMILIES = ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal"]
SOURCES = ["acoustic", "electronic", "synthetic"]
QUALITIES = 10


@pytest.fixture
def pack(betwixt, tmp_path):
    """Renders a pack of the first preset; its folder."""

    def render(form, *options):
        folder = tmp_path / form
        command = [betwixt, "pack", "--preset", "init", "--format", form, "-o", str(folder), *options]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return folder

    return render


def test_sfizz_plays_the_sfz_in_tune_on_every_key_and_for_as_long_as_it_is_held(pack):
    folder = pack("sfz", "--keys", "48:84:6", "--velocities", "60,127", "--seconds", "2")
    synth = pysfizz.Synth(sample_rate=RATE, block_size=256)
    assert synth.load_sfz_file(next(folder.glob("*.sfz")))
    # The rendered keys, and those between, which play the nearest.
    found = {}
    for key in range(48, 85, 2):
        # Three times as long as the sample: the loop plays.
        left, _ = np.asarray(synth.render_note(key, 100, 5.5, 6.0))
        early, late = left[RATE : 2 * RATE], left[4 * RATE : 5 * RATE]
        found[key] = round(spectrum.tuning_cents(late, RATE, key), 2)
        level_db = 20.0 * np.log10(np.std(late) / np.std(early))
        assert abs(level_db) < 1.5, f"key {key} is {level_db:.2f} dB louder later"
    print(found)
    assert max(map(abs, found.values())) <= TOLERANCE_CENTS, found


def test_sfizz_plays_softer_notes_softer(pack):
    folder = pack("sfz", "--keys", "60", "--velocities", "60,127", "--seconds", "1")
    synth = pysfizz.Synth(sample_rate=RATE, block_size=256)
    assert synth.load_sfz_file(next(folder.glob("*.sfz")))
    levels = [np.std(np.asarray(synth.render_note(60, velocity, 0.7, 0.7))[0]) for velocity in (30, 60, 90, 127)]
    assert all(soft < loud for soft, loud in zip(levels, levels[1:])), levels


def test_the_dataset_s_form_is_what_its_page_says(pack):
    folder = pack("nsynth", "--keys", "60:67:7", "--velocities", "50,100")
    examples = json.loads((folder / "examples.json").read_text())
    assert len(examples) == 4
    for name, note in examples.items():
        instrument, pitch, velocity = name.rsplit("-", 2)
        assert note["note_str"] == name and note["instrument_str"] == instrument
        assert (int(pitch), int(velocity)) == (note["pitch"], note["velocity"])
        family, source = note["instrument_family_str"], note["instrument_source_str"]
        assert FAMILIES[note["instrument_family"]] == family and SOURCES[note["instrument_source"]] == source
        assert instrument == f"{family}_{source}_{note['instrument']:03}"
        assert len(note["qualities"]) == QUALITIES and len(note["qualities_str"]) == sum(note["qualities"])
        audio, rate = soundfile.read(folder / "audio" / f"{name}.wav")
        info = soundfile.info(folder / "audio" / f"{name}.wav")
        assert (rate, note["sample_rate"], info.channels, info.subtype) == (16_000, 16_000, 1, "PCM_16")
        assert len(audio) == 4 * rate
        # Held for three seconds, and let go.
        assert abs(spectrum.tuning_cents(audio[rate : 2 * rate], rate, note["pitch"])) <= TOLERANCE_CENTS
        assert np.std(audio[-rate // 10 :]) < 0.1 * np.std(audio[2 * rate : 3 * rate])


def test_a_dspreset_names_samples_that_are_there_for_all_keys_once(pack):
    folder = pack("decentsampler", "--keys", "48:72:12", "--seconds", "1")
    root = ElementTree.parse(next(folder.glob("*.dspreset"))).getroot()
    assert root.tag == "DecentSampler"
    samples = root.findall("./groups/group/sample")
    keys = []
    for sample in samples:
        low, high, middle = (int(sample.get(name)) for name in ("loNote", "hiNote", "rootNote"))
        assert low <= middle <= high and sample.get("loopEnabled", "true") == "true"
        frames = soundfile.info(folder / sample.get("path")).frames
        assert 0 <= int(sample.get("loopStart")) < int(sample.get("loopEnd")) < frames
        keys.extend(range(low, high + 1))
    assert len(samples) == 3 and sorted(keys) == list(range(128))


def test_a_multisample_is_a_zip_of_its_mapping_and_all_that_it_names(pack):
    folder = pack("multisample", "--keys", "48:72:12", "--seconds", "1")
    with zipfile.ZipFile(next(folder.glob("*.multisample"))) as archive:
        assert archive.testzip() is None
        root = ElementTree.fromstring(archive.read("multisample.xml"))
        assert root.tag == "multisample" and root.get("name")
        names = set(archive.namelist()) - {"multisample.xml"}
        for sample in root.findall("sample"):
            with archive.open(sample.get("file")) as file:
                audio, rate = soundfile.read(file)
            key, loop = sample.find("key"), sample.find("loop")
            assert int(key.get("low")) <= int(key.get("root")) <= int(key.get("high"))
            start, stop = float(loop.get("start")), float(loop.get("stop"))
            assert 0.0 <= start < stop <= len(audio)
            # Once round the loop and again: no step at the seam that the signal has not elsewhere.
            left = audio if audio.ndim == 1 else audio[:, 0]
            cycle = left[int(start) : int(stop)]
            seam = np.diff(np.concatenate([cycle[-64:], cycle[:64]]))
            assert np.abs(seam).max() <= 1.01 * np.abs(np.diff(cycle)).max()
            root_note = int(key.get("root"))
            assert abs(spectrum.tuning_cents(np.tile(cycle, 1 + rate // len(cycle)), rate, root_note)) <= TOLERANCE_CENTS
            names.discard(sample.get("file"))
        assert not {name for name in names if name.endswith(".wav")}
