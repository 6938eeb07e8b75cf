"""The training curve on disk."""

import csv
from pathlib import Path

from .losses import PARTS
from .notes import HELD_INSTRUMENT, HELD_PITCH


class Curve:
    """One CSV row a checkpoint; on resuming, rows past the checkpoint are dropped."""

    HEAD = ["step", "loss", *PARTS, "rest", HELD_PITCH, HELD_INSTRUMENT, "seconds_per_step"]

    def __init__(self, path: Path, step: int):
        self._path = path
        rows = [r for r in read_curve(path) if int(r["step"]) <= step] if path.exists() else []
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.HEAD)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, step: int, training: list[float], validation: list[float], seconds: float) -> str:
        """Appends a row and returns it as a line to read."""
        values = [step, *(f"{v:.4f}" for v in [*training, *validation, seconds])]
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerow(values)
        return " ".join(f"{name} {value}" for name, value in zip(self.HEAD, values))


def read_curve(path: Path) -> list[dict[str, str]]:
    """The rows of a training curve."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
