"""NSynth's WaveNet: the graphs against the network written out in numpy, against what Magenta's code gave (the golden
vectors, where they are), and checkpoints that are none."""

import io
import os
import tarfile
import tomllib
from pathlib import Path

import numpy as np
import pytest

from betwixt_training.cli import main
from betwixt_training.refused import Refused
from betwixt_training.wavenet import checkpoint, convert, loss
from betwixt_training.wavenet.checkpoint import AVERAGED, Checkpoint
from betwixt_training.wavenet.encoder_graph import export_encoder
from betwixt_training.wavenet.network import HOP_SAMPLES, LAYERS, Widths, dilation, random_weights, shapes
from betwixt_training.wavenet.step_graph import export_step
from betwixt_training.wavenet.step_runner import StepRunner

TINY = Widths(decoder=12, skip=10, encoder=8)
STEPS = 1200  # the furthest taps of a layer are 1024 samples back
REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = Path(os.environ.get("BETWIXT_GOLDEN", REPOSITORY.parent / "shared" / "golden")) / "nsynth-small"


def test_the_encoder_is_the_network(tmp_path, weights):
    audio = loss.test_notes()[:2, : 4 * HOP_SAMPLES]
    export_encoder(weights, tmp_path / "encoder.onnx")
    embeddings = loss.encode(tmp_path / "encoder.onnx", audio)
    assert embeddings.shape == (2, 4, 16)
    assert relative(embeddings, np.stack([reference_embedding(weights, note) for note in audio])) < 1e-4


def test_a_frame_that_is_begun_counts_and_goes_on_in_silence(tmp_path, weights):
    audio = loss.test_notes()[:1, : 2 * HOP_SAMPLES]
    export_encoder(weights, tmp_path / "encoder.onnx")
    begun = loss.encode(tmp_path / "encoder.onnx", audio[:, : HOP_SAMPLES + 1])
    audio[:, HOP_SAMPLES + 1 :] = 0
    assert np.array_equal(begun, loss.encode(tmp_path / "encoder.onnx", audio))
    assert loss.encode(tmp_path / "encoder.onnx", audio[:, :1]).shape == (1, 1, 16)


def test_full_scale_is_the_highest_level(tmp_path, weights):
    export_encoder(weights, tmp_path / "encoder.onnx")
    full, near = (np.full((1, HOP_SAMPLES), level, np.float32) for level in (1.0, 0.999))
    assert np.array_equal(loss.encode(tmp_path / "encoder.onnx", full), loss.encode(tmp_path / "encoder.onnx", near))


def test_the_steps_are_the_network(tmp_path, weights):
    audio = loss.test_notes()[2:, :STEPS]
    embeddings = np.random.default_rng(3).standard_normal((2, 3, 16)).astype(np.float32)
    export_step(weights, tmp_path, int8=False)
    logits = teacher_forced(StepRunner(tmp_path), audio, embeddings)
    for i in range(2):
        assert np.abs(logits[:, i] - reference_logits(weights, audio[i], embeddings[i])).max() < 1e-3


def test_a_decoder_loses_nothing_against_itself(tmp_path, weights):
    export_encoder(weights, tmp_path / "encoder.onnx")
    export_step(weights, tmp_path, int8=False)
    found = loss.measure(StepRunner(tmp_path), StepRunner(tmp_path), tmp_path / "encoder.onnx", steps=80)
    assert (found.agreement, found.divergence_nats, found.steps) == (1, 0, 80)


def test_loss_is_measured_against_another_network(tmp_path, weights):
    export_encoder(weights, tmp_path / "encoder.onnx")
    for folder, seed in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        export_step(random_weights(TINY, seed), tmp_path / folder, int8=False)
    runners = StepRunner(tmp_path / "one"), StepRunner(tmp_path / "two")
    found = loss.measure(*runners, tmp_path / "encoder.onnx", steps=80)
    assert found.agreement < 0.5 and found.divergence_nats > 0.1


