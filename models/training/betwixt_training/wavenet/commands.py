"""The commands `import-nsynth`, `fastgen-bench`, `fastgen-check` and `step-limits`."""

import argparse
import json
import os
from pathlib import Path

BATCHES = [8, 32]
BENCH_STEPS = 200
CHECK_STEPS = 1536  # so that the furthest taps of the first cycle of layers have heard something


def add_to(commands) -> None:
    """Adds them to the parser's commands."""

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    imported = command("import-nsynth", _import, "Make a model folder of a checkpoint of Magenta's NSynth WaveNet.")
    imported.add_argument("checkpoint", type=Path, help="wavenet-ckpt.tar, or a prefix such as wavenet-ckpt/model.ckpt-200000")
    imported.add_argument("-o", "--out", type=Path, required=True, help="model folder")
    imported.add_argument("--ema", action="store_true", help="take the averaged weights (Magenta's fastgen takes the raw ones)")
    imported.add_argument("--int8", action="store_true", help="a decoder in 8 bits; tells what that loses")

    bench = command("fastgen-bench", _bench, "Time Magenta's own generation on a random network of the published widths.")
    _random(bench)
    bench.add_argument("--batch", type=_count, action="append", help=f"notes at once; may be given again {BATCHES}")
    bench.add_argument("--steps", type=_count, default=BENCH_STEPS, help="[%(default)s]")
    bench.add_argument("--json", type=Path, help="file for the figures")

    check = command("fastgen-check", _check, "Compare a converted random network of the published widths with Magenta's code.")
    _random(check)
    check.add_argument("--model", type=Path, help="a model folder that was imported from that checkpoint [made now]")
    check.add_argument("--steps", type=_count, default=CHECK_STEPS, help="[%(default)s]")

    limits = command("step-limits", _limits, "Tell what this machine's memory and cores allow an imported model.")
    limits.add_argument("model", type=Path, help="model folder")
    limits.add_argument("--json", type=Path, help="file for the figures")


def _random(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--checkpoint", type=Path, help="prefix of the random network, made if it is not there [a temporary one]")


def _import(options) -> None:
    # TensorFlow computes nothing here; without this it announces how it would.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    from .convert import convert

    convert(options.checkpoint, options.out, options.ema, options.int8, log=_log)


def _bench(options) -> None:
    from .fastgen import bench, checkpoint_at

    rows = []
    with checkpoint_at(options.checkpoint) as prefix:
        for batch in options.batch or BATCHES:
            timing = bench(prefix, batch, options.steps)
            rows.append(timing.row())
            _log(f"fastgen, batch {batch}: {timing.milliseconds_per_step:.2f} ms a step, mean of {timing.steps}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _check(options) -> None:
    from ..refused import Refused
    from .fastgen import ALLOWED, check, checkpoint_at

    with checkpoint_at(options.checkpoint) as prefix:
        found = check(prefix, options.steps, options.model)
    _log(
        f"against Magenta's code: embeddings of {found.frames} frames differ by {found.embedding:.1e} (relative, L2), "
        f"probabilities of {found.steps} steps by {found.probability:.1e} at most; allowed {ALLOWED:.0e}"
    )
    if max(found.embedding, found.probability) > ALLOWED:
        raise Refused("the converted network is not Magenta's")


def _limits(options) -> None:
    from .limits import measure

    found = measure(options.model)
    _log(
        f"memory {found.read_gb_s:.1f} GB/s, products {found.float_gmac_s:.0f} G/s in float32 and {found.int8_gmac_s:.0f} G/s in "
        f"8 bits; a step reads {found.weight_bytes / 1e6:.1f} MB and takes {found.macs / 1e6:.1f} M products a note"
    )
    if options.json:
        options.json.write_text(json.dumps(found.row()) + "\n")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no count, expected 1 or more")
    return int(text)


def _log(line: str) -> None:
    print(line, flush=True)
