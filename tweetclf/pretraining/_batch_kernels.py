"""Kernels that draw and mask examples, each from its own counter-based stream.

A stream is SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014), started at a hash of a key and the example's number: so what
an example looks like hangs on these two alone, and on nothing that came before it.

They are in one file, since Numba's cache of a kernel does not see that a kernel of
another file, which it calls, has changed. Arithmetic on 64-bit numbers is meant to
wrap around: without Numba, call them with ``numpy.errstate(over="ignore")``.
"""

from __future__ import annotations

import numpy as np

from tweetclf.utils.jit import jit

__all__ = [
    "NSP",
    "ROP",
    "SOP",
    "SPANS",
    "TOKENS",
    "WORDS",
    "choose_segments",
    "choose_spans",
    "mask_examples",
    "mix",
]

# Which segments an example has, and which of its tokens are chosen.
ROP, NSP, SOP = 1, 2, 3
SPANS, TOKENS, WORDS = 0, 1, 2

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_S11 = np.uint64(11)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_S32 = np.uint64(32)
_UNIT = 2.0**-53
# So many random places are looked at before all of them are.
_TRIES = 8


@jit(cache=True, nogil=True)
def mix(z):
    """Return the hash of a number: a bijection of the 64-bit numbers.

    Parameters
    ----------
    z : uint64
        The number.
    """
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return z ^ (z >> _S31)


@jit(cache=True, nogil=True)
def _begin(state, key, number, purpose):
    """Start the stream of an example, one for each purpose (0 or 1)."""
    state[0] = mix(key ^ mix((np.uint64(number) << _ONE) + np.uint64(purpose) + _GAMMA))


@jit(cache=True, nogil=True)
def _draw(state):
    state[0] += _GAMMA
    return mix(state[0])


@jit(cache=True, nogil=True)
def _unit(state):
    """Draw a float from [0, 1)."""
    return np.float64(_draw(state) >> _S11) * _UNIT


@jit(cache=True, nogil=True)
def _below(state, n):
    """Draw a number below `n`, which is at most 2 ** 32; off by n / 2 ** 32 at most."""
    return np.int64(((_draw(state) >> _S32) * np.uint64(n)) >> _S32)


@jit(cache=True, nogil=True)
def choose_segments(
    numbers, objective, n_segments, n_documents, documents, key, segments, labels
):
    """Say which segments each example holds, in which order.

    Parameters
    ----------
    numbers : ndarray of int64, (n,)
        Numbers of the examples: those of their documents; for ROP, twice that, plus 1
        where the order is turned round.
    objective : int
        ROP, NSP, SOP or 0.
    n_segments : int
        Of each document.
    n_documents : int
        Documents that others are drawn from.
    documents : ndarray of int64
        Their numbers; if empty, all up to `n_documents`.
    key : uint64
        Of the epoch.
    segments : ndarray of int64, (n, n_segments)
        Filled with numbers of segments.
    labels : ndarray of int64, (n,)
        Filled with 1 where the segments are as they were written, else 0.
    """
    state = np.empty(1, np.uint64)
    for row in range(len(numbers)):
        number = numbers[row]
        labels[row] = 1
        if objective == ROP:
            document = number >> 1
            labels[row] = 1 - (number & 1)
        else:
            document = number
        if objective in (NSP, SOP):
            _begin(state, key, number, 1)
            if _unit(state) < 0.5:
                labels[row] = 0
        for k in range(n_segments):
            segments[row, k] = document * n_segments + k
        if labels[row] == 1:
            continue
        if objective == NSP:
            other = document
            while other == document:
                other = _below(state, n_documents)
                if len(documents):
                    other = documents[other]
            segments[row, 1] = other * n_segments + 1
        else:
            segments[row, 0], segments[row, 1] = segments[row, 1], segments[row, 0]


@jit(cache=True, nogil=True)
def _is_free(where, n, chosen, first, size):
    """Tell whether `size` maskable tokens in a row, none chosen, begin here."""
    last = first + size - 1
    if last >= n or where[last] - where[first] != size - 1:
        return False
    n_chosen = 0
    for i in range(first, last + 1):
        n_chosen += chosen[i]
    return n_chosen == 0


@jit(cache=True, nogil=True)
def _find_start(where, n, chosen, size, state):
    """Draw one of the places where a span fits, each alike; -1 if there is none."""
    for _ in range(_TRIES):
        first = _below(state, n)
        if _is_free(where, n, chosen, first, size):
            return first
    n_free = 0
    for first in range(n):
        if _is_free(where, n, chosen, first, size):
            n_free += 1
    if n_free == 0:
        return -1
    turn = _below(state, n_free)
    for first in range(n):
        if _is_free(where, n, chosen, first, size):
            if turn == 0:
                return first
            turn -= 1
    return -1