def test_an_import_is_a_model_folder_that_says_what_it_is(tmp_path, read_tiny):
    lines = []
    convert.convert(tmp_path / "wavenet-ckpt.tar", tmp_path / "model", log=lines.append)
    manifest = tomllib.loads((tmp_path / "model" / "model.toml").read_text())
    wanted = {"name": "nsynth", "sample_rate": 16000, "dims": 16, "embedding_hop": 512, "pitch": "embedded"}
    assert {key: manifest[key] for key in wanted} == wanted
    assert manifest["decoder"]["driver"] == "step" and manifest["encoder"]["graph"] == "encoder.onnx"
    for part in ("wavenet-ckpt.tar", "step 7", "raw", "12/10/8"):
        assert part in manifest["source"]
    assert "raw" in (tmp_path / "model" / "MODEL_CARD.md").read_text() and any("12" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_is_replaced_and_anything_else_is_left_alone(tmp_path, read_tiny):
    model = tmp_path / "model"
    for _ in range(2):
        convert.convert(Path("x"), model, log=lambda line: None)
    (model / "model.toml").rename(model / "novel.txt")
    with pytest.raises(Refused, match="something else than a model"):
        convert.convert(Path("x"), model, log=lambda line: None)
    assert (model / "novel.txt").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="expected a folder"):
        convert.convert(Path("x"), tmp_path / "file", log=lambda line: None)


def test_a_refused_checkpoint_leaves_the_model_that_was_there(tmp_path, read_tiny):
    model = tmp_path / "model"
    convert.convert(Path("x"), model, log=lambda line: None)
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    read_tiny.undo()
    with pytest.raises(Refused):
        convert.convert(tmp_path / "nothing.ckpt", model, log=lambda line: None)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_missing_checkpoint_is_told_in_one_line(tmp_path, capsys):
    assert main(["import-nsynth", str(tmp_path / "model.ckpt-200000"), "-o", str(tmp_path / "model")]) == 2
    told = capsys.readouterr().err
    assert "model.ckpt-200000.index" in told and told.count("\n") == 1
    with pytest.raises(Refused, match="is a folder"):
        checkpoint.read(tmp_path)
    (tmp_path / "old.ckpt").touch()
    with pytest.raises(Refused, match="no old.ckpt.index beside it"):
        checkpoint.read(tmp_path / "old.ckpt")


@pytest.mark.parametrize("name", ["../a.index", "/a.index", "a/../../b.index", "a\\..\\b.index"])
def test_an_archive_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(Refused, match="not safe to unpack"):
        checkpoint.read(archive(tmp_path / "a.tar", {name: b"x"}))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_an_archive_with_a_link_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        member = tarfile.TarInfo("model.ckpt.index")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(member)
    with pytest.raises(Refused, match="link"):
        checkpoint.read(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("members", "told"),
    [({"readme.txt": b"x"}, "holds no checkpoint"), ({"a.index": b"", "b.index": b""}, "holds 2 checkpoints")],
)
def test_an_archive_wants_one_checkpoint(tmp_path, members, told):
    with pytest.raises(Refused, match=told):
        checkpoint.read(archive(tmp_path / "a.tar", members))


def test_an_archive_that_is_none_or_cut_short_is_refused(tmp_path):
    for content in (b"", b"not a tar at all" * 100):
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(Refused, match="a.tar"):
            checkpoint.read(tmp_path / "a.tar")
    whole = archive(tmp_path / "b.tar.gz", {"m.index": os.urandom(5000), "m.data-00000-of-00001": os.urandom(90_000)})
    whole.write_bytes(whole.read_bytes()[:50_000])
    with pytest.raises(Refused, match="not a whole tar"):
        checkpoint.read(whole)
    with pytest.raises(Refused, match="No such file"):
        checkpoint.read(tmp_path / "c.tar")


