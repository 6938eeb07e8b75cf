"""The embedding space: is it free of pitch, do relatives lie together, does it rest, and what lies past its edges?"""

import numpy as np

from .. import synthesis
from ..instrument import Instrument
from ..metrics import a_loudness_db, mel_db
from ..recordings import RECORDINGS
from .bench import Bench
from .blends import Job, blended, pair_jobs

PROBE_PITCHES = range(36, 85, 6)
PROBE_REACH = 7  # semitones beyond the recorded keys
MEAN_FRAMES = slice(3, 32)  # 0.1 to 1 s of the embedding
PATH_FRAMES = slice(0, 48)  # 1.5 s
STEADY_FRAMES = slice(32, 80)  # 1 to 2.5 s
RIDGE, FOLDS = 1.0, 5
FROZEN_FRAME = 48
BEYOND = (-1.0, 2.0)
LEVEL_REACH_DB = 12.0
# Sustained factory sounds without vibrato or beating of their own: what moves in their embedding is the encoder's.
STEADY = ("Clarinet", "Oboe", "Trombone", "French Horn", "Reed Organ", "Accordion", "Square Lead", "Church Organ")


def measure_embedding(model: Instrument, job: tuple[np.ndarray, int]) -> np.ndarray:
    """The embedding of a note."""
    audio, pitch = job
    return model.encode(audio, pitch)


def measure_steady(model: Instrument, job: tuple[np.ndarray, int]) -> dict[str, float]:
    """Movement of a steady note's embedding, and flutter of the recording, of the note, and of one of its frames
    held."""
    audio, pitch = job
    embedding = model.encode(audio, pitch)
    frozen = np.repeat(embedding[FROZEN_FRAME : FROZEN_FRAME + 1], len(embedding), 0)
    return {
        "movement": float(np.abs(np.diff(embedding[STEADY_FRAMES], axis=0)).mean()),
        "flutter_recording": flutter_db(audio),
        "flutter_model": flutter_db(model.play(embedding, pitch)),
        "flutter_frozen": flutter_db(model.play(frozen, pitch)),
    }


def flutter_db(audio: np.ndarray) -> float:
    """Standard deviation over 1 to 2.5 s, dB, of the mel bands within 40 dB of the loudest, mean over these."""
    level = mel_db(audio)[94:234]
    mean = level.mean(0)
    return float(level.std(0)[mean > mean.max() - 40].mean())


def measure_beyond(model: Instrument, job: Job) -> dict:
    """A pair at alpha -1 and 2, as far again past its edges: level against the louder and the softer parent, dB, peak,
    finite."""
    level = lambda x: float(10 * np.log10(np.mean(10 ** (a_loudness_db(x[: 3 * 48_000]) / 10))))
    parents = [level(synthesis.audio(c, job.pitch)) for c in blended(model, job, (0.0, 1.0))]
    found = []
    for columns in blended(model, job, BEYOND):
        x = synthesis.audio(columns, job.pitch)
        finite = bool(np.isfinite(columns).all() and np.isfinite(x).all())
        here = level(x) if finite else float("nan")
        found.append(
            {
                "over_db": here - max(parents),
                "under_db": min(parents) - here,
                "peak": float(np.abs(x).max()),
                "finite": finite,
            }
        )
    ok = all(
        f["finite"] and f["over_db"] <= LEVEL_REACH_DB and f["under_db"] <= LEVEL_REACH_DB and f["peak"] < 1
        for f in found
    )
    return {"pair": list(job.names), "at": found, "passes": ok}


def probe_r2(features: np.ndarray, pitch: np.ndarray, groups: np.ndarray) -> float:
    """R2 of `pitch` `[N]` predicted from `features` `[N, D]` by ridge regression, of notes whose group it was not
    fitted on."""
    names = np.unique(groups)
    folds = np.array_split(np.random.default_rng(3).permutation(len(names)), FOLDS)
    missed = total = 0.0
    for fold in folds:
        out = np.isin(groups, names[fold])
        mean, spread = features[~out].mean(0), features[~out].std(0) + 1e-6
        x, y = (features[~out] - mean) / spread, pitch[~out]
        weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean()))
        missed += ((pitch[out] - y.mean() - (features[out] - mean) / spread @ weights) ** 2).sum()
        total += ((pitch[out] - y.mean()) ** 2).sum()
    return float(1 - missed / total)


