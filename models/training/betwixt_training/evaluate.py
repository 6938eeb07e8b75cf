"""How good a trained model is, on notes that training never saw: `evaluation.json` and `evaluation.md` in the work
folder.

Every figure compares audio with audio, at 48 kHz. Each section (`evaluation/`) can be run alone; what was found before
about the same model stays in the files.
"""

import json
import os
import time
from pathlib import Path

from .dataset import Dataset
from .evaluation import attack, blends, playing, robustness, sheets, space, splits, transposition
from .evaluation.bench import Bench
from .evaluation.goals import goal_table

ROBUSTNESS_NOTES = 24
# Name -> (module, heading).
SECTIONS = {
    "splits": (splits, "Notes that training never saw"),
    "attack": (attack, "Attacks"),
    "transposition": (transposition, "Transposition"),
    "blends": (blends, "Blends"),
    "space": (space, "The embedding space"),
    "robustness": (robustness, "Recordings that are not as told"),
    "playing": (playing, "Tuning, clicks, likeness"),
    "sheets": (sheets, "Listening sheets"),
}


def evaluate(bench: Bench, data: Dataset, work: Path, model: str, count: int, only: list[str] | None = None) -> dict:
    """Runs the sections in `only`, or all, with `count` notes a split; writes and returns what is known. `model` names
    the model: what the files say of another one is dropped."""
    path = work / "evaluation.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    result = {"model": model, "sections": known["sections"] if known.get("model") == model else {}}
    for name, (module, _) in SECTIONS.items():
        if only and name not in only:
            continue
        began = time.time()
        arguments = {
            "splits": (data, count),
            "attack": (data, count),
            "robustness": (data, min(count, ROBUSTNESS_NOTES)),
            "sheets": (work / "sheets",),
        }.get(name, ())
        result["sections"][name] = module.measure(bench, *arguments)
        bench.log(f"{name}: {time.time() - began:.0f} s")
        _write(path, json.dumps(result, indent=1) + "\n")
        _write(work / "evaluation.md", as_markdown(result))
    return result


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def as_markdown(result: dict) -> str:
    """What a model card says: the goals, then each section's tables."""
    found = {name: result["sections"][name] for name in SECTIONS if name in result["sections"]}
    goals = [
        g for name, of in found.items() if hasattr(SECTIONS[name][0], "goals") for g in SECTIONS[name][0].goals(of)
    ]
    lines = [f"Model: {result['model']}. Mean / median over notes.", ""]
    lines += goal_table(goals) if goals else []
    for name, (module, heading) in SECTIONS.items():
        if name in found:
            lines += ["", f"### {heading}", "", *module.tables(found[name])]
    return "\n".join(lines) + "\n"
