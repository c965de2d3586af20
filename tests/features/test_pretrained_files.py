"""Pretrained models: directories old and new, what is refused, models as plain data."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification
from transformers.utils import logging

from tweetclf.exceptions import ModelFormatError
from tweetclf.features._captured import capture, check_captured, rebuild
from tweetclf.features._encoding import TokenEncoder, _shares, tokenize
from tweetclf.features._files import MissingFileError
from tweetclf.features._pretrained import (
    load_pretrained,
    quiet_transformers,
    save_pretrained,
)
from tweetclf.testing import make_tiny_transformer

TEXTS = ["qué risa me da", "no me gusta nada esto", "genial 😂 el partido de hoy"]
ROWS = [
    "no me gusta",
    "",
    ("qué risa", "el partido"),
    "genial " * 100,
    ("qué " * 100, "el " * 90),
    ("", "partido " * 100),
    ("risa", ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_transformer(tmp_path_factory.mktemp("bert"), TEXTS)


def answers(pretrained):
    inputs = pretrained.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return pretrained.model(**inputs).last_hidden_state


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_loads_what_transformers_loads(folder):
    pretrained = load_pretrained(folder)
    assert not pretrained.model.training
    assert pretrained.model.dtype == torch.float32
    assert pretrained.profile is None
    assert load_pretrained(folder, dtype="bfloat16").model.dtype == torch.bfloat16


def test_loads_old_directories(folder, copied):
    # As published until 2022: a pickle of tensors and a list of words.
    expected = answers(load_pretrained(folder))
    state = load_pretrained(folder).model.state_dict()
    torch.save(state, copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    words = load_pretrained(folder).tokenizer.get_vocab()
    lines = sorted(words, key=words.__getitem__)
    (copied / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (copied / "tokenizer.json").unlink()
    (copied / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    )
    assert torch.equal(answers(load_pretrained(copied)), expected)


def test_a_pickle_that_runs_code_is_refused(copied):
    class Bad:
        def __reduce__(self):
            return (print, ("ran",))

    (copied / "model.safetensors").unlink()
    torch.save({"x": Bad()}, copied / "pytorch_model.bin")
    with pytest.raises(ModelFormatError, match="cannot be read"):
        load_pretrained(copied)


def test_code_of_a_directory_is_not_run(copied):
    config = json.loads((copied / "config.json").read_text("utf-8"))
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelFormatError, match="cannot be read"):
        load_pretrained(copied)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["config.json"], "lacks config.json"),
        (["model.safetensors"], "lacks weights"),
        (["tokenizer.json"], "lacks a tokenizer"),
        (["config.json", "tokenizer.json"], "config.json and a tokenizer"),
    ],
)
def test_says_what_a_directory_lacks(copied, names, message):
    for name in names:
        (copied / name).unlink()
    with pytest.raises(MissingFileError, match=message) as caught:
        load_pretrained(copied, caller="Someone")
    assert str(copied) in str(caught.value)
    assert str(caught.value).startswith("Someone: ")
    assert "hf download" in str(caught.value)


@pytest.mark.parametrize("name", ["./not/there", "/not/there", "a/b/c"])
def test_paths_that_are_not_there(name):
    with pytest.raises(FileNotFoundError, match="no directory of a model at '/"):
        load_pretrained(name)


def test_a_file_is_no_directory(folder):
    with pytest.raises(MissingFileError, match="is a file; give the directory"):
        load_pretrained(folder / "config.json")


def test_a_name_where_there_is_no_network(monkeypatch, tmp_path):
    def unreachable(address, timeout):
        raise OSError("no route to host")

    monkeypatch.setattr("socket.create_connection", unreachable)
    monkeypatch.setattr("tweetclf.features._pretrained.getproxies", dict)
    with pytest.raises(MissingFileError) as caught:
        load_pretrained("dccuchile/no-such-model")
    message = str(caught.value)
    assert "'dccuchile/no-such-model' is no directory (looked at '/" in message
    assert "no route to host" in message
    assert "hf download dccuchile/no-such-model --local-dir" in message


def test_an_encoder_without_its_weights_is_refused(folder, copied):
    # transformers itself only remarks that the layer is random.
    from safetensors.torch import load_file, save_file

    state = load_file(copied / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    del state[name]
    save_file(state, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelFormatError, match=f"{name}.*would be random"):
        load_pretrained(copied)


def test_weights_of_another_size_are_refused(copied):
    config = json.loads((copied / "config.json").read_text("utf-8"))
    config["vocab_size"] += 1
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFormatError, match="do not fit|cannot be read"):
        load_pretrained(copied)


def test_a_damaged_configuration_is_named(copied):
    (copied / "config.json").write_text("{")
    with pytest.raises(ModelFormatError, match="cannot be read") as caught:
        load_pretrained(copied)
    assert str(copied) in str(caught.value)


def test_new_heads_are_drawn_from_the_seed(folder):
    def head(seed):
        return load_pretrained(
            folder,
            auto_class="AutoModelForSequenceClassification",
            seed=seed,
            num_labels=3,
        ).model.classifier.weight

    before = torch.get_rng_state()
    first, second, third = head(0), head(1), head(0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, third)
    assert not torch.equal(first, second)


def test_poolers_that_a_language_model_lacks_are_drawn(folder, tmp_path):
    pretrained = load_pretrained(folder)
    path = tmp_path / "mlm"
    AutoModelForMaskedLM.from_pretrained(folder).save_pretrained(path)
    pretrained.tokenizer.save_pretrained(path)
    assert torch.equal(answers(load_pretrained(path)), answers(pretrained))


def test_the_profile_travels_with_the_directory(folder, tmp_path):
    pretrained = load_pretrained(folder)
    save_pretrained(
        tmp_path / "m", pretrained.model, pretrained.tokenizer, "twilbert@1"
    )
    again = load_pretrained(tmp_path / "m")
    assert again.profile == "twilbert@1"
    assert torch.equal(answers(again), answers(pretrained))
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "m")
    (tmp_path / "m" / "tweetclf.json").write_text('{"profile": 3}')
    with pytest.raises(ModelFormatError, match=r"tweetclf\.json is damaged"):
        load_pretrained(tmp_path / "m")


def test_silence_is_for_the_time_being_only(folder, capfd):
    verbosity = logging.get_verbosity()
    with quiet_transformers(), quiet_transformers():
        assert logging.get_verbosity() == logging.ERROR
    assert logging.get_verbosity() == verbosity
    assert logging.is_progress_bar_enabled()
    load_pretrained(folder)
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == verbosity
    assert logging.is_progress_bar_enabled()


# Models as plain data


def test_rebuilds_what_it_captured(folder):
    pretrained = load_pretrained(folder)
    state = capture(pretrained.model, pretrained.tokenizer)
    again = rebuild(state)
    assert torch.equal(answers(again), answers(pretrained))
    second = capture(again.model, again.tokenizer)
    assert second["config"] == state["config"]
    assert {k: v.tobytes() for k, v in second["files"].items()} == {
        k: v.tobytes() for k, v in state["files"].items()
    }


def test_half_precision_is_kept_in_float32(folder):
    pretrained = load_pretrained(folder, dtype="bfloat16")
    state = capture(pretrained.model, pretrained.tokenizer)
    assert {a.dtype for a in state["weights"].values()} == {np.dtype("float32")}


def _harm(state, name):
    config = json.loads(state["config"])
    if name == "code":
        state["config"] = json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}})
    elif name == "code-of-tokenizer":
        text = json.dumps({"auto_map": {"AutoTokenizer": ["x.Y", None]}})
        state["files"]["tokenizer_config.json"] = np.frombuffer(text.encode(), np.uint8)
    elif name == "path":
        state["files"]["../x.json"] = np.zeros(1, np.uint8)
    elif name == "script":
        state["files"]["tokenizer.py"] = np.zeros(1, np.uint8)
    elif name == "dtype":
        state["files"]["tokenizer.json"] = np.zeros(3)
    elif name == "no-json":
        state["config"] = "{"
    elif name == "part":
        del state["weights"]
    return state


@pytest.mark.parametrize(
    "name",
    ["code", "code-of-tokenizer", "path", "script", "dtype", "no-json", "part"],
)
def test_captured_data_are_checked(folder, name):
    pretrained = load_pretrained(folder)
    state = capture(pretrained.model, pretrained.tokenizer)
    check_captured(state)
    with pytest.raises(ModelFormatError):
        rebuild(_harm(state, name))


@pytest.mark.parametrize("architecture", ["Trainer", "BertConfig", "NoSuchModel"])
def test_only_models_are_rebuilt(folder, architecture):
    pretrained = load_pretrained(folder)
    state = capture(pretrained.model, pretrained.tokenizer)
    state["architecture"] = architecture
    with pytest.raises(ModelFormatError, match="cannot be made again"):
        rebuild(state)


# Tokens


@pytest.mark.parametrize("kind", ["albert", "bert", "modernbert", "roberta"])
def test_tokens_are_those_of_transformers(tmp_path, kind):
    path = make_tiny_transformer(tmp_path, TEXTS, kind=kind)
    tokenizer = load_pretrained(path).tokenizer
    tokens = tokenize(tokenizer, ROWS, 24)
    assert tokens.n_truncated == 3
    assert tokens.ids.dtype == np.int32
    for i, row in enumerate(ROWS):
        expected = tokenizer(
            *([[row]] if isinstance(row, str) else [[text] for text in row]),
            truncation="longest_first",
            max_length=24,
            return_special_tokens_mask=True,
        )
        one = tokens.take(np.array([i]))
        assert [one.ids.tolist()] == expected["input_ids"]
        (special,) = expected["special_tokens_mask"]
        assert one.special.tolist() == list(map(bool, special))
        if one.types is None:
            assert "token_type_ids" not in expected
        else:
            assert [one.types.tolist()] == expected["token_type_ids"]


def test_take_changes_the_order(folder):
    tokens = tokenize(load_pretrained(folder).tokenizer, ROWS, 24)
    order = np.array([4, 0, 2])
    taken = tokens.take(order)
    starts = np.cumsum(tokens.lengths) - tokens.lengths
    expected = np.concatenate(
        [tokens.ids[starts[i] : starts[i] + tokens.lengths[i]] for i in order]
    )
    assert taken.ids.tolist() == expected.tolist()
    assert taken.lengths.tolist() == tokens.lengths[order].tolist()


def test_more_than_two_segments(folder):
    tokenizer = load_pretrained(folder).tokenizer
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    parts = ["qué risa", "el partido", "genial"]
    inner = [tokenizer(p, add_special_tokens=False)["input_ids"] for p in parts]
    tokens = tokenize(tokenizer, [tuple(parts)], 64)
    assert tokens.ids.tolist() == [
        *(cls, *inner[0], sep),
        *(*inner[1], sep),
        *(*inner[2], sep),
    ]
    n_first = len(inner[0]) + 2
    assert tokens.types.tolist() == [0] * n_first + [1] * (len(tokens.ids) - n_first)
    cut = tokenize(tokenizer, [("qué " * 30, "el " * 3, "genial")], 16)
    assert cut.lengths.tolist() == [16]
    assert cut.n_truncated == 1


@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [
        ([3, 4], 9, [3, 4]),
        ([10, 3], 8, [5, 3]),
        ([10, 10], 9, [5, 4]),
        ([10, 9, 2], 10, [4, 4, 2]),
        ([0, 50, 5], 20, [0, 15, 5]),
    ],
)
def test_the_longest_loses_first(lengths, room, kept):
    assert _shares(lengths, room) == kept


def test_max_length_leaves_room(folder):
    tokenizer = load_pretrained(folder).tokenizer
    with pytest.raises(ValueError, match="max_length=3 leaves no room"):
        TokenEncoder(tokenizer, 3)
    with pytest.raises(ValueError, match="room for 2 tokens of 3 texts"):
        tokenize(tokenizer, [("a", "b", "c")], 6)


def test_hostile_texts_have_tokens(folder):
    tokenizer = load_pretrained(folder).tokenizer
    tokens = tokenize(tokenizer, ["mal \ud83d cortado", "\x00", "a" * 10_000], 32)
    assert tokens.lengths.min() >= 2
    assert tokens.lengths.max() == 32 or tokens.n_truncated == 0


def test_threads_encode_at_once(folder):
    encoder = TokenEncoder(load_pretrained(folder).tokenizer, 24)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(encoder.encode, [ROWS] * 16))
    assert len({result.ids.tobytes() for result in results}) == 1
