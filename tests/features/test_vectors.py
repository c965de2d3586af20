"""WordVectors against gensim and plain Python."""

from __future__ import annotations

import copy
import gzip
import pickle
import struct
import sys
import textwrap

import numpy as np
import pytest
from features_oracles import fasttext_hash, fasttext_ngrams
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from tweetclf.exceptions import DataError, MissingDependencyError, ModelFormatError
from tweetclf.features import SIFVectorizer, WordVectors
from tweetclf.features.subwords import subword_hashes

gensim_models = pytest.importorskip("gensim.models")
gensim_fasttext = pytest.importorskip("gensim.models.fasttext")

CORPUS = [
    ["el", "niño", "juega", "en", "la", "plaza", "😂"],
    ["la", "niña", "canta", "en", "la", "plaza", "ñandú"],
    ["日本", "語", "の", "ツイート", "です"],
    ["jajaja", "que", "risa", "el", "niño"],
] * 5
UNKNOWN = ["niñito", "plazas", "😂😂", "\n", "ツイ", "x", "é", "", "😂‍🔥"]


@pytest.fixture(scope="module")
def facebook(tmp_path_factory):
    """A fastText .bin file and gensim's own reading of it."""
    model = gensim_fasttext.FastText(
        CORPUS, vector_size=12, min_count=1, bucket=300, epochs=3, workers=1, seed=3
    )
    path = tmp_path_factory.mktemp("vectors") / "model.bin"
    gensim_fasttext.save_facebook_model(model, str(path))
    return path, gensim_fasttext.load_facebook_vectors(str(path))


# Subwords


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(st.text(max_size=12), max_size=5),
    minn=st.integers(1, 4),
    extra=st.integers(0, 4),
)
def test_subwords_equal_plain_python(words, minn, extra):
    hashes, counts = subword_hashes(words, minn, minn + extra)
    expected = [fasttext_ngrams(word, minn, minn + extra) for word in words]
    assert counts.tolist() == [len(grams) for grams in expected]
    assert hashes.tolist() == [
        fasttext_hash(gram.encode()) for grams in expected for gram in grams
    ]


def test_the_end_of_sentence_token_and_no_range_have_no_subwords():
    assert subword_hashes(["</s>", "a"], 3, 6)[1].tolist() == [0, 1]
    assert subword_hashes(["hola"], 0, 0)[1].tolist() == [0]
    assert subword_hashes([], 3, 6)[0].tolist() == []


def test_an_absurd_range_costs_nothing():
    hashes, counts = subword_hashes(["hola", "a"], 3, 2**31 - 1)
    assert counts.tolist() == [10, 1]
    assert len(hashes) == 11
    assert subword_hashes(["hola"], 50, 60)[1].tolist() == [0]


def test_lone_surrogates_have_subwords():
    assert subword_hashes(["\ud83d"], 3, 3)[1].tolist() == [1]


# fastText .bin


def test_bin_equals_gensim_for_known_and_unknown_words(facebook):
    path, theirs = facebook
    ours = WordVectors.read(path)
    words = [*theirs.index_to_key, *UNKNOWN]
    assert list(ours.words) == theirs.index_to_key
    expected = np.array([theirs[word] for word in words])
    np.testing.assert_allclose(ours.vectors(words), expected, rtol=0, atol=1e-6)
    assert ours.vectors(words).dtype == np.float32
    assert ours.counts.tolist() == [
        theirs.get_vecattr(word, "count") for word in ours.words
    ]
    assert isinstance(ours.matrix.base, np.memmap) or isinstance(ours.matrix, np.memmap)


def test_the_vector_of_a_word_does_not_depend_on_the_others(facebook):
    vectors = WordVectors.read(facebook[0])
    words = [*vectors.words, *UNKNOWN]
    together = vectors.vectors(words)
    for row, word in enumerate(words):
        np.testing.assert_array_equal(vectors.vectors([word])[0], together[row])
    np.testing.assert_array_equal(vectors.vectors(words[::-1])[::-1], together)


