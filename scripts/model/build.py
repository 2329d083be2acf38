"""Writes all-MiniLM-L6-v2 as an ONNX graph: build.py SAFETENSORS OUT.onnx int8|fp32

e5.py writes multilingual-e5-small with the same graph.

The weights go to OUT.onnx.data, which ONNX Runtime maps: they are neither parsed nor copied, and sessions share them.

The graph is BERT as sentence-transformers runs it, up to `last_hidden_state`; the caller does pooling and normalisation.
It is written with the operators that ONNX Runtime 1.31 runs fastest, so load it with graph optimisation disabled: that
is quicker, and the optimiser would fuse the norms into an operator that takes four times as long.

            size    session   tokens/s of a thread for texts of 16, 128, 256 tokens (AVX-512 VNNI)
    fp32    90 MB    60 ms     6,200    6,300    6,200
    int8    23 MB    27 ms    17,000   20,600   16,600

Only exactly rounded operations (add, divide, round) touch the weights, so every machine writes the same bytes.
scripts/model/assets.txt holds the expected SHA-256: update it after a change of this file.
"""

import hashlib
import json
import os
import struct
import sys
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The weights as the model's authors published them.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# In bytes. ONNX Runtime opens the file for every external tensor, which costs more than copying a small one.
WORTH_MAPPING = 65_536

HIDDEN, HEADS, EPSILON = 384, 12, 1e-12
FUSED = "com.microsoft"


@dataclass(frozen=True)
class Shape:
    """What differs between the models: layers, and outliers that int8 represents badly."""

    name: str
    layers: int
    # Neurons of the feed-forward layers that are computed in fp32, by layer.
    loud_neurons: dict = field(default_factory=dict)
    # Factors by channel of the hidden state, before the two quantised products.
    before_attention: dict = field(default_factory=dict)
    before_feed_forward: dict = field(default_factory=dict)


# Outliers that int8 represents badly in this model, measured on English paragraphs. Activations share one scale per
# tensor, and the first token, [CLS], dominates it: it drives these five neurons of the feed-forward layers to 13-25, where
# the rest stay below 7, and channel 99 of the hidden state to 28, where the rest stay below 8. So those neurons are
# computed in fp32, and the outlier channels are scaled down before quantisation and their weights scaled up.
# Mean cosine to fp32 over 300 sentences: 0.9939 without this, 0.9964 with the neurons, 0.9986 with both. It costs
# about 4 % of the speed.
MINILM = Shape(
    "all-MiniLM-L6-v2",
    layers=6,
    loud_neurons={0: [856], 1: [607], 2: [218, 1004], 3: [358]},
    before_attention={99: 2},
    before_feed_forward={99: 4, 223: 2},
)


def read_weights(path):
    """The float32 tensors of a safetensors file: its length, a JSON header, raw little-endian numbers."""
    with open(path, "rb") as file:
        raw = file.read()
    found = hashlib.sha256(raw).hexdigest()
    if found != WEIGHTS_SHA256:
        sys.exit(f"the weights are not the published all-MiniLM-L6-v2: SHA-256 {found}, expected {WEIGHTS_SHA256}")
    (length,) = struct.unpack("<Q", raw[:8])
    body = 8 + length
    tensors = {}
    for name, entry in json.loads(raw[8:body]).items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = np.frombuffer(raw[body + first : body + last], "<f4").reshape(entry["shape"])
    return tensors


def quantise_rows(table):
    """int8 rows with a scale each. As the word embeddings this halves the file at a cosine of 0.99999."""
    scales = np.abs(table).max(axis=1, keepdims=True) / np.float32(127)
    return np.rint(table / scales).astype(np.int8), scales


def quantise_columns(matrix):
    """int8 columns with a scale each, such that neighbours down a column add up to at most 128 in magnitude.

    x86 processors without VNNI multiply unsigned by signed bytes in pairs and clip the sum at 32,767. Activations go up
    to 255, and 255 * 128 just fits: results are exact, and the same, on every processor. The usual remedy, 7-bit weights
    (all at most 64), gives a mean cosine of 0.9978; this gives 0.9986, and unrestricted 8 bits give 0.9988. Unsigned weights
    never clip, but their kernel runs at less than half the speed.
    """
    magnitude = np.abs(matrix)
    pairs = magnitude[0::2] + magnitude[1::2]
    scales = np.maximum(pairs.max(axis=0), np.float32(1e-9)) / np.float32(127)
    quantised = np.rint(matrix / scales).astype(np.int8)
    assert np.abs(quantised.astype(int)).reshape(-1, 2, matrix.shape[1]).sum(axis=1).max() <= 128
    return quantised, scales


