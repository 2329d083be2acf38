"""Writes overlap.onnx, a cross-encoder: how many pairs of a query's token and a passage's token are the same."""

import sys

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def constant(name, values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def main(out):
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["input_ids", "last"], ["down"]),
        node("Unsqueeze", ["input_ids", "middle"], ["across"]),
        node("Equal", ["down", "across"], ["equal"]),
        node("Cast", ["equal"], ["same"], to=TensorProto.FLOAT),
        node("Cast", ["token_type_ids"], ["passage"], to=TensorProto.FLOAT),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Sub", ["mask", "passage"], ["query"]),
        node("Unsqueeze", ["query", "middle"], ["row"]),
        node("MatMul", ["row", "same"], ["times"]),
        node("Unsqueeze", ["passage", "middle"], ["passage.row"]),
        node("Mul", ["times", "passage.row"], ["counted"]),
        node("ReduceSum", ["counted", "last"], ["logits"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in INPUTS]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])]
    constants = [constant("last", [2]), constant("middle", [1])]
    graph = helper.make_graph(nodes, "overlap", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), out)


main(sys.argv[1])
