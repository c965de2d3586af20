from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from tweetclf.modules.bilstm import (  # noqa: E402
    BagBranch,
    BiLSTM,
    BiLSTMNet,
    init_as_keras_,
    keras_decay,
)
from tweetclf.training import LengthBatches, fit_loop  # noqa: E402


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _torch_lstm(ours: BiLSTM) -> nn.LSTM:
    """Return torch's own bidirectional LSTM with the same weights (P18)."""
    input_size, hidden_size = ours.ahead.input_size, ours.ahead.hidden_size
    theirs = nn.LSTM(input_size, hidden_size, batch_first=True, bidirectional=True)
    weights = dict(ours.ahead.state_dict())
    weights |= {f"{k}_reverse": v for k, v in ours.back.state_dict().items()}
    theirs.load_state_dict(weights)
    return theirs


LENGTHS = torch.tensor([7, 1, 4, 7, 3])


def test_masked_states_are_those_of_torch_on_packed_sequences():
    ours = BiLSTM(5, 6)
    vectors = torch.randn(5, 7, 5)
    packed = pack_padded_sequence(
        vectors, LENGTHS, batch_first=True, enforce_sorted=False
    )
    _, (last, _) = _torch_lstm(ours)(packed)
    expected = torch.cat([last[0], last[1]], dim=1)
    torch.testing.assert_close(ours(vectors, LENGTHS), expected, rtol=0, atol=1e-6)


def test_unmasked_states_are_those_of_torch_on_padded_sequences():
    ours = BiLSTM(5, 6, masked=False)
    vectors = torch.randn(5, 7, 5)
    _, (last, _) = _torch_lstm(ours)(vectors)
    expected = torch.cat([last[0], last[1]], dim=1)
    torch.testing.assert_close(ours(vectors, LENGTHS), expected, rtol=0, atol=1e-6)


def test_gradients_reach_the_words_and_no_padding():
    ours = BiLSTM(3, 4).double()
    vectors = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 2])
    assert torch.autograd.gradcheck(lambda v: ours(v, lengths), vectors)
    ours(vectors, lengths).sum().backward()
    assert vectors.grad[1, :2].abs().min() > 0
    assert not vectors.grad[1, 2:].any()


def test_states_do_not_depend_on_padding_nor_on_what_is_in_it():
    ours = BiLSTM(3, 4)
    vectors = torch.randn(2, 4, 3)
    lengths = torch.tensor([4, 2])
    wider = torch.full((2, 9, 3), 1e6)
    wider[:, :4] = vectors
    wider[1, 2:] = -1e6
    torch.testing.assert_close(ours(wider, lengths), ours(vectors, lengths))


def test_a_sequence_without_words_has_the_state_zero():
    states = BiLSTM(3, 4)(torch.randn(2, 1, 3), torch.tensor([0, 1]))
    assert not states[0].any()
    assert states[1].any()


def test_a_net_reads_numbers_or_vectors():
    net = BiLSTMNet(3, input_size=5, n_words=11, hidden_size=4, dense_size=6).eval()
    words = torch.randint(1, 11, (2, 7))
    lengths = torch.tensor([7, 3])
    by_number = net(words, lengths)
    vectors = net.embedding(words)
    net.embedding = None
    torch.testing.assert_close(net(vectors, lengths), by_number)


def test_padding_has_a_zero_vector_unless_it_is_read():
    assert not BiLSTMNet(2, input_size=5, n_words=4).embedding.weight[0].any()
    read = BiLSTMNet(2, input_size=5, n_words=4, masked=False)
    assert read.embedding.weight[0].any()


def test_pairs_are_read_by_one_lstm():
    net = BiLSTMNet(2, input_size=3, hidden_size=4, dense_size=5, pairs=True).eval()
    words, other = torch.randn(6, 7, 3), torch.randn(6, 5, 3)
    lengths, fewer = torch.full((6,), 7), torch.full((6,), 5)
    u, v = net.encoder(words, lengths), net.encoder(other, fewer)
    joined = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
    expected = net.output(net.dense(joined))
    torch.testing.assert_close(net(words, lengths, other, fewer), expected)


def test_sizes_are_those_of_figure_1():
    net = BiLSTMNet(1, input_size=1024, n_terms=3500)
    # systems.md 5.5: the LSTM of the released notebook has so many parameters.
    assert sum(p.numel() for p in net.encoder.parameters()) == 2_625_536
    shapes = {k: tuple(v.shape) for k, v in net.named_parameters() if k.endswith("t")}
    assert shapes["dense.1.weight"] == (64, 512)
    assert shapes["bag.0.weight"] == (512, 3500)
    assert shapes["bag.3.weight"] == (64, 512)
    assert shapes["output.weight"] == (1, 128)
    rates = [m.p for m in net.modules() if isinstance(m, nn.Dropout)]
    assert rates == [0.8, 0.55, 0.8, 0.55]


def test_the_bag_is_two_dense_layers():
    branch = BagBranch(4, 5, 3, (0.5, 0.5)).eval()
    bag = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    first = torch.relu(bag @ branch[0].weight.T + branch[0].bias)
    second = torch.relu(first @ branch[3].weight.T + branch[3].bias)
    torch.testing.assert_close(branch(bag), second)


def test_weights_are_drawn_as_keras_draws_them():
    module = nn.ModuleList([nn.LSTM(40, 30), nn.Linear(50, 70), nn.Embedding(200, 9)])
    init_as_keras_(module)
    lstm, linear, embedding = module
    limit = np.sqrt(6 / (40 + 4 * 30))
    assert limit * 0.95 < lstm.weight_ih_l0.abs().max().item() <= limit
    assert abs(lstm.weight_ih_l0.std().item() - limit / np.sqrt(3)) < 0.005
    recurrent = lstm.weight_hh_l0  # orthonormal columns
    torch.testing.assert_close(
        recurrent.T @ recurrent, torch.eye(30), rtol=0, atol=1e-5
    )
    biases = lstm.bias_ih_l0 + lstm.bias_hh_l0
    assert biases.tolist() == [0.0] * 30 + [1.0] * 30 + [0.0] * 60
    assert linear.weight.abs().max().item() <= np.sqrt(6 / (50 + 70))
    assert not linear.bias.any()
    assert 0.045 < embedding.weight.abs().max().item() <= 0.05


def test_keras_decay_by_hand():
    """P18: at step t, from 0, the rate is lr / (1 + decay * t); each batch a step."""
    rates = []
    module = nn.Linear(1, 1)
    batches = LengthBatches([1] * 6, lambda rows: torch.ones(2, 1), batch_size=2)

    def objective(module, batch):
        return module(batch).square().mean(), {}

    def report(event):
        if event["kind"] == "step":
            rates.append(event["learning_rate"])

    fit_loop(
        module,
        objective,
        batches,
        optimizer=torch.optim.Adam(module.parameters(), lr=3.5e-4),
        max_epochs=2,
        schedule=lambda step: keras_decay(step, 0.01),
        report=report,
    )
    expected = [3.5e-4, 3.5e-4 / 1.01, 3.5e-4 / 1.02, 3.5e-4 / 1.03, 3.5e-4 / 1.04]
    np.testing.assert_allclose(rates, [*expected, 3.5e-4 / 1.05], rtol=1e-12)