def test_a_checkpoint_is_read_by_each_of_its_names(tmp_path, tf, weights):
    prefix = save(tf, tmp_path / "model.ckpt-7", weights | {"global_step": np.int64(7)})
    files = {f"wavenet-ckpt/{path.name}": path.read_bytes() for path in tmp_path.iterdir()}
    packed = archive(tmp_path / "a.tar", {"wavenet-ckpt/._model.ckpt-7.index": b"from a Mac"} | files)
    for path in (prefix, prefix.with_name("model.ckpt-7.index"), packed):
        found = checkpoint.read(path)
        assert found.widths == TINY and found.step == 7 and not found.averaged
        assert all(np.array_equal(found.weights[name], weights[name]) for name in shapes(TINY))
    assert "dilatedconv_1..30/W [1, 3, 12, 24] raw" in found.listing


def test_raw_and_averaged_weights_are_told_apart(tmp_path, tf, weights):
    averaged = {name + AVERAGED: values + 1 for name, values in weights.items()}
    both = save(tf, tmp_path / "both", weights | averaged)
    assert np.array_equal(checkpoint.read(both, averaged=True).weights["logits/W"], weights["logits/W"] + 1)
    assert checkpoint.read(both).step is None
    with pytest.raises(Refused, match="leave out --ema"):
        checkpoint.read(save(tf, tmp_path / "raw", weights), averaged=True)
    with pytest.raises(Refused, match="give --ema"):
        checkpoint.read(save(tf, tmp_path / "averaged", averaged))