@jit(cache=True, nogil=True)
def choose_spans(where, n, budget, law, state, chosen, starts, sizes):
    """Choose spans until at least `budget` tokens are chosen.

    A span for which there is no room any more is drawn one token shorter.

    Parameters
    ----------
    where : ndarray of int64
        Places of the maskable tokens, of which there are `n`.
    n, budget : int
        Maskable tokens, and how many are to be chosen, at most `n`.
    law : ndarray of float64
        Probabilities of the sizes 1, 2, ..., added up.
    state : ndarray of uint64, (1,)
        The stream.
    chosen : ndarray of uint8
        Of each maskable token, 0; set to 1 where it is chosen.
    starts, sizes : ndarray of int64
        Filled with the spans, in maskable tokens.

    Returns
    -------
    int
        Number of spans.
    """
    n_spans = 0
    taken = 0
    while taken < budget:
        draw = _unit(state)
        size = 1
        while size < len(law) and draw >= law[size - 1]:
            size += 1
        start = _find_start(where, n, chosen, size, state)
        while start < 0:
            size -= 1
            start = _find_start(where, n, chosen, size, state)
        for i in range(start, start + size):
            chosen[i] = 1
        starts[n_spans] = start
        sizes[n_spans] = size
        n_spans += 1
        taken += size
    return n_spans


@jit(cache=True, nogil=True)
def _choose_tokens(n, rate, hazards, state, chosen):
    """Choose each token with probability `rate`, given that one is chosen at all.

    As long as none is, the next one of k left is chosen with probability
    rate / (1 - (1 - rate) ** k): the law of drawing all anew until one is chosen.
    """
    none_yet = True
    for i in range(n):
        if _unit(state) < (hazards[n - i] if none_yet else rate):
            chosen[i] = 1
            none_yet = False


@jit(cache=True, nogil=True)
def _choose_words(ids, where, n, budget, continues, state, chosen, starts):
    """Choose words in random order, passing over those that exceed the budget."""
    n_words = 0
    for i in range(n):
        if i == 0 or where[i] != where[i - 1] + 1 or not continues[ids[where[i]]]:
            starts[n_words] = i
            n_words += 1
    order = np.arange(n_words)
    taken = 0
    for k in range(n_words):
        turn = k + _below(state, n_words - k)
        word = order[turn]
        order[turn] = order[k]
        order[k] = word
        end = starts[word + 1] if word + 1 < n_words else n
        if taken + end - starts[word] > budget:
            continue
        for i in range(starts[word], end):
            chosen[i] = 1
        taken += end - starts[word]
        if taken == budget:
            break
    if taken == 0:
        word = order[0]
        end = starts[word + 1] if word + 1 < n_words else n
        for i in range(starts[word], end):
            chosen[i] = 1


@jit(cache=True, nogil=True)
def mask_examples(
    ids,
    lengths,
    numbers,
    key,
    kind,
    rate,
    law,
    budgets,
    hazards,
    special,
    continues,
    choices,
    mask_id,
    shares,
    places,
    targets,
):
    """Choose the tokens of packed examples that are foretold, and hide most of them.

    Parameters
    ----------
    ids : ndarray of int64, (total,)
        Tokens of all examples, changed in place.
    lengths, numbers : ndarray of int64, (n,)
        Tokens and number of each example.
    key : uint64
        Of the epoch.
    kind : int
        SPANS, TOKENS or WORDS.
    rate : float
        Of TOKENS.
    law : ndarray of float64
        Of SPANS, see `choose_spans`.
    budgets : ndarray of int64
        How many of k maskable tokens are chosen, for every k up to the longest.
    hazards : ndarray of float64
        Of TOKENS: probability that the next of k tokens is chosen if none is yet.
    special, continues : ndarray of bool, (vocab_size,)
        Which tokens are never chosen, and (WORDS) which go on a word.
    choices : ndarray of int64
        What random replacements are drawn from.
    mask_id : int
        The token [MASK].
    shares : ndarray of float64, (2,)
        Share that is masked; share that is masked or replaced.
    places, targets : ndarray of int64
        Filled with the chosen places, rising, and what stood there.

    Returns
    -------
    int
        Number of chosen tokens.
    """
    longest = 1
    for row in range(len(lengths)):
        longest = max(longest, lengths[row])
    where = np.empty(longest, np.int64)
    chosen = np.empty(longest, np.uint8)
    starts = np.empty(longest, np.int64)
    sizes = np.empty(longest, np.int64)
    state = np.empty(1, np.uint64)
    n_places = 0
    begin = 0
    for row in range(len(lengths)):
        example = ids[begin : begin + lengths[row]]
        n = 0
        for i in range(len(example)):
            if not special[example[i]]:
                where[n] = i
                chosen[n] = 0
                n += 1
        _begin(state, key, numbers[row], 0)
        if kind == SPANS:
            choose_spans(where, n, budgets[n], law, state, chosen, starts, sizes)
        elif kind == TOKENS:
            _choose_tokens(n, rate, hazards, state, chosen)
        elif n > 0:
            _choose_words(
                example, where, n, budgets[n], continues, state, chosen, starts
            )
        for i in range(n):
            if not chosen[i]:
                continue
            place = where[i]
            places[n_places] = begin + place
            targets[n_places] = example[place]
            n_places += 1
            draw = _unit(state)
            if draw < shares[0]:
                example[place] = mask_id
            elif draw < shares[1]:
                example[place] = choices[_below(state, len(choices))]
        begin += lengths[row]
    return n_places