def test_single_word_access(facebook):
    vectors = WordVectors.read(facebook[0])
    assert "niño" in vectors
    assert "niñazo" in vectors
    assert "</s>" not in vectors
    assert 3 not in vectors
    assert vectors.is_known(["niño", "niñazo"]).tolist() == [True, False]
    np.testing.assert_array_equal(vectors["niñazo"], vectors.vectors(["niñazo"])[0])
    with pytest.raises(KeyError, match="</s>"):
        vectors["</s>"]
    assert vectors.vectors([]).shape == (0, 12)
    assert "12 dimensions" in repr(vectors)


def test_every_truncation_of_a_bin_file_is_refused(facebook, tmp_path):
    whole = facebook[0].read_bytes()
    # What follows the input matrix is the output matrix, which is not read.
    n_words = len(facebook[1].index_to_key)
    needed = len(whole) - (1 + 16 + 4 * 12 * n_words)
    path = tmp_path / "cut.bin"
    cuts = [*range(1, 400, 7), *range(400, needed, 997), needed - 1]
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises((DataError, UnicodeDecodeError)):
            WordVectors.read(path)
    path.write_bytes(whole[:needed])
    WordVectors.read(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_bin_header_never_crashes(facebook, tmp_path_factory, data):
    whole = bytearray(facebook[0].read_bytes())
    at = data.draw(st.integers(0, 400))
    whole[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.bin"
    path.write_bytes(whole)
    try:
        vectors = WordVectors.read(path)
    except DataError:
        return
    assert np.shape(vectors.vectors(["niño", "otra"])) == (2, vectors.dim)


def test_quantised_and_unknown_versions_are_refused(facebook, tmp_path):
    whole = bytearray(facebook[0].read_bytes())
    path = tmp_path / "bad.bin"
    path.write_bytes(bytes(whole[:4]) + struct.pack("<i", 13) + bytes(whole[8:]))
    with pytest.raises(DataError, match="version 13"):
        WordVectors.read(path)
    n_words = len(facebook[1].index_to_key)
    matrix = 4 * 12 * (n_words + 300) + 16
    at = len(whole) - (1 + 16 + 4 * 12 * n_words) - matrix - 1
    assert whole[at] == 0
    whole[at] = 1
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"quantised \(.ftz\)"):
        WordVectors.read(path)


# Text vectors


def write(path, text, *, zipped=False):
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


@pytest.mark.parametrize("zipped", [False, True])
def test_text_equals_gensim(facebook, tmp_path, zipped):
    _, theirs = facebook
    path = tmp_path / ("a.vec.gz" if zipped else "a.vec")
    theirs.save_word2vec_format(str(path))
    expected = gensim_models.KeyedVectors.load_word2vec_format(str(path))
    ours = WordVectors.read(path)
    assert list(ours.words) == expected.index_to_key
    np.testing.assert_array_equal(ours.matrix, expected.vectors)
    assert not ours.bucket
    first = WordVectors.read(path, limit=3)
    assert list(first.words) == expected.index_to_key[:3]


@pytest.mark.parametrize(
    "text",
    [
        "2 2\nhola 1 2\nchau 3 4\n",
        "hola 1 2\nchau 3 4",  # no header: GloVe
        "2 2\r\nhola 1 2 \r\nchau 3 4 \r\n",  # fastText ends lines with a space
        "2 2\nhola\t1\t2\nchau  3   4\n\n",
        "2 2\nhola 1e0 2.0\nchau 3 4E0\nchau 9 9\n".replace("2 2", "3 2", 1),
    ],
)
def test_odd_but_clear_layouts(tmp_path, text):
    vectors = WordVectors.read(write(tmp_path / "a.vec", text))
    assert vectors.words == ("hola", "chau")
    assert vectors.matrix.tolist() == [[1, 2], [3, 4]]


def test_words_with_spaces_and_line_separators(tmp_path):
    words = ["24 7", "New York", "a\u2028b", "\xa0", "x\x85y", "#", "3"]
    lines = [f"{word} {k} {k}.5" for k, word in enumerate(words)]
    text = f"{len(words)} 2\n" + "\n".join(lines) + "\n"
    vectors = WordVectors.read(write(tmp_path / "a.vec", text))
    assert list(vectors.words) == words
    assert vectors.matrix[:, 0].tolist() == list(range(len(words)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 2\nhola 1 2\nchau 3\n", "line 3 has 2 fields; expected a word and 2"),
        ("2 2\nhola 1 2\nchau 3 x\n", "line 3 does not end in 2 numbers"),
        ("2 2\nhola 1 nan\nchau 3 4\n", "line 2 holds a value that is not finite"),
        ("3 2\nhola 1 2\nchau 3 4\n", "after 2 words; its header promises 3"),
        ("1 2\nhola 1 2\nchau 3 4\n", "after 2 words; its header promises 1"),
        ("2 999999999\nhola 1 2\nchau 3 4\n", "line 2 has 3 fields"),
        ("hola\n", "line 1 is neither"),
        ("", "line 1 is neither"),
        (b"1 2\n\xff\xfe 1 2\n", "line 2: the word .* is not valid UTF-8"),
        (b"\0\1\2\3\0\0", "neither a fastText"),
        (pickle.dumps({"a": 1}), "is a pickle"),
    ],
)
def test_bad_text_is_named_by_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        WordVectors.read(write(tmp_path / "a.vec", text))


def test_invalid_utf8_can_be_replaced(tmp_path):
    path = write(tmp_path / "a.vec", b"1 2\na\xff 1 2\n")
    assert WordVectors.read(path, errors="replace").words == ("a\ufffd",)


def test_truncated_gzip(tmp_path):
    path = write(tmp_path / "a.vec.gz", "1 2\n" + "hola 1 2\n" * 500, zipped=True)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="damaged gzip"):
        WordVectors.read(path)


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(
        st.text(
            st.characters(blacklist_characters="\n\0", blacklist_categories=["Cs"]),
            min_size=1,
            max_size=6,
        ).filter(lambda w: w == w.strip() and not w.isspace() and w.split()),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    dim=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_is_written_is_read(tmp_path_factory, words, dim, data):
    value = st.floats(-1e6, 1e6, width=32)
    rows = [data.draw(st.lists(value, min_size=dim, max_size=dim)) for _ in words]
    lines = [" ".join([w, *map(repr, row)]) for w, row in zip(words, rows, strict=True)]
    text = f"{len(words)} {dim}\n" + "\n".join(lines) + "\n"
    path = write(tmp_path_factory.getbasetemp() / "any.vec", text)
    vectors = WordVectors.read(path)
    assert list(vectors.words) == words
    np.testing.assert_array_equal(vectors.matrix, np.array(rows, dtype=np.float32))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "noise.vec"
    path.write_bytes(content)
    try:
        WordVectors.read(path)
    except DataError:
        pass
    except ModelFormatError:
        assert content[8:9] == b"{"


# gensim objects and files


def test_gensim_objects(facebook):
    _, fasttext = facebook
    words = ["niño", *UNKNOWN]
    ours = WordVectors.from_gensim(fasttext)
    np.testing.assert_allclose(
        ours.vectors(words), np.array([fasttext[w] for w in words]), atol=1e-6
    )
    model = gensim_models.Word2Vec(CORPUS, vector_size=5, min_count=1, workers=1)
    plain = WordVectors.from_gensim(model)
    np.testing.assert_array_equal(plain["niño"], model.wv["niño"])
    assert "niñazo" not in plain
    assert plain.counts[plain.words.index("la")] == model.wv.get_vecattr("la", "count")
    with pytest.raises(DataError, match="KeyedVectors"):
        WordVectors.from_gensim({"a": [1]})


def test_gensim_files_are_read_only_on_demand(facebook, tmp_path):
    path = tmp_path / "vectors.kv"
    facebook[1].save(str(path))
    with pytest.raises(DataError, match="read_gensim"):
        WordVectors.read(path)
    ours = WordVectors.read_gensim(path)
    np.testing.assert_allclose(ours["niñazo"], facebook[1]["niñazo"], atol=1e-6)


# Training


def test_training_is_deterministic_and_finds_unknown_words():
    first = WordVectors.train(CORPUS, dim=8, epochs=2, seed=4)
    again = WordVectors.train(CORPUS, dim=8, epochs=2, seed=4)
    other = WordVectors.train(CORPUS, dim=8, epochs=2, seed=5)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    assert not np.array_equal(first.matrix, other.matrix)
    assert first["niñito"].any()
    assert first.counts[first.words.index("la")] == 15


def test_training_equals_gensim():
    ours = WordVectors.train(CORPUS, dim=8, epochs=2, seed=4, bucket=500)
    model = gensim_fasttext.FastText(
        CORPUS,
        sg=1,
        vector_size=8,
        epochs=2,
        seed=4,
        bucket=500,
        min_count=1,
        workers=1,
        alpha=0.05,
        sample=1e-3,
    )
    np.testing.assert_allclose(ours["niño"], model.wv["niño"], atol=1e-6)
    np.testing.assert_allclose(ours["niñito"], model.wv["niñito"], atol=1e-6)


def test_training_brings_words_of_one_topic_together():
    rng = np.random.default_rng(0)
    topics = [["gol", "pelota", "cancha", "hincha"], ["lluvia", "nube", "sol", "frio"]]
    corpus = [list(rng.choice(topics[k % 2], 6)) for k in range(400)]
    vectors = WordVectors.train(corpus, dim=10, epochs=40, maxn=0, sample=1.0)
    unit = vectors.vectors(sum(topics, []))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[:4, :4].min() > cosine[:4, 4:].max()
    assert not vectors.bucket
    assert "goles" not in vectors


def test_small_corpora_make_small_models():
    assert WordVectors.train(CORPUS, dim=4, epochs=1).bucket == 1_000
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcdefghij"), 8)) for _ in range(2_000)]
    vectors = WordVectors.train([words], dim=2, epochs=1, workers=1)
    grams = {g for word in words for g in fasttext_ngrams(word, 3, 6)}
    assert vectors.bucket == pytest.approx(len(grams) / 2, rel=0.001)


def test_texts_are_tokenised():
    vectors = WordVectors.train(["hola mundo", "hola"], tokenizer=str.split, dim=3)
    assert sorted(vectors.words) == ["hola", "mundo"]
    assert "hola" in WordVectors.train(["hola mundo", "hola"], dim=3).words


def test_training_errors():
    with pytest.raises(DataError, match="no word that occurs 99 times"):
        WordVectors.train(CORPUS, min_count=99)
    with pytest.raises(DataError, match=r"corpus\[1\]"):
        WordVectors.train([["a"], "b"])
    with pytest.raises(DataError, match="single str"):
        WordVectors.train("hola")
    with pytest.raises(ValueError, match="'engine'"):
        WordVectors.train(CORPUS, engine="glove")
    assert WordVectors.train([["\ud83d", "b"]], dim=2)["\ud83d"].shape == (2,)


def test_a_missing_engine_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models.fasttext", None)
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[embeddings\]"):
        WordVectors.train(CORPUS)
    with pytest.raises(MissingDependencyError, match=r"tweetclf\[fasttext\]"):
        WordVectors.train(CORPUS, engine="fasttext")


@pytest.fixture
def fake_fasttext(facebook, tmp_path, monkeypatch):
    """A module `fasttext` that fails as often as told, then gives the .bin file."""
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "fasttext.py").write_text(
        textwrap.dedent(f"""
            import os, pathlib, shutil
            HERE = pathlib.Path(__file__).parent
            class Model:
                def save_model(self, path):
                    shutil.copy({str(facebook[0])!r}, path)
            def train_unsupervised(input, thread, **options):
                calls = HERE / "calls"
                n = int(calls.read_text()) if calls.exists() else 0
                calls.write_text(str(n + 1))
                (HERE / "corpus").write_text(pathlib.Path(input).read_text())
                (HERE / "thread").write_text(str(thread))
                if n < int(os.environ["FAKE_FAILURES"]):
                    raise RuntimeError(os.environ["FAKE_ERROR"])
                return Model()
        """),
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    monkeypatch.setenv("FAKE_ERROR", "Encountered NaN.")
    monkeypatch.delitem(sys.modules, "fasttext", raising=False)
    return folder


def test_the_fasttext_engine_runs_apart_and_tries_again(fake_fasttext, monkeypatch):
    monkeypatch.setenv("FAKE_FAILURES", "1")
    corpus = [["New York", "niño"], ["a\nb"]]
    vectors = WordVectors.train(corpus, engine="fasttext", dim=12)
    assert "niño" in vectors.words
    assert (fake_fasttext / "calls").read_text() == "2"
    assert (fake_fasttext / "thread").read_text() == "12"
    assert (fake_fasttext / "corpus").read_text() == "New_York niño\na_b\n"
    assert vectors["niñazo"].any(), "the rows must outlive the temporary file"


def test_the_fasttext_engine_gives_up(fake_fasttext, monkeypatch):
    monkeypatch.setenv("FAKE_FAILURES", "9")
    with pytest.raises(RuntimeError, match=r"Encountered NaN.*engine=.gensim."):
        WordVectors.train(CORPUS, engine="fasttext")
    assert (fake_fasttext / "calls").read_text() == "3"
    monkeypatch.setenv("FAKE_ERROR", "out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        WordVectors.train(CORPUS, engine="fasttext")
    assert (fake_fasttext / "calls").read_text() == "4", "only NaN is tried again"


# The object


def test_save_and_load(facebook, tmp_path):
    vectors = WordVectors.read(facebook[0])
    path = tmp_path / "v.safetensors"
    vectors.save(path)
    for loaded in (WordVectors.load(path), WordVectors.read(path)):
        assert loaded.words == vectors.words
        np.testing.assert_array_equal(loaded.matrix, vectors.matrix)
        np.testing.assert_array_equal(loaded.counts, vectors.counts)
        np.testing.assert_array_equal(loaded["niñazo"], vectors["niñazo"])
    for cut in (0, 5, 100, len(path.read_bytes()) - 1):
        damaged = tmp_path / "cut"
        damaged.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(ModelFormatError):
            WordVectors.load(damaged)


def test_copies_share_the_matrix_and_nobody_can_write_to_it(facebook):
    vectors = WordVectors.read(facebook[0])
    assert copy.deepcopy(vectors) is vectors
    assert clone(SIFVectorizer(vectors)).word_vectors is vectors
    with pytest.raises(ValueError, match="read-only"):
        vectors.matrix[0] = 0
    again = pickle.loads(pickle.dumps(vectors))
    assert type(again.matrix) is np.ndarray
    np.testing.assert_array_equal(again["niñazo"], vectors["niñazo"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], [[1.0], [2.0]]), "'matrix' parameter must have 1 rows"),
        ((["a", "a"], [[1.0], [2.0]]), "must not repeat"),
        ((["a"], [[1.0]], [1, 2]), "'counts' parameter"),
    ],
)
def test_bad_constructions(arguments, message):
    words, matrix, *counts = arguments
    with pytest.raises(DataError, match=message):
        WordVectors(words, matrix, counts=counts[0] if counts else None)
    with pytest.raises(DataError, match="minn"):
        WordVectors(["a"], [[1.0], [2.0]], bucket=1)
