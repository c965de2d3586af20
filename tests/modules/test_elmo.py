"""ELMo's network and the readers of its files, against loops in double precision."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest
from elmo_oracles import (
    CELL,
    CLIP,
    LAYERS,
    SENTENCES,
    SIZE,
    allennlp_layers,
    manylangs_layers,
    write_allennlp,
    write_manylangs,
)

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

from tweetclf.exceptions import (  # noqa: E402
    DataError,
    MissingDependencyError,
    ModelFormatError,
)
from tweetclf.modules import elmo  # noqa: E402
from tweetclf.modules.elmo import (  # noqa: E402
    CharacterEncoder,
    ElmoBiLM,
    ProjectedLSTM,
    load_bilm,
    pack,
)
from tweetclf.modules.elmo_config import ElmoConfig, check_arrays  # noqa: E402
from tweetclf.modules.elmo_files import find_elmo, read_elmo, write_elmo  # noqa: E402
from tweetclf.modules.elmo_language_model import ElmoLanguageModel  # noqa: E402
from tweetclf.modules.scalar_mix import ScalarMix  # noqa: E402
from tweetclf.preprocessing.characters import TokenCharacters  # noqa: E402

FORMATS = {
    "allennlp": (write_allennlp, allennlp_layers),
    "manylangs": (write_manylangs, manylangs_layers),
}


@pytest.fixture(scope="module", params=FORMATS)
def published(request, tmp_path_factory):
    """A network read from files, and the loop that computes from the same numbers."""
    write, oracle = FORMATS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    raw = write(folder)
    network = read_elmo(find_elmo(folder), caller="the test")

    def reference(sentence, states=None):
        return oracle(raw, sentence, states)

    return network, reference


def padded(network, sentences):
    """Return what ElmoBiLM.forward takes, with nonsense where there is no token."""
    characters = TokenCharacters(network.characters, network.words)
    ends = [[characters.begin, *s, characters.end] for s in sentences]
    longest = max(map(len, ends))
    ids = torch.full((len(ends), longest, 50), 3)
    words = torch.zeros(len(ends), longest, dtype=torch.int64)
    for row, tokens in enumerate(ends):
        found, numbers = characters.encode(tokens, margin=50)
        ids[row, : len(tokens)] = torch.from_numpy(found)
        if numbers is not None:
            words[row, : len(tokens)] = torch.from_numpy(numbers)
    lengths = torch.tensor(list(map(len, ends)))
    return ids, lengths, words if network.words is not None else None


def test_every_layer_is_that_of_the_reference(published):
    network, reference = published
    ids, lengths, words = padded(network, SENTENCES)
    layers, _ = load_bilm(network.config, network.arrays)(ids, lengths, words)
    clipped = 0
    for row, sentence in enumerate(SENTENCES):
        n = len(sentence) + 2
        expected, _ = reference(sentence)
        np.testing.assert_allclose(layers[:, row, :n], expected, rtol=0, atol=1e-5)
        assert not layers[:, row, n:].any()
        clipped += np.sum(np.abs(np.abs(expected[1]) - CLIP) < 1e-12)
    assert clipped > 20  # the case in which torch's own LSTM is another one


def test_state_goes_on_in_a_second_call(published):
    network, reference = published
    bilm = load_bilm(network.config, network.arrays)
    first, second = SENTENCES[:4], [*SENTENCES[3::-1]]
    _, state = bilm(*padded(network, first)[:2], padded(network, first)[2])
    ids, lengths, words = padded(network, second)
    layers, after = bilm(ids, lengths, words, state)
    fresh, _ = bilm(ids, lengths, words)
    assert (layers - fresh).abs().max() > 0.01
    for row, (before, sentence) in enumerate(zip(first, second, strict=True)):
        _, states = reference(before)
        expected, states = reference(sentence, states)
        n = len(sentence) + 2
        np.testing.assert_allclose(layers[:, row, :n], expected, rtol=0, atol=1e-5)
        for k in range(LAYERS):
            for d in (0, 1):
                h, c = after[2 * k + d]
                np.testing.assert_allclose(h[row], states[k, d][0], atol=1e-5)
                np.testing.assert_allclose(c[row], states[k, d][1], atol=1e-5)


def test_manylangs_without_whole_words(tmp_path):
    raw = write_manylangs(tmp_path, words=False)
    network = read_elmo(find_elmo(tmp_path), caller="the test")
    assert network.words is None
    ids, lengths, words = padded(network, SENTENCES[:1])
    layers, _ = load_bilm(network.config, network.arrays)(ids, lengths, words)
    expected, _ = manylangs_layers(raw, SENTENCES[0], words=False)
    np.testing.assert_allclose(layers[:, 0], expected, rtol=0, atol=1e-5)


# -- parts ----------------------------------------------------------------------------


def make_lstm(*, clip=None, backward=False, dtype=torch.float64):
    config = ElmoConfig(
        char_dim=2,
        filters=[(1, 2)],
        projection_dim=3,
        cell_dim=5,
        cell_clip=clip,
        projection_clip=clip,
    )
    lstm = ProjectedLSTM(config, backward=backward).to(dtype)
    generator = torch.Generator().manual_seed(0)
    for parameter in lstm.parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=dtype)
        parameter.data = values
    return lstm


LENGTHS = [5, 3, 3, 1]


def packed_input(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(sum(LENGTHS), 3, generator=generator, dtype=dtype)


@pytest.mark.parametrize("backward", [False, True])
def test_without_clipping_it_is_torch_s_lstm(backward):
    lstm = make_lstm(backward=backward)
    _, _, sizes = pack(torch.tensor(LENGTHS))
    theirs = torch.nn.LSTM(3, 5, proj_size=3, bidirectional=True).to(torch.float64)
    suffix = "_reverse" if backward else ""
    with torch.no_grad():
        getattr(theirs, f"weight_ih_l0{suffix}").copy_(lstm.input.weight)
        getattr(theirs, f"weight_hh_l0{suffix}").copy_(lstm.hidden.weight)
        getattr(theirs, f"bias_ih_l0{suffix}").copy_(lstm.hidden.bias)
        getattr(theirs, f"bias_hh_l0{suffix}").zero_()
        getattr(theirs, f"weight_hr_l0{suffix}").copy_(lstm.projection.weight)
    x = packed_input()
    expected, (h, c) = theirs(torch.nn.utils.rnn.PackedSequence(x, torch.tensor(sizes)))
    half = slice(3, 6) if backward else slice(0, 3)
    ours, (our_h, our_c) = lstm(x, sizes)
    torch.testing.assert_close(ours, expected.data[:, half])
    torch.testing.assert_close(our_h, h[int(backward)])
    torch.testing.assert_close(our_c, c[int(backward)])


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("rows_ahead", [1, 4, 2048])
def test_gates_ahead_of_time_change_nothing(monkeypatch, backward, rows_ahead):
    lstm = make_lstm(clip=0.5, backward=backward)
    _, _, sizes = pack(torch.tensor(LENGTHS))
    expected, _ = lstm(packed_input(), sizes)
    monkeypatch.setattr(elmo, "_ROWS_AHEAD", rows_ahead)
    found, _ = lstm(packed_input(), sizes)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("backward", [False, True])
def test_gradients_are_those_of_differences(backward):
    lstm = make_lstm(clip=2.5, backward=backward)
    _, _, sizes = pack(torch.tensor(LENGTHS))
    x = packed_input().requires_grad_()
    h = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    c = torch.zeros(4, 5, dtype=torch.float64, requires_grad=True)
    weights = tuple(lstm.parameters())

    def run(x, h, c, *weights):
        y, state = lstm(x, sizes, (h, c))
        return y, *state

    assert torch.autograd.gradcheck(run, (x, h, c, *weights))


def test_characters_beyond_the_longest_word_may_be_cut_off():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = ElmoConfig(
            char_dim=3, filters=[(1, 4), (3, 4)], projection_dim=2, cell_dim=2
        )
        encoder = CharacterEncoder(config)
        encoder.reset_parameters()
    words = ["a", "lunes", "x" * 46, "y" * 48]
    for n in range(1, len(words) + 1):
        whole, _ = TokenCharacters().encode(words[:n], margin=50)
        cut, _ = TokenCharacters().encode(words[:n], margin=3)
        assert whole.shape[1] == 50
        assert cut.shape[1] == min(50, len(words[n - 1]) + 2 + 3)
        torch.testing.assert_close(
            encoder(torch.from_numpy(cut)), encoder(torch.from_numpy(whole))
        )


def test_scalar_mix_is_its_formula():
    rng = np.random.default_rng(0)
    layers = rng.standard_normal((3, 4, 5, 6))
    mask = np.arange(5) < np.array([5, 2, 1, 3])[:, None]
    given = [0.3, -1.0, 2.0]
    shares = np.exp(given) / np.exp(given).sum()
    tensors = list(torch.from_numpy(layers))
    mix = ScalarMix(3, weights=given)
    with torch.no_grad():
        mix.gamma.fill_(1.5)
        found = mix(tensors)
        np.testing.assert_allclose(
            found, 1.5 * np.tensordot(shares, layers, 1), atol=1e-6
        )
        normed = ScalarMix(3, weights=given, layer_norm=True)
        found = normed(tensors, torch.from_numpy(mask))
    there = [layer[mask] for layer in layers]
    expected = sum(
        share * (layer - values.mean()) / values.std()
        for share, layer, values in zip(shares, layers, there, strict=True)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scalar_mix_refuses_another_number_of_layers():
    with pytest.raises(ValueError, match="3 values, one a layer. Got 2"):
        ScalarMix(3, weights=[0.0, 0.0])
    with pytest.raises(ValueError, match="got 2 layers; it was made to mix 3"):
        ScalarMix(3)([torch.zeros(1), torch.zeros(1)])


# -- learning -------------------------------------------------------------------------


def language_model(n_words=9):
    config = ElmoConfig(
        char_dim=3, filters=[(1, 4), (2, 4)], projection_dim=4, cell_dim=6
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ElmoLanguageModel(config, n_words)
        model.reset_parameters()
    return model.eval()


def learning_batch():
    """Two sentences, of 2 and of 1 words, with their ends."""
    characters, _ = TokenCharacters().encode(["<S>", "</S>", "hola", "chau"], margin=2)
    return {
        "characters": torch.from_numpy(characters),
        "tokens": torch.tensor([0, 0, 2, 3, 3, 1, 1]),
        "batch_sizes": [2, 2, 2, 1],
        "next": torch.tensor([5, 6, 6, 1, 1, -1, -1]),
        "previous": torch.tensor([-1, -1, 0, 0, 5, 6, 6]),
    }


def test_loss_is_that_of_the_words_before_and_behind():
    model, batch = language_model(), learning_batch()
    vectors = model.bilm.encoder(batch["characters"])[batch["tokens"]]
    layers, _ = model.bilm.contextualize(vectors, batch["batch_sizes"])
    last = layers[-1].detach().numpy()
    weight = model.softmax.weight.detach().numpy()
    bias = model.softmax.bias.detach().numpy()
    losses = model(batch)
    for loss, hidden, name in (
        (losses[0], last[:, :4], "next"),
        (losses[1], last[:, 4:], "previous"),
    ):
        terms = []
        for row, target in zip(hidden, batch[name].tolist(), strict=True):
            if target >= 0:
                logits = weight @ row + bias
                terms.append(np.log(np.exp(logits).sum()) - logits[target])
        assert loss.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_a_sample_of_all_words_is_the_full_softmax():
    model, batch = language_model(), learning_batch()
    full = model(batch)
    batch["candidates"] = {
        "words": torch.arange(9)[torch.randperm(9, generator=torch.Generator())],
        "log_expected": torch.zeros(9),
    }
    sampled = model(batch)
    torch.testing.assert_close(sampled, full)


def test_each_direction_learns_without_seeing_what_it_foretells():
    model, batch = language_model(), learning_batch()
    vectors = model.bilm.encoder(batch["characters"])[batch["tokens"]].detach()
    vectors.requires_grad_()
    layers, _ = model.bilm.contextualize(vectors, batch["batch_sizes"])
    ahead, back = layers[-1].chunk(2, dim=1)
    # The second token of the first sentence is row 2, the third row 4.
    (grad,) = torch.autograd.grad(ahead[2].sum(), vectors, retain_graph=True)
    assert grad.abs().sum(dim=1).nonzero().ravel().tolist() == [0, 2]
    (grad,) = torch.autograd.grad(back[4].sum(), vectors)
    assert grad.abs().sum(dim=1).nonzero().ravel().tolist() == [4, 6]


# -- files ----------------------------------------------------------------------------


def test_own_files_hold_everything(published, tmp_path):
    network, _ = published
    write_elmo(tmp_path, network, {"corpus": "a"})
    again = read_elmo(find_elmo(tmp_path), caller="the test")
    assert again.config == network.config
    assert (again.characters, again.words) == (network.characters, network.words)
    assert again.source == network.source
    assert again.metadata == {"corpus": "a"}
    for name, array in network.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


def damage(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def test_damaged_own_files_are_refused(tmp_path):
    write_allennlp(tmp_path / "a")
    network = read_elmo(find_elmo(tmp_path / "a"), caller="the test")
    for old, new, message in (
        (b'"format_version": 1', b'"format_version": 2', "version 2 of the format"),
        (b'"tweetclf-elmo"', b'"something"', "does not describe ELMo weights"),
        (b'"cell_dim": 7', b'"cell_dim": 8', r"has the shape \(28, 5\); .* \(32, 5\)"),
        (b'"cell_dim": 7', b'"cell_dim": -1', "whole numbers from 1"),
        (b'"n_highway": 2', b'"n_highways": 2', "is described by"),
        (b'"n_highway": 2', b'"n_highway": 1', "have the unknown"),
        (b'"bytes": ', b'"bytes": 1', "is damaged: expected"),
        (b"{", b"[", "is not JSON"),
    ):
        folder = tmp_path / "b"
        folder.mkdir()
        write_elmo(folder, network, {})
        manifest = folder / "elmo.json"
        if old == b"{":
            manifest.write_bytes(b"[" + manifest.read_bytes())
        else:
            damage(manifest, old, new)
        with pytest.raises(DataError, match=message):
            read_elmo(find_elmo(folder), caller="the test")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_weights_that_are_not_finite_are_refused():
    config = ElmoConfig(char_dim=2, filters=[(1, 2)], projection_dim=2, cell_dim=2)
    arrays = {n: np.zeros(s, np.float32) for n, s in config.shapes().items()}
    check_arrays(config, arrays)
    arrays["encoder.projection.bias"][1] = np.nan
    with pytest.raises(ModelFormatError, match="projection.bias .* holds NaN"):
        check_arrays(config, arrays)
    arrays["encoder.projection.bias"] = np.zeros(2)
    with pytest.raises(ModelFormatError, match="float64; expected float32"):
        check_arrays(config, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"filters": []}, "at least one"),
        ({"filters": [(1, 2, 3)]}, "pairs of"),
        ({"filters": [(60, 2)]}, "max_characters"),
        ({"n_layers": 0}, "n_layers"),
        ({"n_layers": True}, "n_layers"),
        ({"activation": "gelu"}, "'relu' or 'tanh'. Got 'gelu'"),
        ({"cell_clip": -1}, "positive number or None"),
        ({"n_words": 5}, "word_dim"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ModelFormatError, match=message):
        ElmoConfig(**change)


def test_allennlp_files_that_do_not_fit_are_refused(tmp_path):
    import h5py

    raw = write_allennlp(tmp_path)
    weights = tmp_path / "weights.hdf5"
    found = find_elmo(weights)
    assert found.kind == "allennlp"
    with h5py.File(weights, "a") as file:
        del file["CNN_proj/b_proj"]
    with pytest.raises(
        DataError, match=r"weights.hdf5 has no dataset 'CNN_proj/b_proj'"
    ):
        read_elmo(found, caller="the test")
    with h5py.File(weights, "a") as file:
        file["CNN_proj/b_proj"] = raw["CNN_proj/b_proj"][:-1]
    with pytest.raises(DataError, match=r"shape \(4,\); the options call .* \(5,\)"):
        read_elmo(found, caller="the test")
    with h5py.File(weights, "a") as file:
        del file["CNN_proj/b_proj"]
        file.create_group("CNN_proj/b_proj")
    with pytest.raises(DataError, match="is no dataset"):
        read_elmo(found, caller="the test")
    weights.write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        read_elmo(found, caller="the test")
    damage(tmp_path / "options.json", b'"use_skip_connections": true', b'"x": 1')
    with pytest.raises(DataError, match="use_skip_connections"):
        read_elmo(found, caller="the test")


def test_a_pickle_with_code_is_not_run(tmp_path):
    write_manylangs(tmp_path)

    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    for content, message in (
        (pickle.dumps({"a": Evil()}), "cannot be read as the tensors"),
        (b"", "cannot be read as the tensors"),
        (b"nothing", "cannot be read as the tensors"),
    ):
        (tmp_path / "encoder.pkl").write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_elmo(find_elmo(tmp_path), caller="the test")
    torch.save({"a": [1, 2]}, tmp_path / "encoder.pkl")
    with pytest.raises(DataError, match="something else than named tensors"):
        read_elmo(find_elmo(tmp_path), caller="the test")
    torch.save({"a": torch.zeros(1)}, tmp_path / "encoder.pkl")
    with pytest.raises(DataError, match="no tensor 'forward_layer_0.input_linearity"):
        read_elmo(find_elmo(tmp_path), caller="the test")


def test_manylangs_files_that_do_not_fit_are_refused(tmp_path):
    write_manylangs(tmp_path)
    (tmp_path / "char.dic").write_text("a\t1\nb c\n")
    with pytest.raises(
        DataError, match=r"char.dic, line 2: 'b c' is not a text, a tab"
    ):
        read_elmo(find_elmo(tmp_path), caller="the test")
    (tmp_path / "char.dic").write_text("a\t99999\n")
    with pytest.raises(DataError, match="lacks .*<bos>"):
        read_elmo(find_elmo(tmp_path), caller="the test")
    write_manylangs(tmp_path)
    path = tmp_path / "word.dic"
    path.write_text(path.read_text() + "nueva\t9\n")
    with pytest.raises(DataError, match="gives 'nueva' the id 9; there are 9 vectors"):
        read_elmo(find_elmo(tmp_path), caller="the test")
    path.unlink()
    with pytest.raises(DataError, match=r"no word.dic, which small.json asks for"):
        read_elmo(find_elmo(tmp_path), caller="the test")
    config = tmp_path / "configs" / "small.json"
    damage(config, b'"name": "cnn"', b'"name": "lstm"')
    with pytest.raises(DataError, match="describes a 'lstm' network; only 'cnn'"):
        read_elmo(find_elmo(tmp_path), caller="the test")
    config.unlink()
    with pytest.raises(DataError, match="HIT-SCIR/ELMoForManyLangs; put it at"):
        find_elmo(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match="has no 'config_path'"):
        find_elmo(tmp_path)


def test_what_is_no_folder_of_weights_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        find_elmo(tmp_path / "nothing")
    with pytest.raises(DataError, match="holds no ELMo weights. Expected elmo.json"):
        find_elmo(tmp_path)
    (tmp_path / "a_weights.hdf5").touch()
    with pytest.raises(DataError, match="needs its options beside it"):
        find_elmo(tmp_path)
    for name in ("a_options.json", "b_options.json"):
        (tmp_path / name).touch()
    assert find_elmo(tmp_path).files["options"].name == "a_options.json"
    (tmp_path / "b_weights.hdf5").touch()
    with pytest.raises(DataError, match="holds 2 files of ELMo weights"):
        find_elmo(tmp_path)


@pytest.mark.parametrize(("package", "write"), [("h5py", 0), ("torch", 1)])
def test_a_missing_package_is_named(monkeypatch, tmp_path, package, write):
    (write_allennlp, write_manylangs)[write](tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingDependencyError, match=rf"the test needs {package}.*tweetclf\[neural\]"
    ):
        read_elmo(find_elmo(tmp_path), caller="the test")


def test_the_network_keeps_read_only_arrays_as_they_are(published):
    network, _ = published
    arrays = {name: array.copy() for name, array in network.arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    bilm = load_bilm(network.config, arrays)
    assert isinstance(bilm, ElmoBiLM)
    assert not any(parameter.requires_grad for parameter in bilm.parameters())
    assert network.config.projection_dim == SIZE
    assert network.config.cell_dim == CELL
