"""AWD models: statistics of dropouts, plain nets and NumPy as oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tweetclf.modules import (
    AWDClassifier,
    AWDDropout,
    AWDEncoder,
    AWDLanguageModel,
    PoolingClassifierHead,
    QRNNLayer,
    activation_penalty,
    concat_pool,
    detach_state,
)
from tweetclf.modules.awd import LSTMLayer
from tweetclf.modules.dropout import (
    EmbeddingDropout,
    VariationalDropout,
    WeightDropout,
)

NONE = AWDDropout(0.0, 0.0, 0.0, 0.0, 0.0)
PAD = 1
VOCAB = 40


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def small_encoder(**settings) -> AWDEncoder:
    return AWDEncoder(VOCAB, embedding_size=6, hidden_size=10, **settings)


def small_classifier(**settings) -> AWDClassifier:
    head = PoolingClassifierHead(6, 3, hidden_sizes=(5,))
    # Outputs of a fresh encoder are tiny; without this all logits would be alike.
    encoder = small_encoder()
    nn.init.normal_(encoder.embedding.weight)
    return AWDClassifier(encoder, head, **settings).eval()


def words(*shape: int) -> Tensor:
    return torch.randint(2, VOCAB, shape)


# Dropouts


def test_embedding_dropout_leaves_out_whole_words() -> None:
    embedding = EmbeddingDropout(4000, 3, p=0.25)
    nn.init.ones_(embedding.weight)
    ids = torch.arange(4000).repeat(2, 1)
    rows = embedding(ids)
    dropped = rows == 0
    # A word is there wholly or not at all, and alike at both places.
    assert (dropped.all(dim=2) == dropped.any(dim=2)).all()
    assert torch.equal(rows[0], rows[1])
    assert abs(dropped.float().mean().item() - 0.25) < 3 * (0.25 * 0.75 / 4000) ** 0.5
    torch.testing.assert_close(
        rows[~dropped], torch.full_like(rows[~dropped], 1 / 0.75)
    )
    assert not torch.equal(embedding(ids), rows)
    assert torch.equal(embedding.eval()(ids), torch.ones(2, 4000, 3))


def test_embedding_dropout_equals_a_masked_table() -> None:
    embedding = EmbeddingDropout(VOCAB, 3, p=0.5, padding_idx=PAD)
    ids = torch.cat([words(2, 20), torch.full((2, 2), PAD)], dim=1)
    torch.manual_seed(5)
    rows = embedding(ids)
    rows.square().sum().backward()
    torch.manual_seed(5)
    mask = torch.empty(VOCAB).bernoulli_(0.5)[:, None] / 0.5
    table = embedding.weight.detach().requires_grad_()
    expected = nn.functional.embedding(ids, table * mask, padding_idx=PAD)
    expected.square().sum().backward()
    assert torch.equal(rows, expected)
    assert torch.equal(embedding.weight.grad, table.grad)
    assert (embedding.weight.grad[PAD] == 0).all()


@pytest.mark.parametrize("time_dim", [0, 1])
def test_variational_dropout_has_one_mask_for_all_steps(time_dim) -> None:
    x = torch.ones(6, 7, 400)
    dropped = VariationalDropout(0.4, time_dim)(x)
    first = dropped.select(time_dim, 0).unsqueeze(time_dim)
    assert torch.equal(dropped, first.expand_as(dropped))
    assert not torch.equal(
        dropped.select(1 - time_dim, 0), dropped.select(1 - time_dim, 1)
    )
    rate = (first == 0).float().mean().item()
    assert abs(rate - 0.4) < 3 * (0.4 * 0.6 / first.numel()) ** 0.5
    torch.testing.assert_close(dropped.max().item(), 1 / 0.6)
    assert VariationalDropout(0.4).eval()(x) is x


def test_weight_dropout_leaves_out_elements_and_keeps_the_parameter() -> None:
    drop, weight = WeightDropout(0.2), nn.Parameter(torch.ones(100, 100))
    dropped = drop(weight)
    assert abs((dropped == 0).float().mean().item() - 0.2) < 3 * 0.4 / 100
    torch.testing.assert_close(dropped.max().item(), 1.25)
    assert (weight == 1).all()
    assert drop.eval()(weight) is weight
    assert list(drop.parameters()) == []


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_probabilities_are_checked(p) -> None:
    for make in (
        lambda: EmbeddingDropout(3, 2, p),
        lambda: VariationalDropout(p),
        lambda: WeightDropout(p),
        lambda: PoolingClassifierHead(3, 2, dropouts=(0.1, p)),
    ):
        with pytest.raises(ValueError, match="must be at least 0 and less than 1"):
            make()


def test_dropouts_of_the_paper() -> None:
    """Table 2 and the code of HAHA 2019: base values times 1.0 and 0.7."""
    assert AWDDropout().times(1.0) == AWDDropout(0.1, 0.15, 0.25, 0.02, 0.2)
    scaled = AWDDropout.for_classifier().times(0.7)
    assert scaled.output == pytest.approx(0.28)
    assert scaled.hidden == pytest.approx(0.21)
    assert scaled.input == pytest.approx(0.28)
    assert scaled.embedding == pytest.approx(0.035)
    assert scaled.weight == pytest.approx(0.35)


# Encoder


def test_weight_dropout_of_a_qrnn_is_on_its_matrix_and_not_on_its_bias() -> None:
    layer = QRNNLayer(8, 300, output_gate=False, weight_dropout=0.5)
    layer(torch.randn(6, 2, 8))[0].sum().backward()
    gradient = layer.linear.weight.grad  # zero where the mask is
    rate = (gradient == 0).float().mean().item()
    assert abs(rate - 0.5) < 3 * 0.5 / gradient.numel() ** 0.5
    assert (layer.linear.bias.grad != 0).all()


def test_weight_dropout_of_an_lstm_is_on_the_hidden_matrix_alone() -> None:
    layer = LSTMLayer(8, 50, weight_dropout=0.5)
    layer(torch.randn(6, 2, 8))[0].sum().backward()
    gradient = layer.lstm.weight_hh_l0.grad
    rate = (gradient == 0).float().mean().item()
    assert abs(rate - 0.5) < 3 * 0.5 / gradient.numel() ** 0.5
    assert (layer.lstm.weight_ih_l0.grad != 0).all()


def test_masks_are_drawn_once_a_forward_pass() -> None:
    """A sequence of one word repeated: nothing but the state differs between steps."""
    encoder = small_encoder(dropout=AWDDropout(input=0.5, hidden=0.5))
    seen: list[Tensor] = []
    for layer in encoder.layers:
        layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    encoder(torch.full((4, 9), 7))
    for x in seen:
        assert torch.equal((x == 0), (x[:1] == 0).expand_as(x))
    assert len(seen) == 3


def test_an_lstm_layer_equals_that_of_torch() -> None:
    layer, plain = LSTMLayer(5, 4, weight_dropout=0.5).eval(), nn.LSTM(5, 4)
    plain.load_state_dict(layer.lstm.state_dict())
    x, h, c = torch.randn(7, 3, 5), torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    hidden, after = layer(x, {"hidden": h[0], "cell": c[0]})
    expected, (last_h, last_c) = plain(x, (h, c))
    torch.testing.assert_close(hidden, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(after["hidden"], last_h[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(after["cell"], last_c[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(layer(x)[0], plain(x)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", ["qrnn", "lstm"])
def test_without_dropout_training_equals_evaluation_and_a_plain_net(cell) -> None:
    encoder = small_encoder(cell=cell, dropout=NONE)
    ids = words(3, 8)
    output = encoder(ids)
    x = nn.functional.embedding(ids, encoder.embedding.weight).transpose(0, 1)
    for layer, raw, dropped in zip(
        encoder.layers, output.raw, output.dropped, strict=True
    ):
        x, _ = layer(x)
        torch.testing.assert_close(raw, x.transpose(0, 1))
        assert torch.equal(raw, dropped)
    encoder.eval()
    assert torch.equal(encoder(ids).raw[-1], output.raw[-1])
    assert [raw.shape[2] for raw in output.raw] == [10, 10, 6]


@pytest.mark.parametrize("cell", ["qrnn", "lstm"])
def test_hidden_dropout_comes_after_every_layer_but_the_last(cell) -> None:
    encoder = small_encoder(cell=cell, dropout=AWDDropout(hidden=0.5))
    output = encoder(words(3, 8))
    for raw, dropped in zip(output.raw[:-1], output.dropped[:-1], strict=True):
        kept = dropped != 0
        assert 0.1 < kept.float().mean() < 0.9
        torch.testing.assert_close(dropped[kept], 2 * raw[kept])
    assert torch.equal(output.raw[-1], output.dropped[-1])


@pytest.mark.parametrize("cell", ["qrnn", "lstm"])
def test_pieces_with_their_state_equal_the_whole_text(cell) -> None:
    encoder = small_encoder(cell=cell).eval()
    ids = words(3, 11)
    whole = encoder(ids)
    first = encoder(ids[:, :4])
    second = encoder(ids[:, 4:], detach_state(first.state))
    both = torch.cat([first.raw[-1], second.raw[-1]], dim=1)
    torch.testing.assert_close(both, whole.raw[-1], atol=1e-6, rtol=0)


def test_a_detached_state_has_no_gradient() -> None:
    encoder = small_encoder()
    state = encoder(words(2, 5)).state
    assert all(layer["cell"].requires_grad for layer in state)
    for layer in detach_state(state):
        assert not any(tensor.requires_grad for tensor in layer.values())


def test_windows_and_previous_x_of_the_encoder() -> None:
    encoder = small_encoder(save_prev_x=False)
    assert [layer.window for layer in encoder.layers] == [2, 1, 1]
    assert not any(layer.save_prev_x for layer in encoder.layers)
    assert [layer.window for layer in small_encoder(window=2).layers] == [2, 2, 2]


def test_initial_embeddings_are_uniform() -> None:
    weight = AWDEncoder(5000, embedding_size=8, hidden_size=4).embedding.weight
    assert weight.abs().max() <= 0.1
    assert abs(weight.mean().item()) < 0.001
    # Standard deviation of a uniform variable: width / sqrt(12).
    assert weight.std().item() == pytest.approx(0.2 / 12**0.5, rel=0.02)


def test_parameters_at_the_sizes_of_the_paper() -> None:
    """systems.md 4.3: 36,264,672 free parameters; fastai counts matrices twice."""
    with torch.device("meta"):
        model = AWDLanguageModel(AWDEncoder(30_000))
    total = sum(p.numel() for p in model.parameters())
    matrices = sum(layer.linear.weight.numel() for layer in model.encoder.layers)
    assert total == 36_264_672
    assert total + matrices == 60_484_320
    assert "decoder.weight" not in model.state_dict()


def test_bad_parameters_of_the_encoder() -> None:
    with pytest.raises(ValueError, match="'cell' parameter must be 'qrnn' or 'lstm'"):
        AWDEncoder(5, cell="gru")
    with pytest.raises(ValueError, match="'n_layers' parameter must be at least 1"):
        AWDEncoder(5, n_layers=0)


# Language model


def test_the_decoder_is_the_embedding_table() -> None:
    model = AWDLanguageModel(small_encoder()).eval()
    assert (model.bias == 0).all()
    nn.init.normal_(model.bias)
    output = model(words(2, 5))
    table = model.encoder.embedding.weight
    expected = output.raw @ table.T + model.bias
    torch.testing.assert_close(output.logits, expected, atol=1e-6, rtol=0)
    assert output.logits.is_contiguous()
    assert torch.equal(output.raw, output.dropped)


def test_output_dropout_is_constant_over_time() -> None:
    model = AWDLanguageModel(small_encoder(dropout=NONE), output_dropout=0.5)
    output = model(words(30, 5))
    zero = output.dropped == 0
    assert torch.equal(zero, zero[:, :1].expand_as(zero))
    assert 0.3 < zero.float().mean() < 0.7
    torch.testing.assert_close(output.dropped[~zero], 2 * output.raw[~zero])


def test_a_language_model_learns_a_cycle() -> None:
    # Of one layer: deeper ones take long to leave the plateau of a fresh net.
    encoder = AWDEncoder(VOCAB, embedding_size=16, n_layers=1, dropout=NONE)
    model = AWDLanguageModel(encoder, output_dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    ids = (torch.arange(41) % 8 + 2).repeat(4, 1)
    state = None
    for _ in range(60):
        for start in (0, 20):
            output = model(ids[:, start : start + 20], state)
            state = detach_state(output.state)
            loss = nn.functional.cross_entropy(
                output.logits.flatten(0, 1), ids[:, start + 1 : start + 21].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.1 < np.log(8)


# Activation regularisation


def test_the_penalty_in_both_readings() -> None:
    raw, dropped = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    r, d = raw.numpy(), dropped.numpy()
    tar = np.mean((r[:, 1:] - r[:, :-1]) ** 2)
    merity = activation_penalty(raw, dropped, alpha=2.0, beta=1.5)
    assert merity.item() == pytest.approx(2.0 * np.mean(d**2) + 1.5 * tar, rel=1e-6)
    fastai = activation_penalty(raw, dropped, alpha=2.0, beta=1.5, ar_of="raw")
    assert fastai.item() == pytest.approx(2.0 * np.mean(r**2) + 1.5 * tar, rel=1e-6)
    assert activation_penalty(raw, dropped, alpha=0.0, beta=0.0).item() == 0.0
    assert activation_penalty(raw[:, :1], raw[:, :1], alpha=0.0).item() == 0.0
    with pytest.raises(ValueError, match="'ar_of' must be 'dropped' or 'raw'"):
        activation_penalty(raw, dropped, ar_of="both")


def test_padding_adds_nothing_to_the_penalty() -> None:
    hidden = torch.randn(2, 5, 3)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    hidden[1, 2:] = torch.nan
    found = activation_penalty(hidden, hidden, mask=mask)
    h = hidden.numpy()
    squares = np.concatenate([h[0].ravel(), h[1, :2].ravel()]) ** 2
    steps = np.concatenate([np.diff(h[0], axis=0), np.diff(h[1, :2], axis=0)]) ** 2
    assert found.item() == pytest.approx(2 * squares.mean() + steps.mean(), rel=1e-6)


# Pooling and classifier


def test_concat_pooling_by_hand() -> None:
    hidden = torch.randn(4, 5, 3)
    mask = torch.tensor(
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
    ).bool()
    found = concat_pool(hidden, mask).numpy()
    for row, h, m in zip(found, hidden.numpy(), mask.numpy(), strict=True):
        kept = h[m]
        if len(kept):
            expected = np.concatenate([kept[-1], kept.max(axis=0), kept.mean(axis=0)])
        else:
            expected = np.zeros(9)
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_the_head_has_the_blocks_of_fastai() -> None:
    head = PoolingClassifierHead(6, 3, hidden_sizes=(5,), dropouts=(0.28, 0.1))
    kinds = [type(block).__name__ for block in head.blocks]
    block = ["BatchNorm1d", "Dropout", "Linear"]
    assert kinds == [*block, "ReLU", *block]
    assert [head.blocks[1].p, head.blocks[5].p] == [0.28, 0.1]
    assert head.blocks[2].weight.shape == (5, 18)
    assert head.blocks[6].weight.shape == (3, 5)
    with pytest.raises(ValueError, match="one value more than 'hidden_sizes'"):
        PoolingClassifierHead(6, 3, hidden_sizes=(5,), dropouts=(0.1,))


def test_the_head_by_hand() -> None:
    model = small_classifier()
    for block in model.head.blocks:
        if isinstance(block, nn.BatchNorm1d):
            nn.init.normal_(block.running_mean)
            nn.init.uniform_(block.running_var, 0.5, 2.0)
    ids = words(4, 9)
    x = concat_pool(model.encoder(ids).raw[-1], torch.ones(4, 9, dtype=torch.bool))
    x = x.detach().numpy()
    norm1, _, linear1, _, norm2, _, linear2 = model.head.blocks
    for norm, linear in ((norm1, linear1), (norm2, linear2)):
        mean, var = norm.running_mean.numpy(), norm.running_var.numpy()
        x = (x - mean) / np.sqrt(var + norm.eps)
        x = x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        if linear is linear1:
            x = np.maximum(x, 0.0)
    np.testing.assert_allclose(model(ids).logits.detach().numpy(), x, atol=1e-5)


def padded(texts: list[Tensor], length: int, side: str) -> Tensor:
    ids = torch.full((len(texts), length), PAD)
    for row, text in zip(ids, texts, strict=True):
        if side == "right":
            row[: len(text)] = text
        else:
            row[length - len(text) :] = text
    return ids


@pytest.mark.parametrize("save_prev_x", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("length", [17, 23])
def test_logits_of_a_text_depend_on_nothing_but_the_text(
    side, length, save_prev_x
) -> None:
    model = small_classifier(bptt=5, max_len=9)
    for layer in model.encoder.layers:
        layer.save_prev_x = save_prev_x
    texts = [words(n) for n in (17, 1, 4, 5, 6, 12)]
    alone = torch.cat([model(text[None]).logits for text in texts])
    together = model(padded(texts, length, side)).logits
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    assert alone.std(dim=0).min() > 1e-3


def test_a_mask_may_be_given() -> None:
    model = small_classifier()
    text = words(6)
    text[2] = PAD  # a word after all
    mask = torch.tensor([[True] * 6 + [False] * 2])
    ids = torch.cat([text, words(2)])[None]
    whole = model(text[None], torch.ones(1, 6, dtype=torch.bool)).logits
    torch.testing.assert_close(model(ids, mask).logits, whole, atol=1e-6, rtol=0)
    assert not torch.allclose(model(text[None]).logits, whole, atol=1e-4)


def test_a_text_without_words_is_pooled_to_zeros() -> None:
    model = small_classifier(bptt=3, max_len=None)
    for length in (2, 8):
        ids = padded([words(2), words(0)], length, "left")
        logits = model(ids).logits
        zeros = model.head.blocks(torch.zeros(1, 18))
        torch.testing.assert_close(logits[1:], zeros)
    assert model(torch.full((2, 8), PAD)).logits.isfinite().all()


def test_pieces_equal_the_whole_text_in_evaluation() -> None:
    model = small_classifier(bptt=4, max_len=None)
    ids = padded([words(11), words(7)], 11, "right")
    pieces = model(ids).logits
    model.bptt = None
    torch.testing.assert_close(pieces, model(ids).logits, atol=1e-6, rtol=0)


def test_the_beginning_of_a_long_text_is_read_but_not_pooled() -> None:
    """fastai: pieces with ``start > length - max_len`` are pooled."""
    model = small_classifier(bptt=4, max_len=6)
    text = words(1, 11)
    encoded = model.encode(text)
    # Pieces start at 0, 4 and 8; only 8 is more than 11 - 6.
    assert encoded.mask.sum().item() == 3
    whole = model.encoder(text).raw[-1]
    torch.testing.assert_close(encoded.hidden, whole[:, 8:], atol=1e-6, rtol=0)


def test_no_gradient_crosses_from_a_piece_to_the_one_before() -> None:
    model = small_classifier(bptt=4, max_len=None).train()
    ids = torch.cat([torch.full((2, 4), 5), torch.full((2, 4), 6)], dim=1)
    encoded = model.encode(ids)
    encoded.hidden[:, 4:].square().sum().backward()
    gradient = model.encoder.embedding.weight.grad
    assert (gradient[5] == 0).all()
    assert (gradient[6] != 0).any()


def test_bad_parameters_of_the_classifier() -> None:
    with pytest.raises(ValueError, match="'bptt' parameter must be at least 1"):
        small_classifier(bptt=0)
    with pytest.raises(ValueError, match="'max_len' parameter must be more than"):
        small_classifier(bptt=70, max_len=70)


# Groups and transfer


def test_layer_groups_hold_every_parameter_once() -> None:
    classifier, language = small_classifier(), AWDLanguageModel(small_encoder())
    for model, names in (
        (classifier, ["embedding", "rnn_1", "rnn_2", "rnn_3", "head"]),
        (language, ["rnn_1", "rnn_2", "rnn_3", "decoder"]),
    ):
        groups = model.layer_groups()
        assert list(groups) == names
        grouped = [id(p) for group in groups.values() for p in group]
        assert sorted(grouped) == sorted(id(p) for p in model.parameters())


@pytest.mark.parametrize("cell", ["qrnn", "lstm"])
def test_a_classifier_takes_the_encoder_of_a_language_model(cell) -> None:
    language = AWDLanguageModel(small_encoder(cell=cell)).eval()
    dropout = AWDDropout.for_classifier().times(0.7)
    encoder = small_encoder(cell=cell, dropout=dropout).eval()
    encoder.load_state_dict(language.encoder.state_dict())
    ids = words(2, 6)
    assert torch.equal(encoder(ids).raw[-1], language(ids).raw)


def test_runs_are_reproducible_and_trained_in_both_precisions() -> None:
    gradients = []
    for _ in range(2):
        torch.manual_seed(3)
        model = small_classifier().train()
        output = model(padded([words(6), words(3)], 6, "left"))
        penalty = activation_penalty(output.hidden, output.hidden, mask=output.mask)
        (output.logits.square().sum() + penalty).backward()
        gradients.append([p.grad for p in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(padded([words(6), words(3)], 6, "left"))
    assert output.logits.isfinite().all()