def damping(channels):
    """One factor per channel of the hidden state: a power of two for outliers, so nothing is rounded."""
    factors = np.ones(HIDDEN, np.float32)
    for channel, factor in channels.items():
        factors[channel] = factor
    return factors


class Graph:
    """Collects nodes and constants. Each method adds an operation and returns the name of its result."""

    def __init__(self, shape, int8):
        self.shape = shape
        self.int8 = int8
        self.nodes = []
        self.constants = {}

    def constant(self, name, values):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def add(self, operator, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(operator, inputs, outputs, outputs[0], domain=domain, **attributes))
        return outputs[0]

    def words(self, table):
        if not self.int8:
            return self.add("Gather", [self.constant("words", table), "input_ids"], "word")
        # Only the rows of this text are dequantised.
        words, scales = quantise_rows(table)
        rows = self.add("Gather", [self.constant("words", words), "input_ids"], "words.int8")
        scales = self.add("Gather", [self.constant("words.scales", scales), "input_ids"], "words.scale")
        rows = self.add("Cast", [rows], "words.float", to=TensorProto.FLOAT)
        return self.add("Mul", [rows, scales], "word")

    def embeddings(self, weights):
        def table(name):
            return weights[f"embeddings.{name}.weight"]

        words = self.words(table("word_embeddings"))
        types = self.constant("types", table("token_type_embeddings"))
        types = self.add("Gather", [types, "token_type_ids"], "type")
        zero = self.constant("zero", np.array([0], np.int64))
        length = self.add("Shape", ["input_ids"], "length", start=1, end=2)
        positions = self.constant("positions", table("position_embeddings"))
        positions = self.add("Slice", [positions, zero, length, zero], "position")
        total = self.add("Add", [words, types], "word+type")
        total = self.add("Add", [total, positions], "word+type+position")
        norm = {part: weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")}
        return self.layer_norm(total, norm, "embeddings")

    def damp(self, hidden, factors, name):
        """The hidden state with outlier channels scaled down; the next weights are scaled up by `factors`."""
        return self.add("Mul", [hidden, self.constant(f"{name}.by", 1 / factors)], name)

    def linear(self, hidden, matrix, bias, name):
        bias = self.constant(f"{name}.bias", bias)
        if not self.int8:
            product = self.add("MatMul", [hidden, self.constant(f"{name}.weight", matrix)], f"{name}.product")
            return self.add("Add", [product, bias], name)
        matrix, scales = quantise_columns(matrix)
        matrix, scales = self.constant(f"{name}.weight", matrix), self.constant(f"{name}.scales", scales)
        return self.add("DynamicQuantizeMatMul", [hidden, matrix, scales, "", bias], name, FUSED)

    def attention(self, hidden, matrix, bias, name):
        bias = self.constant(f"{name}.bias", bias)
        if not self.int8:
            inputs = [hidden, self.constant(f"{name}.weight", matrix), bias, "mask"]
            return self.add("Attention", inputs, name, FUSED, num_heads=HEADS)
        factors = damping(self.shape.before_attention)
        hidden = self.damp(hidden, factors, f"{name}.damped")
        matrix, scales = quantise_columns(matrix * factors[:, None])
        matrix, scales = self.constant(f"{name}.weight", matrix), self.constant(f"{name}.scales", scales)
        scale, zero_point = f"{name}.scale", f"{name}.zero_point"
        hidden = self.add("DynamicQuantizeLinear", [hidden], [f"{name}.input", scale, zero_point])
        inputs = [hidden, matrix, bias, scale, scales, "mask", zero_point]
        return self.add("QAttention", inputs, name, FUSED, num_heads=HEADS)

    def feed_forward(self, hidden, layer, up, up_bias, down, down_bias, name):
        """Returns the result, and the residual to add to it."""
        residual = hidden
        if self.int8:
            loud = self.shape.loud_neurons.get(layer, [])
            if loud:
                few = self.add("MatMul", [hidden, self.constant(f"{name}.loud.up.weight", up[:, loud])], f"{name}.loud.product")
                few = self.add("Add", [few, self.constant(f"{name}.loud.up.bias", up_bias[loud])], f"{name}.loud.up")
                few = self.add("Gelu", [few], f"{name}.loud.gelu")
                few = self.add("MatMul", [few, self.constant(f"{name}.loud.down.weight", down[loud])], f"{name}.loud.down")
                residual = self.add("Add", [few, hidden], f"{name}.residual")
            up, up_bias, down = up.copy(), up_bias.copy(), down.copy()
            up[:, loud] = up_bias[loud] = down[loud] = 0  # GELU(0) is 0
            factors = damping(self.shape.before_feed_forward)
            up = up * factors[:, None]
            hidden = self.damp(hidden, factors, f"{name}.damped")
        wide = self.linear(hidden, up, up_bias, f"{name}.up")
        wide = self.add("Gelu", [wide], f"{name}.gelu")
        return self.linear(wide, down, down_bias, f"{name}.down"), residual

    def norm(self, hidden, residual, weights, name):
        """LayerNorm(hidden + residual). The fused SkipLayerNormalization takes four times as long as these two."""
        total = self.add("Add", [hidden, residual], f"{name}.sum")
        return self.layer_norm(total, weights, name)

    def layer_norm(self, hidden, weights, name):
        norm = [self.constant(f"{name}.{part}", weights[part]) for part in ("weight", "bias")]
        return self.add("LayerNormalization", [hidden, *norm], name, axis=-1, epsilon=EPSILON)

    def layer(self, hidden, layer, weights):
        def dense(name):  # published as [out, in]
            return of(f"{name}.weight").T, of(f"{name}.bias")

        def of(name):
            return weights[f"encoder.layer.{layer}.{name}"]

        def layer_norm(name):
            return {part: of(f"{name}.LayerNorm.{part}") for part in ("weight", "bias")}

        queries_keys_values = [dense(f"attention.self.{part}") for part in ("query", "key", "value")]
        matrix, bias = (np.concatenate(parts, axis=-1) for parts in zip(*queries_keys_values))
        context = self.attention(hidden, matrix, bias, f"{layer}.attention")
        context = self.linear(context, *dense("attention.output.dense"), f"{layer}.attention.output")
        hidden = self.norm(context, hidden, layer_norm("attention.output"), f"{layer}.attention.norm")
        up, down = dense("intermediate.dense"), dense("output.dense")
        wide, residual = self.feed_forward(hidden, layer, *up, *down, f"{layer}.feed_forward")
        name = f"{layer}.norm" if layer < self.shape.layers - 1 else "last_hidden_state"
        return self.norm(wide, residual, layer_norm("output"), name)


def build(graph, weights):
    """The model that `graph` has the shape of."""
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = graph.embeddings(weights)
    for layer in range(graph.shape.layers):
        hidden = graph.layer(hidden, layer, weights)

    def value(name, kind, *more):
        return helper.make_tensor_value_info(name, kind, ["batch", "sequence", *more])

    inputs = [value(name, TensorProto.INT64) for name in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [value(hidden, TensorProto.FLOAT, HIDDEN)]
    constants = list(graph.constants.values())
    return helper.make_model(
        helper.make_graph(graph.nodes, graph.shape.name, inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(FUSED, 1)],
        ir_version=9,
        producer_name="rag",
    )


def save(model, out):
    """Writes OUT.onnx and, beside it, its large tensors."""
    location = f"{os.path.basename(out)}.data"
    onnx.save(model, out, save_as_external_data=True, location=location, size_threshold=WORTH_MAPPING)


def main():
    if len(sys.argv) != 4 or sys.argv[3] not in ("int8", "fp32"):
        sys.exit(__doc__.splitlines()[0])
    safetensors, out, precision = sys.argv[1:]
    save(build(Graph(MINILM, precision == "int8"), read_weights(safetensors)), out)


if __name__ == "__main__":
    main()
