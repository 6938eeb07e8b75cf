"""The command line. Exit code 2 and one sentence for what the user can put right."""

import argparse
import os
import sys
from pathlib import Path

from .soundfont import DEFAULT_FOLDER, FONTS, Missing

PACKAGE = Path(__file__).resolve().parent
DEFAULT_WORK = PACKAGE.parent / "work"
DEFAULT_STEPS = 6000
DEFAULT_MODEL = PACKAGE.parent.parent / "spectral"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    from .dataset import Refused  # these load torch, which --help need not wait for

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

    train = command("train", _train, "Train encoder and decoder; goes on from the last checkpoint.")
    train.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="steps of the whole run [%(default)s]")
    train.add_argument("--processes", type=int, default=2, help="processes of one thread each [%(default)s]")
    train.add_argument("--batch", type=int, default=32, help="crops a step and process [%(default)s]")
    train.add_argument("--seed", type=int, default=0, help="[%(default)s]")
    train.add_argument("--float32", action="store_true", help="do not use bfloat16")
    return parser


def _data(options) -> None:
    from .dataset import SoundfontRenderer, make_dataset
    from .notes import note_list
    from .soundfont import font_path, presets

    paths = {font: font_path(font, options.soundfonts) for font in FONTS}
    notes = note_list({font: presets(path) for font, path in paths.items()})
    print(f"{len(notes)} notes")
    made = make_dataset(options.work / "data", notes, SoundfontRenderer(paths), options.processes, log=_log)
    print(f"{made} shards made, the rest were there")


def _train(options) -> None:
    from .train import Plan, train

    plan = Plan(options.steps, options.batch, options.processes, options.seed, not options.float32)
    train(options.work, plan, log=_log)


def _log(line: str) -> None:
    print(line, flush=True)