def path_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean Euclidean distance of two embeddings, frame by frame, over their first 1.5 s."""
    return float(np.linalg.norm(a[PATH_FRAMES] - b[PATH_FRAMES], axis=1).mean())


def layout(embeddings: dict[tuple[str, int], np.ndarray]) -> dict[str, float]:
    """`embeddings` by (factory sound, pitch) -> how the space is laid out."""
    keys = list(embeddings)
    distance = np.array([[path_distance(embeddings[a], embeddings[b]) for b in keys] for a in keys])
    names, pitches = np.array([k[0] for k in keys]), np.array([k[1] for k in keys])
    families = np.array([next(r.family for r in RECORDINGS if r.name == n) for n in names])
    same = names[:, None] == names
    octave_apart = same & (np.abs(pitches[:, None] - pitches) == 12)
    one_pitch = ~same & (pitches[:, None] == pitches)
    of_others = np.where(same, np.inf, distance)
    nearest = of_others.argmin(1)
    chance = np.mean([np.mean(families[~same[i]] == families[i]) for i in range(len(keys))])
    any_other = np.where(np.eye(len(keys), dtype=bool), np.inf, distance).argmin(1)
    return {
        "notes": len(keys),
        "sounds": len(set(names)),
        "pitch_r2": probe_r2(
            np.stack([embeddings[k][MEAN_FRAMES].mean(0) for k in keys]), pitches.astype(float), names
        ),
        "octave_distance": float(distance[octave_apart].mean()),
        "others_distance": float(distance[one_pitch].mean()),
        "octave_ratio": float(distance[octave_apart].mean() / distance[one_pitch].mean()),
        "family_accuracy": float((families[nearest] == families).mean()),
        "family_chance": float(chance),
        "own_nearest": float((names[any_other] == names).mean()),
    }


def measure(bench: Bench) -> dict:
    """All of it, of the factory sounds."""
    notes = [(r, p) for r in RECORDINGS for p in PROBE_PITCHES if bench.sounds.has(r.font, r.program, p, PROBE_REACH)]
    jobs = ((bench.sounds.note(r.font, r.program, p, r.velocity), p) for r, p in notes)
    found = bench.map(measure_embedding, jobs, "space, embeddings")
    embeddings = {(r.name, p): e for (r, p), e in zip(notes, found)}
    steady = [r for r in RECORDINGS if r.name in STEADY]
    steady_jobs = ((bench.sounds.note(r.font, r.program, r.pitch, r.velocity), r.pitch) for r in steady)
    rest = bench.map(measure_steady, steady_jobs, "space, rest")
    return {
        "layout": layout(embeddings),
        "rest": {k: float(np.mean([r[k] for r in rest])) for k in rest[0]} | {"notes": len(rest)},
        "rest_of": {r.name: row for r, row in zip(steady, rest)},
        "beyond": bench.map(measure_beyond, pair_jobs(bench), "space, past the edge"),
    }


def tables(found: dict) -> list[str]:
    """Markdown."""
    at, rest, beyond = found["layout"], found["rest"], found["beyond"]
    worst = [max(f[k] for row in beyond for f in row["at"]) for k in ("over_db", "under_db", "peak")]
    failing = [" + ".join(row["pair"]) for row in beyond if not row["passes"]]
    flutter = " / ".join(f"{rest['flutter_' + k]:.2f}" for k in ("recording", "model", "frozen"))
    distances = f"{at['octave_distance']:.2f} / {at['others_distance']:.2f} = {at['octave_ratio']:.2f}"
    passing = f"{len(beyond) - len(failing)} of {len(beyond)}" + (f": all but {', '.join(failing)}" if failing else "")
    rows = {
        f"pitch, linear probe from the mean embedding, on other instruments: R² ({at['notes']} notes, {at['sounds']} "
        "sounds)": f"{at['pitch_r2']:.3f}",
        "one instrument an octave apart / different instruments at one pitch, distance": distances,
        "nearest note is of the same instrument": f"{100 * at['own_nearest']:.0f} %",
        f"nearest note of another instrument is of its family (chance {100 * at['family_chance']:.0f} %)": (
            f"{100 * at['family_accuracy']:.0f} %"
        ),
        f"movement of {rest['notes']} steady sounds, mean of a dimension and 32 ms": f"{rest['movement']:.4f}",
        "flutter, dB: recording / model / one frame held": flutter,
        f"{len(beyond)} pairs at alpha -1 and 2: most over the louder parent, most under the softer, dB; highest peak": (
            f"{worst[0]:.1f}, {worst[1]:.1f}; {worst[2]:.2f}"
        ),
        "of these finite, within 12 dB and not clipping": passing,
    }
    return ["| the space | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows.items())]
