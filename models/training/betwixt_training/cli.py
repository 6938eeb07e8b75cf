"""The command line. Exit code 2 and one sentence for what the user can put right. What a command needs is imported when it
runs: `--help` waits for no torch, and the import of a checkpoint needs none."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from .refused import Refused
from .soundfont import DEFAULT_FOLDER, FONTS, Missing
from .wavenet import commands as wavenet

PACKAGE = Path(__file__).resolve().parent
DEFAULT_WORK = PACKAGE.parent / "work"
DEFAULT_STEPS = 8700
QUICK_STEPS, QUICK_WIDTH = 700, 128
DEFAULT_MODEL = PACKAGE.parent.parent / "spectral"
# Recordings whose decoding is kept as reference vectors, and the pitches they are decoded at.
REFERENCE_PITCHES = {"Upright Bass": 36.0, "Flute": 72.5}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (Missing, Refused) as error:
        print(f"betwixt_training: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="betwixt_training", description="Makes the models of Betwixt.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, help: str, work: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        if work:
            sub.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder of data and checkpoints [%(default)s]")
        return sub

    def soundfonts(sub):
        sub.add_argument("--soundfonts", type=Path, default=DEFAULT_FOLDER, help="folder with sf2/ [%(default)s]")

    data = command("data", _data, "Render and analyse the notes to train on; finished shards are skipped.")
    soundfonts(data)
    data.add_argument("--processes", type=int, default=os.cpu_count(), help="worker processes [%(default)s]")
    data.add_argument("--quick", action="store_true", help="every sixth instrument only")
    data.add_argument("--nsynth", type=Path, help="also notes of the NSynth dataset: its folder, such as nsynth-train")
    data.add_argument("--nsynth-instruments", type=int, default=100, help="how many of its instruments [%(default)s]")

    train = command("train", _train, "Train encoder and decoder; goes on from the last checkpoint.")
    train.add_argument("--steps", type=int, help=f"steps of the whole run [{DEFAULT_STEPS}, quick {QUICK_STEPS}]")
    train.add_argument("--quick", action="store_true", help="a small decoder, in some minutes")
    train.add_argument("--from", type=Path, dest="begun", help="begin with the networks of this checkpoint, at a lower rate")
    train.add_argument("--processes", type=int, default=2, help="processes of one thread each [%(default)s]")
    train.add_argument("--batch", type=int, default=32, help="crops a step and process [%(default)s]")
    train.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    train.add_argument("--float32", action="store_true", help="do not use bfloat16")

    export = command("export", _export, "Write the trained networks as a model folder, check it, and its reference vectors.")
    soundfonts(export)
    export.add_argument("--out", type=Path, default=DEFAULT_MODEL, help="model folder [%(default)s]")

    evaluate = command("evaluate", _evaluate, "Measure the trained networks on held-out notes: evaluation.md and .json.")
    soundfonts(evaluate)
    evaluate.add_argument("--notes", type=int, default=40, help="notes of each split [%(default)s]")
    evaluate.add_argument("--only", type=_sections, help="some sections, with commas between [all]")
    evaluate.add_argument("--processes", type=int, default=os.cpu_count(), help="worker processes [%(default)s]")

    pictures = command("pictures", _pictures, "Spectrograms of recordings and what the trained networks make of them.")
    soundfonts(pictures)
    pictures.add_argument("--out", type=Path, required=True, help="PNG file")
    pictures.add_argument("names", nargs="*", default=["Flute", "Upright Bass", "Church Organ"], help="recordings")

    sounds = command("sounds", _sounds, "Render the recordings that the factory sounds are encoded from.", work=False)
    soundfonts(sounds)
    sounds.add_argument("--out", type=Path, required=True, help="folder for the WAV files and recordings.json")

    wavenet.add_to(commands)
    return parser


def _data(options) -> None:
    from . import nsynth
    from .dataset import NoteRenderer, make_dataset
    from .notes import note_list, nsynth_notes
    from .soundfont import font_path, presets

    paths = {font: font_path(font, options.soundfonts) for font in FONTS}
    notes = note_list({font: presets(path) for font, path in paths.items()}, options.quick)
    if options.nsynth:
        notes += nsynth_notes(nsynth.read(options.nsynth), options.nsynth_instruments)
    print(f"{len(notes)} notes")
    renderer = NoteRenderer(paths, options.nsynth)
    made = make_dataset(options.work / "data", notes, renderer, options.processes, log=_log)
    print(f"{made} shards made, the rest were there")


def _train(options) -> None:
    from .train import Plan, train, tuning_plan

    steps = options.steps or (QUICK_STEPS if options.quick else DEFAULT_STEPS)
    sizes = options.batch, options.processes, options.seed, not options.float32
    plan = tuning_plan(options.begun, steps, *sizes) if options.begun else Plan(steps, *sizes)
    if options.quick and not options.begun:
        plan = replace(plan, decoder_width=QUICK_WIDTH, decoder_hidden=2 * QUICK_WIDTH)
    train(options.work, plan, log=_log, begun=options.begun)


def _export(options) -> None:
    from .export import export_model, typical_runs
    from .instrument import Instrument
    from .parity import ALLOWED, ALLOWED_LOSS, against_torch, batching, quantisation_loss, state_passing
    from .recordings import RECORDINGS, render
    from .reference import EMBEDDING_FRAMES, write_reference
    from .train import Checkpoint, checkpoint_path

    found = Checkpoint.load(checkpoint_path(options.work))
    encoder, decoder = found.networks()
    source = (
        f"python -m betwixt_training: {found.what()}, "
        "on notes of the MIT-licensed soundfonts FluidR3 GM and MuseScore General"
    )
    model = Instrument(encoder, decoder)
    embeddings = {r: model.encode(render(r, options.soundfonts), r.pitch) for r in RECORDINGS}
    recorded = [(embedding, float(recording.pitch)) for recording, embedding in embeddings.items()]
    typical = typical_runs(recorded)
    export_model(encoder, decoder, options.out, source, typical)
    differences = against_torch(options.out, encoder, decoder)
    print("ONNX Runtime against PyTorch:", differences)
    print("runs against whole:", state_passing(options.out), "batch against alone:", batching(options.out))
    lost = quantisation_loss(options.out, decoder, typical_runs(recorded, seed=1))
    print("lost to 8 bits:", lost)
    if any(differences[name] > ALLOWED[name] for name in ALLOWED):
        raise Refused(f"the graphs in {options.out} differ from the networks by more than {ALLOWED}")
    if any(lost[name] > ALLOWED_LOSS[name] for name in ALLOWED_LOSS):
        raise Refused(f"the 8-bit decoder in {options.out} differs from the network by more than {ALLOWED_LOSS}")
    listed = {
        recording.file.removesuffix(".wav"): (REFERENCE_PITCHES[recording.name], embedding[: EMBEDDING_FRAMES + 1])
        for recording, embedding in embeddings.items()
        if recording.name in REFERENCE_PITCHES
    }
    write_reference(options.out, listed, options.out / "reference")
    sizes = {path.name: path.stat().st_size for path in sorted(options.out.glob("*.onnx"))}
    print(f"{options.out}: {sizes}")


def _sections(text: str) -> list[str]:
    from .evaluate import SECTIONS

    names = text.split(",")
    for name in names:
        if name not in SECTIONS:
            raise argparse.ArgumentTypeError(f"no section {name!r}: there are {', '.join(SECTIONS)}")
    return names


def _evaluate(options) -> None:
    from .dataset import Dataset
    from .evaluate import evaluate
    from .evaluation.bench import Bench
    from .evaluation.sounds import Sounds
    from .instrument import Instrument
    from .train import Checkpoint, checkpoint_path

    found = Checkpoint.load(checkpoint_path(options.work))
    data, sounds = Dataset(options.work / "data"), Sounds(options.soundfonts)
    with Bench(Instrument(*found.networks()), sounds, options.processes, _log) as bench:
        evaluate(bench, data, options.work, found.what(), options.notes, options.only)
    print(options.work / "evaluation.md")


def _pictures(options) -> None:
    from .instrument import Instrument
    from .level import encoder_gain
    from .pictures import Panel, spectrogram_page
    from .recordings import RECORDINGS, render
    from .train import Checkpoint, checkpoint_path

    model = Instrument(*Checkpoint.load(checkpoint_path(options.work)).networks())
    known = {r.name: r for r in RECORDINGS}
    rows = []
    for name in options.names:
        if name not in known:
            raise Refused(f"no recording {name!r}: there are {', '.join(known)}")
        audio = render(known[name], options.soundfonts)
        audio = audio * encoder_gain(audio)
        decoded = model.play(model.encode(audio, known[name].pitch), known[name].pitch)
        rows.append([Panel(f"{name}, recording", audio), Panel(f"{name}, through the model", decoded)])
    spectrogram_page(options.out, rows)


def _sounds(options) -> None:
    from .factory import write_recordings

    print(f"{len(write_recordings(options.out, options.soundfonts))} recordings in {options.out}")


def _log(line: str) -> None:
    print(line, flush=True)
