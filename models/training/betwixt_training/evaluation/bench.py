"""The model on the bench: runs a measurement over many notes, here or in several processes of one thread each."""

import multiprocessing
import time
from collections.abc import Callable, Iterable

import torch

from ..instrument import Instrument
from .sounds import Sounds

_model: Instrument | None = None  # a worker process' own


class Bench:
    """`model` (an `Instrument`), `sounds` to measure it with, and the processes. A context: its end ends the
    processes."""

    def __init__(self, model: Instrument, sounds: Sounds, processes: int = 1, log: Callable[[str], None] = print):
        self.model, self.sounds, self.log = model, sounds, log
        torch.set_num_threads(1)
        spawn = multiprocessing.get_context("spawn")
        self._pool = spawn.Pool(processes, _start, (model,)) if processes > 1 else None

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_) -> None:
        if self._pool:
            self._pool.terminate()

    def map(self, measure: Callable, jobs: Iterable, what: str) -> list:
        """`measure(model, job)` of each job, in the jobs' order. `measure` is a module's function; jobs carry their
        audio, so that only this process has the soundfonts."""
        began, found = time.time(), []
        results = (
            self._pool.imap(_run, ((measure, j) for j in jobs))
            if self._pool
            else (measure(self.model, j) for j in jobs)
        )
        for result in results:
            found.append(result)
            if len(found) % 20 == 0:
                self.log(f"{what}: {len(found)}, {time.time() - began:.0f} s")
        self.log(f"{what}: all {len(found)}, {time.time() - began:.0f} s")
        return found


def _start(model: Instrument) -> None:
    global _model
    torch.set_num_threads(1)
    _model = model


def _run(work: tuple):
    measure, job = work
    return measure(_model, job)
