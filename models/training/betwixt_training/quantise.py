"""What is done to an exported graph so that it runs fast in ONNX Runtime on one core: nodes are fused, and the decoder's
large matrices become 8-bit.

A streamed decoder run is two frames, so its time is the reading of the weights and the starting of nodes. 8-bit weights
are a quarter of the reading, and integer products are exact, so that a frame's columns do not depend on what other frames
or notes are in the run: a scale that is measured at each run (dynamic quantisation) would break that. Hence each matrix
product gets one fixed scale for what flows in, from typical frames, and one a column for its weights.

Written as QuantizeLinear and DequantizeLinear around MatMul, which any provider can compute and the CPU's fuses into one
integer product. The first product (which hears the embedding) and the last (which speaks in decibels) stay float32.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

CONTRIBUTED = "com.microsoft"
KEPT_FLOAT = ("/first/", "/head/")
# Weights of -64 .. 64: processors without VNNI add two products of 8 bits in 16, and full-range weights would saturate.
LARGEST_WEIGHT = 64
LEVELS = 255  # of what flows in, unsigned
# Between equalising what flows in (1) and leaving it (0): SmoothQuant, Xiao et al. 2022.
SMOOTHING = 0.5
# One of so many frames is looked at: neighbours are alike.
FRAME_STRIDE = 4
# Shares of the full range that are tried as the quantised one; what lies beyond is clipped.
RANGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)


def fuse(model: ModelProto) -> ModelProto:
    """Residual sum and LayerNormalization become one node, four times as fast; so do the many ways in which the exporter asks
    for the number of frames. Values stay the same, to rounding."""
    graph = model.graph
    _name_constants(graph)
    _ask_once_for_frames(graph)
    for norm in [node for node in graph.node if node.op_type == "LayerNormalization"]:
        _fuse_norm(graph, norm)
    _drop_unused(graph)
    _in_order(graph)
    if all(opset.domain != CONTRIBUTED for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIBUTED, 1))
    return model


def quantise(model: ModelProto, feeds: list[dict[str, np.ndarray]]) -> ModelProto:
    """Makes the large matrix products of a fused decoder 8-bit; `feeds` are inputs of typical runs."""
    graph = model.graph
    constants = _constants(graph)
    products = [
        node
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in constants and not node.name.startswith(KEPT_FLOAT)
    ]
    flowing = _flowing(model, [node.input[0] for node in products], feeds)
    for node in products:
        _smooth(graph, node, flowing[node.input[0]])
    flowing = _flowing(model, [node.input[0] for node in products], feeds)
    for node in products:
        _quantise_product(graph, node, flowing[node.input[0]])
    _drop_unused(graph)
    return model


def _constants(graph: GraphProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _producers(graph: GraphProto) -> dict[str, NodeProto]:
    return {name: node for node in graph.node for name in node.output if name}


def _set(graph: GraphProto, name: str, values) -> str:
    tensor = numpy_helper.from_array(np.array(values, order="C"), name)
    for old in graph.initializer:
        if old.name == name:
            old.CopyFrom(tensor)
            return name
    graph.initializer.append(tensor)
    return name


def _name_constants(graph: GraphProto) -> None:
    """Constant nodes become initializers, and so does every second name of one that the exporter found twice."""
    for node in list(graph.node):
        if node.op_type == "Constant":
            _set(graph, node.output[0], numpy_helper.to_array(node.attribute[0].t))
            graph.node.remove(node)
    constants = _constants(graph)
    for node in list(graph.node):
        if node.op_type == "Identity" and node.input[0] in constants:
            _set(graph, node.output[0], constants[node.input[0]])
            graph.node.remove(node)


def _ask_once_for_frames(graph: GraphProto) -> None:
    """Slices by the frames of a run, which the exporter has as Shape, Gather, Unsqueeze of many tensors, share one Shape."""
    if all(value.name != "embedding" for value in graph.input):
        return
    producers, count = _producers(graph), "frame_count"
    for node in graph.node:
        if node.op_type != "Slice":
            continue
        for place in (1, 2):
            chain = [producers.get(node.input[place])]
            for _ in range(2):
                chain.append(producers.get(chain[-1].input[0]) if chain[-1] else None)
            if [step and step.op_type for step in chain] == ["Unsqueeze", "Gather", "Shape"]:
                node.input[place] = count
    graph.node.insert(0, helper.make_node("Shape", ["embedding"], [count], start=1, end=2))


def _fuse_norm(graph: GraphProto, norm: NodeProto) -> None:
    total = _producers(graph).get(norm.input[0])
    if total is None or total.op_type != "Add":
        return
    constants = _constants(graph)
    biases = [name for name in total.input if name in constants]
    if biases:
        # No residual yet: half of the sum, doubled by the node, for it wants two summands of one shape.
        product = _producers(graph)[next(name for name in total.input if name not in constants)]
        if product.op_type != "MatMul" or product.input[1] not in constants:
            return
        for name in (product.input[1], biases[0]):
            _set(graph, name, constants[name] / 2)
        whole, half = total.output[0], total.output[0] + "/half"
        total.output[0] = half
        summands = [half, half]
    else:
        whole, summands = total.output[0], list(total.input)
        graph.node.remove(total)
    epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
    fused = helper.make_node(
        "SkipLayerNormalization",
        [*summands, norm.input[1], norm.input[2]],
        [norm.output[0], "", "", whole],
        name=norm.name,
        domain=CONTRIBUTED,
        epsilon=epsilon,
    )
    graph.node.insert(list(graph.node).index(norm), fused)
    graph.node.remove(norm)


def _drop_unused(graph: GraphProto) -> None:
    wanted = {value.name for value in graph.output}
    while True:
        used = wanted | {name for node in graph.node for name in node.input}
        idle = [node for node in graph.node if not used.intersection(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    for node in graph.node:
        if node.op_type == "SkipLayerNormalization" and len(node.output) == 4 and node.output[3] not in used:
            del node.output[1:]


def _in_order(graph: GraphProto) -> None:
    """Every node after those that it reads from."""
    there = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    waiting, ordered = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if there.issuperset(node.input)]
        assert ready, "the graph reads from itself"
        ordered += ready
        there.update(name for node in ready for name in node.output)
        waiting = [node for node in waiting if not there.issuperset(node.output)]
    graph.ClearField("node")
    graph.node.extend(ordered)


def _flowing(model: ModelProto, names: list[str], feeds) -> dict[str, np.ndarray]:
    """What tensors held over all runs, in every `FRAME_STRIDE`-th frame: name -> `[rows, K]`."""
    tapped = ModelProto()
    tapped.CopyFrom(model)
    names = list(dict.fromkeys(names))
    known = {value.name for value in tapped.graph.output}
    tapped.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name not in known
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(tapped.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runs = [session.run(names, feed) for feed in feeds]
    rows = lambda values: values.reshape(-1, values.shape[-1])[::FRAME_STRIDE]
    return {name: np.concatenate([rows(run[i]) for run in runs]) for i, name in enumerate(names)}


def _smooth(graph: GraphProto, product: NodeProto, inflow: np.ndarray) -> None:
    """Where a norm feeds a product, moves the size of its channels into the weights, so that one scale fits them all. The
    states, which hold what the norms give, are in the new sizes too."""
    producers, constants = _producers(graph), _constants(graph)
    norm = producers[product.input[0]]
    if norm.op_type == "Concat":  # now and earlier, side by side
        norm = producers[norm.input[0]]
    if norm.op_type != "SkipLayerNormalization":
        return
    gain, offset = norm.input[2], norm.input[3]
    width = constants[gain].shape[0]
    repeats = inflow.shape[1] // width
    weights = constants[product.input[1]]
    inflow_peak = np.abs(inflow).reshape(-1, repeats, width).max((0, 1)) + 1e-6
    weight_peak = np.abs(weights).reshape(repeats, width, -1).max((0, 2)) + 1e-6
    sizes = inflow_peak**SMOOTHING / weight_peak ** (1 - SMOOTHING)
    sizes = (sizes / np.exp(np.log(sizes).mean())).astype(np.float32)
    _set(graph, gain, constants[gain] / sizes)
    _set(graph, offset, constants[offset] / sizes)
    _set(graph, product.input[1], weights * np.tile(sizes, repeats)[:, None])


def _quantise_product(graph: GraphProto, product: NodeProto, inflow: np.ndarray) -> None:
    constants = _constants(graph)
    weights = constants[product.input[1]]
    scale, zero = _inflow_range(inflow)
    weight_scale = _weight_scales(weights)
    whole_weights = np.clip(np.round(weights / weight_scale), -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int8)
    # What rounding adds on average goes into the bias.
    error = (_rounded(inflow, scale, zero) @ (whole_weights * weight_scale) - inflow @ weights).mean(0)
    add = next(node for node in graph.node if product.output[0] in node.input and node.op_type == "Add")
    bias = next(name for name in add.input if name in constants)
    _set(graph, bias, (constants[bias] - error).astype(np.float32))

    name = product.name
    inflow_scale = [_set(graph, f"{name}/in_scale", scale), _set(graph, f"{name}/in_zero", zero)]
    column_scale = [
        _set(graph, f"{name}/scale", weight_scale),
        _set(graph, f"{name}/zero", np.zeros(len(weight_scale), np.int8)),
    ]
    at = list(graph.node).index(product)
    quantised, inflow_name, weight_name = f"{name}/in_8bit", f"{name}/in", f"{name}/float"
    around = [
        helper.make_node("QuantizeLinear", [product.input[0], *inflow_scale], [quantised]),
        helper.make_node("DequantizeLinear", [quantised, *inflow_scale], [inflow_name]),
        helper.make_node(
            "DequantizeLinear", [_set(graph, f"{name}/weights", whole_weights), *column_scale], [weight_name], axis=1
        ),
    ]
    for offset, node in enumerate(around):
        graph.node.insert(at + offset, node)
    product.input[0], product.input[1] = inflow_name, weight_name


def _rounded(values: np.ndarray, scale: np.float32, zero: np.uint8) -> np.ndarray:
    return (np.clip(np.round(values / scale) + float(zero), 0, LEVELS) - float(zero)) * scale


def _inflow_range(inflow: np.ndarray) -> tuple[np.float32, np.uint8]:
    """Scale and zero point whose rounding and clipping together lose the least power."""
    low, high = min(float(inflow.min()), 0.0), max(float(inflow.max()), 1e-6)
    best = (np.inf, np.float32(1), np.uint8(0))
    for share in RANGES:
        scale = np.float32((high - low) * share / LEVELS)
        zero = np.uint8(np.clip(np.round(-low * share / scale), 0, LEVELS))
        loss = float(np.square(_rounded(inflow, scale, zero) - inflow).mean())
        best = min(best, (loss, scale, zero), key=lambda found: found[0])
    return best[1], best[2]


def _weight_scales(weights: np.ndarray) -> np.ndarray:
    """The scale of each column that loses the least power, f32."""
    peak = np.abs(weights).max(0) + 1e-12
    scales = np.stack([peak * share / LARGEST_WEIGHT for share in RANGES]).astype(np.float32)
    losses = np.stack(
        [
            np.square(np.clip(np.round(weights / s), -LARGEST_WEIGHT, LARGEST_WEIGHT) * s - weights).mean(0)
            for s in scales
        ]
    )
    return scales[losses.argmin(0), np.arange(weights.shape[1])]
