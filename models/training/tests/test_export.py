import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from betwixt_training.decoder import Decoder, at_decoder_frames
from betwixt_training.encoder import EncoderNet
from betwixt_training.export import export_model, typical_runs
from betwixt_training.instrument import Graphs, joined
from betwixt_training.manifest import sha256
from betwixt_training.parity import ALLOWED, ALLOWED_LOSS, against_torch, batching, quantisation_loss, state_passing
from betwixt_training.reference import direct_partials, write_reference

SHIPPED = Path(__file__).resolve().parents[2] / "spectral"


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return EncoderNet(48, 64), Decoder(40, 64)


@pytest.fixture(scope="module")
def typical() -> list[tuple[np.ndarray, float]]:
    rng = np.random.default_rng(0)
    walks = [np.tanh(np.cumsum(0.3 * rng.standard_normal((40, 16)), 0)) for _ in range(6)]
    return typical_runs([(walk, float(pitch)) for walk, pitch in zip(walks, rng.uniform(30, 90, 6))])


@pytest.fixture(scope="module")
def model(networks, typical, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "spectral"
    export_model(*networks, folder, "a test", typical)
    return folder


@pytest.fixture(params=["tiny", "shipped"])
def any_model(request, model) -> Path:
    return model if request.param == "tiny" else SHIPPED


def test_the_graphs_compute_what_the_networks_do(model, networks):
    differences = against_torch(model, *networks)
    assert all(differences[name] <= ALLOWED[name] for name in ALLOWED), differences


def test_eight_bits_lose_less_than_is_heard(model, networks, typical):
    lost = quantisation_loss(model, networks[1], typical)
    assert all(0 < lost[name] <= ALLOWED_LOSS[name] for name in ALLOWED_LOSS), lost


def test_the_large_matrices_of_the_decoder_are_eight_bit_and_the_first_and_last_are_not(model):
    nodes = onnx.load(model / "decoder.onnx").graph.node
    makers = {name: node.op_type for node in nodes for name in node.output}
    kinds = {node.name: [makers.get(name) for name in node.input] for node in nodes if node.op_type == "MatMul"}
    assert len(kinds) == 11
    for name, made_by in kinds.items():
        kept = name.startswith(("/first/", "/head/"))
        assert (made_by == ["DequantizeLinear"] * 2) != kept, name


def test_typical_runs_are_seeded_and_reach_past_the_edge(typical):
    rng = np.random.default_rng(1)
    recordings = [(np.tanh(rng.standard_normal((9, 16))), 50.0) for _ in range(12)]
    runs, again = typical_runs(recordings), typical_runs(recordings)
    assert len(runs) == 36 and all((a[0] == b[0]).all() and a[1] == b[1] for a, b in zip(runs, again))
    assert max(np.abs(frames).max() for frames, _ in runs) > 1


def test_a_note_decoded_in_pieces_is_bit_for_bit_the_note(any_model):
    assert state_passing(any_model) == 0.0


def test_a_batch_is_its_notes(any_model):
    differences = batching(any_model)
    assert differences["decoder"] == 0.0  # bit for bit, on ONNX Runtime's CPU, one thread
    assert differences["encoder_one_pitch"] < 1e-4 and differences["encoder_mixed_pitches"] < 1e-3, differences


def test_the_manifest_says_what_the_contract_asks(any_model):
    found = tomllib.loads((any_model / "model.toml").read_text())
    assert found["version"] in (2, 3)
    fixed = dict(name="spectral", sample_rate=48_000, dims=16, embedding_hop=1536, hop=512, chunk_frames=2)
    assert {key: found[key] for key in fixed} == fixed
    assert found["pitch"] == "conditioned" and found["licence"] == "MIT OR Apache-2.0"
    assert found["source"] and found["decoder"]["driver"] == "partials"
    for part in ("encoder", "decoder"):
        assert found[part]["sha256"] == sha256(any_model / found[part]["graph"])
    slots, groups, edges = (found["partials"][k] for k in ("slots", "group_edges", "noise_edges_hz"))
    assert (len(slots), len(groups), len(edges)) == (80, 33, 66)
    assert slots == sorted(slots) and groups == sorted(groups) and edges == sorted(edges)
    assert slots[-1] + 1 == groups[0] and edges[0] == 0 and edges[-1] == 24_000


def test_the_graphs_have_the_names_types_and_shapes_of_the_contract(any_model):
    encoder, decoder = (onnx.load(any_model / f"{part}.onnx") for part in ("encoder", "decoder"))
    for graph in (encoder, decoder):
        assert [o.version for o in graph.opset_import if o.domain == ""] in ([18], [20])
    shape = lambda value: [d.dim_value or "any" for d in value.type.tensor_type.shape.dim]
    table = lambda values: {v.name: shape(v) for v in values}
    assert table(encoder.graph.input) == {"audio": ["any", "any"], "pitch": ["any"]}
    assert table(encoder.graph.output) == {"embedding": ["any", "any", 16]}
    inputs, outputs = table(decoder.graph.input), table(decoder.graph.output)
    width = inputs["state.0"][2]
    state = {f"state.{i}": ["any", d, width] for i, d in enumerate((1, 2, 4, 8))}
    assert inputs == {"embedding": ["any", "any", 16], "pitch": ["any", "any"], **state}
    columns = {"amplitude_db": 112, "deviation": 80, "noise_db": 64}
    expected = {name: ["any", "any", size] for name, size in columns.items()} | {"cents": ["any", "any"]}
    assert outputs == expected | {f"{name}.next": shape for name, shape in state.items()}
    kinds = {v.type.tensor_type.elem_type for g in (encoder, decoder) for v in [*g.graph.input, *g.graph.output]}
    assert kinds == {onnx.TensorProto.FLOAT}


def test_no_graph_holds_what_an_engine_would_have_to_supply(any_model):
    for part in ("encoder", "decoder"):
        graph = onnx.load(any_model / f"{part}.onnx")
        assert {o.domain for o in graph.opset_import} <= {"", "ai.onnx", "com.microsoft"}
        assert not {n.op_type for n in graph.graph.node} & {"Loop", "If", "Scan", "STFT", "DFT", "RandomNormal"}


def test_embedding_frames_sit_at_every_third_decoder_frame():
    frames = at_decoder_frames(torch.tensor([[[0.0], [3.0], [9.0]]]))[0, :, 0]
    assert torch.allclose(frames, torch.tensor([0.0, 0, 1, 2, 3, 5, 7, 9, 9]))


def test_the_shipped_graphs_are_under_ten_megabytes():
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.onnx")) < 10_000_000


def test_export_leaves_nothing_but_the_model(model):
    assert sorted(p.name for p in model.iterdir()) == ["decoder.onnx", "encoder.onnx", "model.toml"]
    assert [p.name for p in model.parent.iterdir()] == ["spectral"]


def test_a_source_that_would_break_the_manifest_is_refused(networks, typical, tmp_path):
    with pytest.raises(ValueError, match="one line"):
        export_model(*networks, tmp_path / "m", 'a "quoted" source', typical)
    assert not (tmp_path / "m" / "model.toml").exists()


def read(folder: Path, row: dict) -> np.ndarray:
    return np.fromfile(folder / row["file"], "<f4").reshape(row["shape"])


def check_reference(model: Path, folder: Path, listed: list[dict]) -> None:
    assert listed and all(re.fullmatch(r"[a-z_]+", row["name"]) for row in listed)
    graphs = Graphs(model)
    for row in listed:
        embedding, columns, phases, partials = (read(folder, row[k]) for k in ("embedding", "columns", "phases", "partials"))
        pitch = np.full((1, row["frames"]), row["pitch"], np.float32)
        again = joined(graphs.decode(embedding[None], pitch, graphs.start(1))[0])[0]
        assert np.abs(again - columns).max() < 0.05
        audio = direct_partials(columns, row["pitch"], phases.astype(np.float64))
        assert np.abs(audio - partials).max() < 1e-6


def test_reference_vectors_follow_from_the_graph(model, tmp_path):
    rng = np.random.default_rng(0)
    embeddings = {"low": (40.0, rng.uniform(-1, 1, (12, 16))), "high": (81.5, rng.uniform(-1, 1, (12, 16)))}
    check_reference(model, tmp_path, write_reference(model, embeddings, tmp_path))


def test_the_shipped_reference_vectors_follow_from_the_shipped_graph():
    import json

    folder = SHIPPED / "reference"
    check_reference(SHIPPED, folder, json.loads((folder / "reference.json").read_text()))
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1_000_000
