"""Engines that train skip-gram vectors with subwords."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from tweetclf.exceptions import DataError
from tweetclf.features._raw import RawVectors
from tweetclf.features._read_bin import read_fasttext_bin
from tweetclf.features.subwords import subword_hashes
from tweetclf.utils.optional import import_optional

__all__ = ["Settings", "automatic_bucket", "train"]

# fastText's own default is 2,000,000, for corpora of billions of words.
MAX_BUCKET = 200_000
MIN_BUCKET = 1_000
_ATTEMPTS = 3


@dataclass(frozen=True)
class Settings:
    """How to train; the names are those of ``WordVectors.train``."""

    dim: int
    window: int
    epochs: int
    min_count: int
    minn: int
    maxn: int
    bucket: int
    negative: int
    learning_rate: float
    sample: float
    workers: int
    seed: int


def automatic_bucket(
    sentences: Sequence[Sequence[str]], *, min_count: int, minn: int, maxn: int
) -> int:
    """Return a number of buckets that fits the corpus.

    One bucket for every two different n-grams of the words that are trained,
    between 1,000 and 200,000: rows that no word of the corpus reaches would stay
    noise and only make the model larger.
    """
    counts = Counter(chain.from_iterable(sentences))
    words = [word for word, count in counts.items() if count >= min_count]
    hashes, _ = subword_hashes(words, minn, maxn)
    wanted = (len(np.unique(hashes)) + 1) // 2
    return int(np.clip(wanted, MIN_BUCKET, MAX_BUCKET))


def train(
    sentences: Sequence[Sequence[str]], settings: Settings, engine: str
) -> RawVectors:
    """Train on token lists with the engine "gensim" or "fasttext"."""
    counts = Counter(chain.from_iterable(sentences))
    if not any(count >= settings.min_count for count in counts.values()):
        raise DataError(
            f"WordVectors.train found no word that occurs {settings.min_count} times "
            f"in {len(sentences)} texts. Lower min_count or add texts."
        )
    if engine == "fasttext":
        return _train_fasttext(sentences, settings)
    return _train_gensim(sentences, settings)


def _encodable(sentences: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """Replace lone surrogates, which neither engine can encode."""
    tokens = set(chain.from_iterable(sentences))
    clean = {token: token.encode("utf-8", "replace").decode() for token in tokens}
    if all(token == other for token, other in clean.items()):
        return sentences
    return [[clean[token] for token in sentence] for sentence in sentences]


def _train_gensim(sentences: Sequence[Sequence[str]], settings: Settings) -> RawVectors:
    models = import_optional(
        "gensim.models.fasttext", extra="embeddings", caller="WordVectors.train"
    )
    sentences = _encodable(sentences)
    # Without any handler Python prints gensim's remarks on small corpora.
    logging.getLogger("gensim").addHandler(logging.NullHandler())
    model = models.FastText(
        sg=1,
        vector_size=settings.dim,
        window=settings.window,
        min_count=settings.min_count,
        min_n=settings.minn,
        max_n=settings.maxn,
        bucket=settings.bucket,
        negative=settings.negative,
        alpha=settings.learning_rate,
        sample=settings.sample,
        workers=settings.workers,
        seed=settings.seed,
    )
    model.build_vocab(corpus_iterable=sentences)
    model.train(
        corpus_iterable=sentences,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings.epochs,
    )
    vectors = model.wv
    matrix = np.concatenate([vectors.vectors_vocab, vectors.vectors_ngrams])
    return RawVectors(
        words=list(vectors.index_to_key),
        matrix=np.ascontiguousarray(matrix, dtype=np.float32),
        counts=np.array(
            [vectors.get_vecattr(word, "count") for word in vectors.index_to_key],
            dtype=np.int64,
        ),
        minn=settings.minn,
        maxn=settings.maxn,
        bucket=settings.bucket,
    )


def _train_fasttext(
    sentences: Sequence[Sequence[str]], settings: Settings
) -> RawVectors:
    """Train in a child process: a second training in one process may fail.

    fastText leaves part of its matrix uninitialised with fewer than 10 threads
    (``DenseMatrix::uniformThread``), hence 12, and again on "Encountered NaN".
    """
    import_optional("fasttext", extra="fasttext", caller='engine="fasttext"')
    with tempfile.TemporaryDirectory(prefix="tweetclf-") as folder:
        corpus = Path(folder) / "corpus.txt"
        model = Path(folder) / "model.bin"
        with corpus.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            for sentence in sentences:
                # fastText splits at white space; a token must stay one word.
                file.write(" ".join("_".join(token.split()) for token in sentence))
                file.write("\n")
        request = json.dumps(
            {"corpus": str(corpus), "model": str(model), **asdict(settings)}
        )
        for _ in range(_ATTEMPTS):
            child = subprocess.run(
                [sys.executable, "-m", "tweetclf.features._fasttext_child"],
                input=request,
                capture_output=True,
                text=True,
                check=False,
            )
            if child.returncode == 0:
                raw = read_fasttext_bin(model)
                # The file goes with the folder: keep the rows themselves.
                return RawVectors(
                    words=raw.words,
                    matrix=np.array(raw.matrix),
                    counts=raw.counts,
                    minn=raw.minn,
                    maxn=raw.maxn,
                    bucket=raw.bucket,
                )
            if "NaN" not in child.stderr:
                break
    raise RuntimeError(
        f"fastText failed with exit status {child.returncode}: "
        f'{child.stderr.strip()[-500:]}. Try engine="gensim".'
    )
