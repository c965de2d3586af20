"""ELMo by loops over sentences, tokens and characters, straight from published files.

Nothing is shared with the package: AllenNLP's weights are used as bilm-tf (TensorFlow)
computes with them, those of ELMoForManyLangs as its torch code does. In double
precision, one sentence at a time, so that there is neither a batch nor padding.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

CLIP = 0.3
FILTERS = ((1, 4), (2, 5), (3, 6))
N_FILTERS = 15
CHAR_DIM, WORD_DIM, SIZE, CELL, LAYERS = 4, 3, 5, 7, 2
LENGTH = 50

# Lengths 1 to 6 and none, words that are cut, marks, other scripts, an empty token.
SENTENCES = [
    ["hola", "que", "tal", "😂😂", "#jajaja", "@user"],
    ["ñandú"],
    ["a" * 70, "b", "<S>", "https://t.co/x"],
    ["", "日本"],
    [],
    ["x" * 47, "x" * 48, "x" * 49],
    ["é" * 30, "<bos>", "a b", "hola", "Hola"],
]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def convolve(letters, filters):
    """Return the largest value of each filter over all positions of (50, dim)."""
    found = []
    for weight, bias in filters:  # (width, dim, number), (number,)
        width = len(weight)
        windows = [
            np.einsum("wd,wdn->n", letters[p : p + width], weight) + bias
            for p in range(len(letters) - width + 1)
        ]
        found.append(relu(np.max(windows, axis=0)))
    return np.concatenate(found)


def run_layers(tokens, cells, states):
    """Return (n_layers + 1, n_tokens, 2 * size) and the states after the sentence."""
    layers = [[np.concatenate([x, x]) for x in tokens]]
    streams = [list(tokens), list(tokens)]
    after = {}
    for k in range(LAYERS):
        for d in (0, 1):
            h, c = states.get((k, d), (np.zeros(SIZE), np.zeros(CELL)))
            out = [None] * len(tokens)
            order = range(len(tokens)) if d == 0 else reversed(range(len(tokens)))
            for t in order:
                h, c = cells[k, d](streams[d][t], h, c)
                out[t] = h + streams[d][t] if k else h
            after[k, d] = h, c
            streams[d] = out
        pairs = zip(*streams, strict=True)
        layers.append([np.concatenate(pair) for pair in pairs])
    return np.array(layers), after


# AllenNLP --------------------------------------------------------------------------


def write_allennlp(folder, seed=0, scale=0.6):
    """Write options.json and weights.hdf5 of random weights; return them by name."""
    import h5py

    rng = np.random.default_rng(seed)
    options = {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": SIZE,
            "cell_clip": CLIP,
            "proj_clip": CLIP,
            "dim": CELL,
            "n_layers": LAYERS,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": [list(pair) for pair in FILTERS],
            "n_highway": 2,
            "embedding": {"dim": CHAR_DIM},
            "n_characters": 262,
            "max_characters_per_token": LENGTH,
        },
    }
    shapes = {"char_embed": (261, CHAR_DIM)}
    for i, (width, number) in enumerate(FILTERS):
        shapes[f"CNN/W_cnn_{i}"] = (1, width, CHAR_DIM, number)
        shapes[f"CNN/b_cnn_{i}"] = (number,)
    for k in range(2):
        for gate in ("carry", "transform"):
            shapes[f"CNN_high_{k}/W_{gate}"] = (N_FILTERS, N_FILTERS)
            shapes[f"CNN_high_{k}/b_{gate}"] = (N_FILTERS,)
    shapes |= {"CNN_proj/W_proj": (N_FILTERS, SIZE), "CNN_proj/b_proj": (SIZE,)}
    for d in (0, 1):
        for k in range(LAYERS):
            prefix = f"RNN_{d}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
            shapes[prefix + "W_0"] = (2 * SIZE, 4 * CELL)
            shapes[prefix + "B"] = (4 * CELL,)
            shapes[prefix + "W_P_0"] = (CELL, SIZE)
    raw = {
        name: (rng.standard_normal(shape) * scale).astype(np.float32)
        for name, shape in shapes.items()
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(options))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, array in raw.items():
            file[name] = array
    return raw


def byte_ids(token):
    """Return the 50 ids of a token, 0 to 260, as bilm-tf numbers them."""
    if token == "<S>":
        inner = [256]
    elif token == "</S>":
        inner = [257]
    else:
        inner = list(token.encode("utf-8", "ignore"))[:48]
    ids = [258, *inner, 259]
    return ids + [260] * (LENGTH - len(ids))


def allennlp_layers(raw, sentence, states=None):
    """Return all layers of a sentence, its two ends included, and the states."""
    raw = {name: array.astype(np.float64) for name, array in raw.items()}
    filters = [
        (raw[f"CNN/W_cnn_{i}"][0], raw[f"CNN/b_cnn_{i}"]) for i in range(len(FILTERS))
    ]
    tokens = []
    for token in ["<S>", *sentence, "</S>"]:
        x = convolve(raw["char_embed"][byte_ids(token)], filters)
        for k in range(2):
            high = f"CNN_high_{k}"
            gate = sigmoid(x @ raw[f"{high}/W_carry"] + raw[f"{high}/b_carry"])
            change = x @ raw[f"{high}/W_transform"] + raw[f"{high}/b_transform"]
            x = gate * relu(change) + (1 - gate) * x
        tokens.append(x @ raw["CNN_proj/W_proj"] + raw["CNN_proj/b_proj"])

    def cell_of(k, d):
        prefix = f"RNN_{d}/RNN/MultiRNNCell/Cell{k}/LSTMCell/"
        weight, bias = raw[prefix + "W_0"], raw[prefix + "B"]

        def cell(x, h, c):
            i, j, f, o = np.split(np.concatenate([x, h]) @ weight + bias, 4)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
            c = np.clip(c, -CLIP, CLIP)
            h = (sigmoid(o) * np.tanh(c)) @ raw[prefix + "W_P_0"]
            return np.clip(h, -CLIP, CLIP), c

        return cell

    cells = {(k, d): cell_of(k, d) for k in range(LAYERS) for d in (0, 1)}
    return run_layers(tokens, cells, states or {})


# ELMoForManyLangs ------------------------------------------------------------------

CHARACTERS = [
    "<oov>",
    "<bos>",
    "<eos>",
    "<bow>",
    "<eow>",
    "<pad>",
    *"abhlotuq#@é\u3000",
]
WORDS = ["<oov>", "<bos>", "<eos>", "<pad>", "hola", "", "x" * 48, "que", "tal"]


def write_manylangs(folder, seed=0, scale=0.6, *, words=True):
    """Write a folder of random weights; return the tensors of both pickles."""
    import torch

    rng = np.random.default_rng(seed)
    folder = Path(folder)
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({"config_path": "/users/somebody/elmo/configs/small.json"})
    )
    config = {
        "encoder": {
            "name": "elmo",
            "projection_dim": SIZE,
            "cell_clip": CLIP,
            "proj_clip": CLIP,
            "dim": CELL,
            "n_layers": LAYERS,
        },
        "token_embedder": {
            "name": "cnn",
            "activation": "relu",
            "filters": [list(pair) for pair in FILTERS],
            "n_highway": 2,
            "word_dim": WORD_DIM if words else 0,
            "char_dim": CHAR_DIM,
            "max_characters_per_token": LENGTH,
        },
        "dropout": 0.1,
    }
    (folder / "configs" / "small.json").write_text(json.dumps(config))
    # Neither in the order of the ids, nor are blank entries written as they are.
    lines = [f"{c}\t{i}\n" for i, c in reversed(list(enumerate(CHARACTERS)))]
    (folder / "char.dic").write_bytes("".join(lines).encode())
    if words:
        lines = [f"{w}\t{i}\n" for i, w in enumerate(WORDS)]
        (folder / "word.dic").write_bytes("".join(lines).encode())
    shapes = {"char_emb_layer.embedding.weight": (len(CHARACTERS), CHAR_DIM)}
    if words:
        shapes["word_emb_layer.embedding.weight"] = (len(WORDS), WORD_DIM)
    for i, (width, number) in enumerate(FILTERS):
        shapes[f"convolutions.{i}.weight"] = (number, CHAR_DIM, width)
        shapes[f"convolutions.{i}.bias"] = (number,)
    for k in range(2):
        shapes[f"highways._layers.{k}.weight"] = (2 * N_FILTERS, N_FILTERS)
        shapes[f"highways._layers.{k}.bias"] = (2 * N_FILTERS,)
    shapes["projection.weight"] = (SIZE, N_FILTERS + (WORD_DIM if words else 0))
    shapes["projection.bias"] = (SIZE,)
    lstms = {}
    for direction in ("forward", "backward"):
        for k in range(LAYERS):
            layer = f"{direction}_layer_{k}"
            lstms[f"{layer}.input_linearity.weight"] = (4 * CELL, SIZE)
            lstms[f"{layer}.state_linearity.weight"] = (4 * CELL, SIZE)
            lstms[f"{layer}.state_linearity.bias"] = (4 * CELL,)
            lstms[f"{layer}.state_projection.weight"] = (SIZE, CELL)
    raw = {}
    # The format of torch of that time, and today's.
    for name, wanted, zipped in (
        ("token_embedder.pkl", shapes, False),
        ("encoder.pkl", lstms, True),
    ):
        tensors = {
            n: torch.tensor(rng.standard_normal(s) * scale, dtype=torch.float32)
            for n, s in wanted.items()
        }
        torch.save(tensors, folder / name, _use_new_zipfile_serialization=zipped)
        raw |= {n: t.numpy() for n, t in tensors.items()}
    return raw


def manylangs_layers(raw, sentence, states=None, *, words=True):
    """Return all layers of a sentence, its two ends included, and the states."""
    raw = {name: array.astype(np.float64) for name, array in raw.items()}
    char_ids = {c: i for i, c in enumerate(CHARACTERS)}
    # An entry that is white space comes to be U+3000 when it is read.
    word_ids = {w or "\u3000": i for i, w in enumerate(WORDS)}
    filters = [
        (
            raw[f"convolutions.{i}.weight"].transpose(2, 1, 0),
            raw[f"convolutions.{i}.bias"],
        )
        for i in range(len(FILTERS))
    ]
    tokens = []
    for token in ["<bos>", *sentence, "<eos>"]:
        token = token[:48]
        if token in ("<bos>", "<eos>"):
            inner = [char_ids[token]]
        else:
            inner = [char_ids.get(c, char_ids["<oov>"]) for c in token]
        ids = [char_ids["<eow>"], *inner, char_ids["<bow>"]]  # as released: swapped
        ids += [char_ids["<pad>"]] * (LENGTH - len(ids))
        x = convolve(raw["char_emb_layer.embedding.weight"][ids], filters)
        for k in range(2):
            layer = f"highways._layers.{k}"
            change, gate = np.split(
                raw[f"{layer}.weight"] @ x + raw[f"{layer}.bias"], 2
            )
            x = sigmoid(gate) * x + (1 - sigmoid(gate)) * relu(change)
        if words:
            row = word_ids.get(token, word_ids["<oov>"])
            x = np.concatenate([raw["word_emb_layer.embedding.weight"][row], x])
        tokens.append(raw["projection.weight"] @ x + raw["projection.bias"])

    def cell_of(k, d):
        layer = f"{('forward', 'backward')[d]}_layer_{k}"

        def cell(x, h, c):
            gates = raw[f"{layer}.input_linearity.weight"] @ x
            gates += raw[f"{layer}.state_linearity.weight"] @ h
            gates += raw[f"{layer}.state_linearity.bias"]
            i, f, g, o = np.split(gates, 4)
            c = np.clip(sigmoid(i) * np.tanh(g) + sigmoid(f) * c, -CLIP, CLIP)
            h = raw[f"{layer}.state_projection.weight"] @ (sigmoid(o) * np.tanh(c))
            return np.clip(h, -CLIP, CLIP), c

        return cell

    cells = {(k, d): cell_of(k, d) for k in range(LAYERS) for d in (0, 1)}
    return run_layers(tokens, cells, states or {})
