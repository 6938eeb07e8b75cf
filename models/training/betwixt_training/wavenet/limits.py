"""What this machine allows a step decoder: its weights over the memory's bandwidth, its operations over the rate of large products.

Both are measured here, by all cores: the reading of blocks far larger than any cache, and one product of 512 rows in ONNX
Runtime, whose kernels the engine computes with too.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 7
READ_BYTES = 1 << 28  # a core
ROWS, INNER, COLUMNS = 512, 1024, 1024


@dataclass(frozen=True)
class Limits:
    """`read_gb_s`: bytes; `float_gmac_s`, `int8_gmac_s`: products of two numbers that are added up; `weight_bytes`: that a step
    reads, those of a block of steps shared out; `macs`: of one note's step."""

    read_gb_s: float
    float_gmac_s: float
    int8_gmac_s: float
    weight_bytes: float
    macs: float

    def row(self) -> dict:
        """For JSON."""
        return asdict(self)


def measure(model: Path) -> Limits:
    """Of the model in a folder, on this machine."""
    weight_bytes, macs = weights(model)
    return Limits(read_gb_s(), product_gmac_s(int8=False), product_gmac_s(int8=True), weight_bytes, macs)


def weights(model: Path) -> tuple[float, float]:
    """Bytes of matrices that a step reads, and their entries: each is multiplied once for a note."""
    read, macs = 0.0, 0.0
    for path in [model / "decoder.onnx", *model.glob("past_*.onnx")]:
        block = int(path.stem.removeprefix("past_")) if path.stem.startswith("past_") else 1
        for tensor in onnx.load(str(path)).graph.initializer:
            if len(tensor.dims) == 2:
                values = numpy_helper.to_array(tensor)
                read += values.nbytes / block
                macs += values.size
    return read, macs


def read_gb_s() -> float:
    """Bytes a second that all cores together read, in 10^9."""
    cores = os.cpu_count() or 1
    blocks = [np.ones(READ_BYTES // 4, np.float32) for _ in range(cores)]
    with ThreadPoolExecutor(cores) as threads:
        seconds = _best(lambda: list(threads.map(np.max, blocks)))
    return cores * READ_BYTES / seconds / 1e9


def product_gmac_s(int8: bool) -> float:
    """Products a second of a large matrix product on all cores, in 10^9."""
    generator = np.random.default_rng(0)
    if int8:
        x = generator.integers(0, 256, (ROWS, INNER)).astype(np.uint8)
        w = generator.integers(-64, 65, (INNER, COLUMNS)).astype(np.int8)
        node, kind, result = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        x, w = (generator.standard_normal(shape).astype(np.float32) for shape in ((ROWS, INNER), (INNER, COLUMNS)))
        node, kind, result = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(node, ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kind, [ROWS, INNER])],
        [helper.make_tensor_value_info("y", result, [ROWS, COLUMNS])],
        [numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return ROWS * INNER * COLUMNS / _best(lambda: session.run(None, {"x": x})) / 1e9


def _best(work) -> float:
    """Seconds of the fastest of some rounds, after one that does not count: other programs only add to them."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