def test_damaged_checkpoints_are_refused_by_name(tmp_path, tf, weights):
    whole = save(tf, tmp_path / "whole", weights)
    index = whole.with_name("whole.index").read_bytes()
    data = whole.with_name("whole.data-00000-of-00001").read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    for name, its_index, its_data in (
        ("cut", index, data[: len(data) // 2]), ("flipped", index, bytes(flipped)), ("no-data", index, None),
        ("cut-index", index[: len(index) // 2], data), ("empty-index", b"", data), ("foreign", os.urandom(4000), data),
    ):  # fmt: skip
        tmp_path.joinpath(f"{name}.index").write_bytes(its_index)
        if its_data is not None:
            tmp_path.joinpath(f"{name}.data-00000-of-00001").write_bytes(its_data)
        with pytest.raises(Refused, match=name) as refusal:
            checkpoint.read(tmp_path / name)
        assert "\n" not in str(refusal.value)


def test_checkpoints_of_other_networks_are_refused_with_the_tensor(tmp_path, tf, weights):
    def refused(name: str, tensors) -> str:
        with pytest.raises(Refused) as refusal:
            checkpoint.read(save(tf, tmp_path / name, tensors))
        return str(refusal.value)

    assert "dense/kernel" in refused("foreign", {"dense/kernel": np.zeros((2, 2), np.float32)})
    assert "res_9/biases" in refused("lacking", {n: v for n, v in weights.items() if n != "res_9/biases"})
    assert "[1, 2, 12, 24], expected [1, 3, 12, 24]" in refused(
        "short", weights | {"dilatedconv_4/W": weights["dilatedconv_4/W"][:, :2]}
    )
    assert "startconv/W has the shape [3]" in refused("flat", weights | {"startconv/W": np.zeros(3, np.float32)})
    assert "float64" in refused("doubles", weights | {"logits/W": weights["logits/W"].astype(np.float64)})
    assert "out1/W" in refused("nan", weights | {"out1/W": weights["out1/W"] * np.float32(np.nan)})


@pytest.mark.parametrize("kind", ["raw", "ema"])
def test_the_golden_model_is_magentas(tmp_path, tf, kind):
    if not GOLDEN.is_dir():
        pytest.skip(f"no golden vectors in {GOLDEN}; BETWIXT_GOLDEN names their folder")
    convert.convert(GOLDEN / "model.ckpt-200000", tmp_path / "model", averaged=kind == "ema", log=lambda line: None)
    audio = np.load(GOLDEN / "audio.npy")
    embedding = np.load(GOLDEN / f"embedding_{kind}.npy")
    assert relative(loss.encode(tmp_path / "model" / "encoder.onnx", audio[None])[0], embedding) < 1e-4
    wanted = np.load(GOLDEN / f"probabilities_{kind}.npy")
    logits = teacher_forced(StepRunner(tmp_path / "model"), audio[None, : len(wanted)], embedding[None])[:, 0]
    assert np.abs(np.exp(loss.log_softmax(logits)) - wanted).max() < 1e-4


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return random_weights(TINY, 0)


@pytest.fixture
def read_tiny(monkeypatch, weights):
    """Any path is a checkpoint of the tiny network."""
    monkeypatch.setattr(
        convert.checkpoints, "read", lambda path, averaged, scratch: Checkpoint(weights, 7, averaged, ["some 12"])
    )
    return monkeypatch


@pytest.fixture
def tf():
    try:
        return checkpoint.tensorflow()
    except Refused as refusal:
        pytest.skip(str(refusal))


def save(tf, prefix: Path, tensors: dict[str, np.ndarray]) -> Path:
    count = len(tensors)
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * count, tensors=list(tensors.values())
    )
    return prefix


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as made:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


def teacher_forced(runner: StepRunner, audio: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Logits `[samples, B, 256]` of audio `[B, samples]`."""
    before = np.pad(audio, ((0, 0), (1, 0)))[:, :-1]
    return np.stack([runner.step(before[:, n], embeddings[:, n // HOP_SAMPLES]) for n in range(audio.shape[1])])


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


# The network as Magenta's h512_bo16.py has it, a whole recording at once, float64.


def reference_embedding(weights, audio: np.ndarray) -> np.ndarray:
    line = layer(weights, "ae_startconv", mu_law(audio)[:, None], (1, 0, -1))
    for i in range(LAYERS):
        d = dilation(i)
        heard = layer(weights, f"ae_dilatedconv_{i + 1}", relu(line), (d, 0, -d))
        line = line + layer(weights, f"ae_res_{i + 1}", relu(heard))
    narrow = layer(weights, "ae_bottleneck", line)
    return narrow.reshape(-1, HOP_SAMPLES, 16).mean(1)


def reference_logits(weights, audio: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    heard = np.concatenate([[0.0], mu_law(audio)[:-1]])
    frames = np.repeat(embedding.astype(np.float64), HOP_SAMPLES, 0)[: len(audio)]
    line = layer(weights, "startconv", heard[:, None], (2, 1, 0))
    skip = layer(weights, "skip_start", line)
    for i in range(LAYERS):
        d = dilation(i)
        sums = layer(weights, f"dilatedconv_{i + 1}", line, (2 * d, d, 0)) + layer(weights, f"cond_map_{i + 1}", frames)
        a, b = np.split(sums, 2, 1)
        gate = np.tanh(b) / (1 + np.exp(-a))
        line = line + layer(weights, f"res_{i + 1}", gate)
        skip = skip + layer(weights, f"skip_{i + 1}", gate)
    out = layer(weights, "out1", relu(skip)) + layer(weights, "cond_map_out1", frames)
    return layer(weights, "logits", relu(out))


def layer(weights, name: str, x: np.ndarray, delays: tuple[int, ...] = (0,)) -> np.ndarray:
    """`x` `[samples, in]` through `W [1, taps, in, out]`; tap i hears `delays[i]` samples ago, zeros beyond the ends."""
    kernel = weights[f"{name}/W"][0].astype(np.float64)
    assert len(kernel) == len(delays)
    far = max(map(abs, delays))
    padded = np.pad(x, ((far, far), (0, 0)))
    taps = (padded[far - delay : far - delay + len(x)] for delay in delays)
    return sum(tap @ matrix for tap, matrix in zip(taps, kernel, strict=True)) + weights[f"{name}/biases"]


def mu_law(audio: np.ndarray) -> np.ndarray:
    audio = audio.astype(np.float64)
    level = np.floor(np.sign(audio) * np.log1p(255 * np.abs(audio)) / np.log(256) * 128)
    return np.minimum(level, 127) / 128


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)
