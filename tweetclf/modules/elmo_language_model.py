"""The bidirectional language model that ELMo's weights are learnt by.

References
----------
M. E. Peters et al., "Deep contextualized word representations", NAACL 2018, section 3.1
(arXiv:1802.05365). Released code: allenai/bilm-tf.

But: every tweet is a sequence of its own, from a zero state; bilm-tf cuts a stream of
sentences into pieces of 20 tokens and carries the state along. Words outside the
vocabulary are foretold as one word, as there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tweetclf.modules.elmo import ElmoBiLM
from tweetclf.modules.elmo_config import ElmoConfig

__all__ = ["ElmoLanguageModel"]


class ElmoLanguageModel(nn.Module):
    """An ELMo network that learns: it foretells the next and the previous word.

    Both directions share one softmax, as they share the characters (section 3.1).

    Parameters
    ----------
    config : ElmoConfig
        The sizes of the network.
    n_words : int
        Words that can be foretold.
    dropout : float, default=0.1
        See `ElmoBiLM`.
    """

    def __init__(
        self, config: ElmoConfig, n_words: int, *, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.bilm = ElmoBiLM(config, dropout=dropout)
        self.softmax = nn.Linear(config.projection_dim, n_words)

    def reset_parameters(self) -> None:
        """Draw weights as bilm-tf does."""
        self.bilm.reset_parameters()
        std = math.sqrt(1 / self.softmax.in_features)
        nn.init.normal_(self.softmax.weight, std=std)
        nn.init.zeros_(self.softmax.bias)

    def forward(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the losses of both directions.

        Parameters
        ----------
        batch : mapping
            ``characters`` (n_types, n_characters), ids of the different tokens of the
            batch; ``tokens`` (n_tokens,), packed rows of them; ``batch_sizes``;
            ``next`` and ``previous`` (n_tokens,), the words to foretell, -1 where
            there is none; and perhaps ``candidates``, as of `sampled_loss`.

        Returns
        -------
        forward, backward : Tensor, scalars
            Mean negative log-likelihood of a word, in nats.
        """
        vectors = self.bilm.encoder(batch["characters"])[batch["tokens"]]
        layers, _ = self.bilm.contextualize(vectors, batch["batch_sizes"])
        last = self.bilm.dropout(layers[-1])
        ahead, back = last.chunk(2, dim=-1)  # (n_tokens, projection_dim) each
        candidates = batch.get("candidates")
        return (
            self._loss(ahead, batch["next"], candidates),
            self._loss(back, batch["previous"], candidates),
        )

    def _loss(
        self, hidden: Tensor, targets: Tensor, candidates: dict[str, Tensor] | None
    ) -> Tensor:
        there = targets >= 0
        hidden, targets = hidden[there], targets[there]
        if candidates is None:
            return F.cross_entropy(self.softmax(hidden), targets)
        return self.sampled_loss(hidden, targets, **candidates)

    def sampled_loss(
        self, hidden: Tensor, targets: Tensor, words: Tensor, log_expected: Tensor
    ) -> Tensor:
        """Return the loss of a softmax over the target and a sample of other words.

        Parameters
        ----------
        hidden : Tensor, (n, projection_dim)
            What to foretell from.
        targets : Tensor of int64, (n,)
            The words to foretell.
        words : Tensor of int64, (n_sampled,)
            Different words.
        log_expected : Tensor, (n_words,)
            Logarithm of how often each word of all is expected in the sample.

        Returns
        -------
        Tensor, scalar
            Mean negative log-likelihood. With all words in the sample, each expected
            once, it is that of the full softmax.

        References
        ----------
        S. Jean, K. Cho, R. Memisevic and Y. Bengio, "On using very large target
        vocabulary for neural machine translation", ACL 2015, section 3.
        """
        weight, bias = self.softmax.weight, self.softmax.bias
        true = (hidden * weight[targets]).sum(dim=-1) + bias[targets]
        true = true - log_expected[targets]  # (n,)
        others = F.linear(hidden, weight[words], bias[words]) - log_expected[words]
        # The target itself may be in the sample: it counts once.
        others = others.masked_fill(targets[:, None] == words, -torch.inf)
        logits = torch.cat([true[:, None], others], dim=1)  # (n, 1 + n_sampled)
        return (torch.logsumexp(logits, dim=1) - true).mean()
