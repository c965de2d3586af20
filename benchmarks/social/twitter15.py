"""Ask whether the social objective helps: from graph to tasks, on Twitter15.

On Twitter15 (1,490 posts, 27,329 engagements) and public English tweets, by
``twitter15.toml``. Posts are split as Yuan et al. did; engagements with posts of dev
and test are in no graph, no pair and no user vector. The joint encoder and the
MLM-only control go on from the same stage 1, read the same batches and take the same
steps. Everything is written to --out, and finished parts are not made again.

    python benchmarks/social/twitter15.py --data ../shared/data --out social-twitter15
    python benchmarks/social/twitter15.py --data ../shared/data --out toy --toy
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tweetclf.estimators.engagement import EngagementPredictor
from tweetclf.features import NgramTfidfVectorizer, TransformerVectorizer
from tweetclf.leaderboard.statistics import hierarchical_bootstrap
from tweetclf.pretraining import BertTraining, SocialTraining, train_bert
from tweetclf.pretraining.social import train_social_encoder
from tweetclf.social import (
    EngagementGraph,
    SimilarPairs,
    TwHINEmbedding,
    build_hashtag_set,
    mine_similar_pairs,
    popularity_baseline,
    rank_links,
)
from tweetclf.tasks import get_metric
from tweetclf.tasks.corpora import stream_texts
from tweetclf.tasks.rows import read_jsonl

HERE = Path(__file__).parent
ENGLISH = ("sentiment140_100k/train.jsonl.gz", "tweeteval/emoji/train.jsonl.gz")
KINDS = {"control": 0.0, "joint": 1.0}
TOY = {
    "embedding": {"dim": 8, "max_iter": 2},
    "encoder": {"vocab_size": 500, "hidden_size": 16, "n_layers": 1, "n_texts": 800,
                "seeds": [0, 1]},
    "stage1": {"n_steps": 10},
    "stage2": {"n_steps": 5, "projection": [16, 16]},
    "engagement": {"n_runs": 2, "max_iter": 2},
    "hashtags": {"n_hashtags": 5, "sizes": {"train": 200, "dev": 50, "test": 100}},
    "statistics": {"n_resamples": 200},
}  # fmt: skip


@dataclass
class Posts:
    """The posts of Twitter15, and who engaged with which of them."""

    ids: list[str]
    texts: list[str]
    labels: NDArray[Any]
    splits: NDArray[Any]


def read_posts(data: Path) -> Posts:
    """Read the posts with their texts, verdicts and splits."""
    rows = [row for _, row in read_jsonl(data / "twitter15_engagement/tweets.jsonl.gz")]
    return Posts(
        [row["tweet"] for row in rows],
        [row["text"] for row in rows],
        np.array([row["label_name"] for row in rows]),
        np.array([row["split"] for row in rows]),
    )


def english_texts(data: Path, n: int) -> list[str]:
    """Draw texts for stage 1."""
    texts = [text for name in ENGLISH for text in stream_texts(data / name)]
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[i] for i in order[:n]]


# Graph and embedding -------------------------------------------------------------


def make_graphs(
    data: Path, posts: Posts, sizes: dict[str, Any], out: Path
) -> tuple[EngagementGraph, EngagementGraph]:
    """Return the whole graph, and the one of training posts alone."""
    if not (out / "graph").exists():
        EngagementGraph.build(
            [data / "twitter15_engagement/engagements.tsv.gz"], out / "graph", **sizes
        )
    graph = EngagementGraph.open(out / "graph")
    if not (out / "graph-train").exists():
        split = dict(zip(posts.ids, posts.splits, strict=True))
        trains = np.array([split.get(id_) == "train" for id_ in graph.post_ids])
        graph.subgraph(out / "graph-train", trains[np.asarray(graph.posts)])
    return graph, EngagementGraph.open(out / "graph-train")


def embed(
    graph: EngagementGraph, sizes: dict[str, Any], result: dict[str, Any]
) -> TwHINEmbedding:
    """Embed the training graph; predict held-out links beside two baselines."""
    options = dict(sizes)
    held_out = options.pop("held_out")
    parts = graph.assign_splits(valid=0.0, test=held_out)
    train, test = graph.edges(parts == 0), graph.edges(parts == 2)
    trial = TwHINEmbedding(**options, random_state=0).fit(train)
    n = graph.n_posts
    scorers = {
        "popularity": popularity_baseline(train, n),
        "random": lambda some, candidates: np.zeros((len(some), len(candidates))),
    }
    result["link_prediction"] = {
        "embedding": trial.link_prediction(test, filtered=train).to_dict(),
        **{
            name: rank_links(score, test, n, known=train).to_dict()
            for name, score in scorers.items()
        },
    }
    return TwHINEmbedding(**options, random_state=0).fit(graph.edges())


# Pairs ---------------------------------------------------------------------------


def mine(
    graph: EngagementGraph,
    embedding: TwHINEmbedding,
    posts: Posts,
    sizes: dict[str, Any],
    out: Path,
    result: dict[str, Any],
) -> NDArray[np.int64]:
    """Mine pairs by post, and ask whether they share a verdict or a subject."""
    place = {id_: i for i, id_ in enumerate(posts.ids)}
    rows = np.array([place[id_] for id_ in graph.post_ids])
    if not (out / "pairs").exists():
        mine_similar_pairs(
            embedding.post_vectors_,
            out / "pairs",
            texts=[posts.texts[i] for i in rows],
            **sizes,
        )
    first, second, _ = SimilarPairs.open(out / "pairs").unordered()
    pairs = np.column_stack([rows[first], rows[second]])
    words = NgramTfidfVectorizer(ngram_range=(1, 1), min_df=2).fit_transform(
        [posts.texts[i] for i in rows]
    )
    position = {row: i for i, row in enumerate(rows.tolist())}
    at = np.array([[position[a], position[b]] for a, b in pairs.tolist()])

    def share(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
        labels = posts.labels[rows]
        cosines = np.asarray(words[a].multiply(words[b]).sum(axis=1)).ravel()
        return float((labels[a] == labels[b]).mean()), float((cosines > 0.3).mean())

    rng = np.random.default_rng(0)
    found = share(at[:, 0], at[:, 1])
    # The same degrees, and partners at random.
    chance = np.array([share(at[:, 0], rng.permutation(at[:, 1])) for _ in range(1000)])
    result["pairs"] = {"n": len(pairs)}
    for name, value, drawn in zip(
        ("same_verdict", "shared_subject"), found, chance.T, strict=True
    ):
        result["pairs"][name] = {
            "share": value,
            "by_chance": float(drawn.mean()),
            "ratio": value / max(float(drawn.mean()), 1e-9),
            "p": float((1 + (drawn >= value).sum()) / (1 + len(drawn))),
        }
    return pairs


# Encoders ------------------------------------------------------------------------


def train_encoders(
    posts: Posts,
    texts: list[str],
    pairs: NDArray[np.int64],
    config: dict[str, Any],
    out: Path,
) -> dict[tuple[str, int], Path]:
    """Train control and joint encoder for each seed, from a stage 1 of that seed."""
    sizes, found = config["encoder"], {}
    own = [posts.texts[i] for i in np.flatnonzero(posts.splits == "train")]
    for seed in sizes["seeds"]:
        first = out / f"stage1-{seed}"
        corpus = [*texts, *own]
        stage = config["stage1"]
        n_epochs = max(1, round(stage["n_steps"] * stage["batch_size"] / len(corpus)))
        training = BertTraining(
            vocab_size=sizes["vocab_size"],
            hidden_size=sizes["hidden_size"],
            n_layers=sizes["n_layers"],
            n_heads=sizes["n_heads"],
            max_length=sizes["max_length"],
            max_iter=n_epochs,
            batch_size=stage["batch_size"],
            learning_rate=stage["learning_rate"],
        )
        if not first.exists():
            train_bert(corpus, first, training=training, random_state=seed)
        for kind, weight in KINDS.items():
            path = out / f"{kind}-{seed}"
            if not path.exists():
                train_social_encoder(
                    posts.texts,
                    pairs,
                    path,
                    model=first,
                    training=SocialTraining(
                        social_weight=weight,
                        max_length=sizes["max_length"],
                        **config["stage2"],
                    ),
                    random_state=seed,
                )
            found[kind, seed] = path
    return found


# Tasks ---------------------------------------------------------------------------


def features(path: Path, texts: list[str]) -> NDArray[np.float32]:
    """Return first and mean state of each text, side by side."""
    return TransformerVectorizer(path, pooling="combined").fit_transform(texts)


def classify(path: Path, task: dict[str, Any]) -> NDArray[Any]:
    """Predict the test labels from frozen vectors, by logistic regression."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(features(path, task["train"][0]), task["train"][1])
    return model.predict(features(path, task["test"][0]))


def verdicts(posts: Posts) -> dict[str, Any]:
    """Return texts and labels of the four-class task."""
    return {
        name: ([posts.texts[i] for i in np.flatnonzero(rows)], posts.labels[rows])
        for name in ("train", "test")
        for rows in [posts.splits == name]
    }


def hashtags(data: Path, sizes: dict[str, Any], out: Path) -> dict[str, Any]:
    """Build the hashtag task of the English tweets, and return it."""
    if not (out / "hashtags").exists():
        tweets = [
            (f"{name}:{i}", text, "en")
            for name in ENGLISH
            for i, text in enumerate(stream_texts(data / name))
        ]
        build_hashtag_set(tweets, out / "hashtags", **sizes)
    task = {}
    for name in ("train", "test"):
        rows = [r for _, r in read_jsonl(out / "hashtags" / "en" / f"{name}.jsonl")]
        task[name] = ([r["text"] for r in rows], np.array([r["label"] for r in rows]))
    return task


def engagement_hits(
    path: Path,
    posts: Posts,
    graph: EngagementGraph,
    users: dict[str, NDArray[np.float32]],
    sizes: dict[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.int64], float]:
    """Return the mean hit of each test engagement over the runs, its post, the median.

    Users who engaged with no training post have no vector; their engagements are left
    out, alike for all encoders.
    """
    place = {id_: i for i, id_ in enumerate(posts.ids)}
    names = sorted(users)
    number = {name: i for i, name in enumerate(names)}
    records = np.array(
        [
            (number[user], place[post])
            for user, post in (
                (graph.user_ids[int(u)], graph.post_ids[int(p)])
                for u, p in zip(graph.users, graph.posts, strict=True)
            )
            if user in number
        ]
    )
    parts = {
        name: records[posts.splits[records[:, 1]] == name]
        for name in ("train", "dev", "test")
    }
    given = {
        "user_vectors": np.stack([users[name] for name in names]),
        "texts": features(path, posts.texts),
    }
    hits = []
    for run in range(sizes["n_runs"]):
        predictor = EngagementPredictor(max_iter=sizes["max_iter"], random_state=run)
        predictor.fit(parts["train"], X_val=parts["dev"], **given)
        hits.append(predictor.rank(parts["test"], **given).hits)
    return (
        np.mean(hits, axis=0),
        parts["test"][:, 1],
        float(np.median([h.mean() for h in hits])),
    )


def compare_hits(
    runs: dict[str, list[NDArray[np.float64]]], posts: NDArray[np.int64], n: int
) -> dict[str, Any]:
    """Bootstrap the difference over seeds and over posts with their engagements."""
    codes, inverse = np.unique(posts, return_inverse=True)
    counts = np.bincount(inverse)
    sums = np.array(
        [
            np.bincount(inverse, a - b, len(codes))
            for a, b in zip(runs["joint"], runs["control"], strict=True)
        ]
    )  # (seeds, posts)
    rng = np.random.default_rng(0)
    n_seeds, n_posts = sums.shape
    drawn = np.empty(n)
    for k in range(n):
        # One seed fewer than there are: so the whole variance between seeds shows.
        seeds = rng.integers(n_seeds, size=max(1, n_seeds - 1))
        rows = rng.integers(n_posts, size=n_posts)
        drawn[k] = sums[seeds].mean(axis=0)[rows].sum() / counts[rows].sum()
    low, high = np.quantile(drawn, [0.025, 0.975])
    tail = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return {
        "difference": float(sums.mean(axis=0).sum() / counts.sum()),
        "interval": [float(low), float(high)],
        "p": float(min(1.0, 2 * tail + 1 / n)),
    }


def measure(
    encoders: dict[tuple[str, int], Path],
    posts: Posts,
    tasks: dict[str, dict[str, Any]],
    engagements: Any,
    config: dict[str, Any],
) -> dict[str, Any]:
    """Score all encoders on all tasks, and compare the two kinds."""
    seeds, n = config["encoder"]["seeds"], config["statistics"]["n_resamples"]
    result: dict[str, Any] = {}
    for name, task in tasks.items():
        metric = get_metric("macro_f1", labels=sorted(set(task["train"][1].tolist())))
        y = task["test"][1]
        said = {
            kind: [classify(encoders[kind, seed], task) for seed in seeds]
            for kind in KINDS
        }
        outcome = hierarchical_bootstrap(
            metric, y, said["joint"], said["control"], same_seeds=True,
            n_resamples=n, rng=np.random.default_rng(0),
        )  # fmt: skip
        result[name] = {
            **{kind: [float(metric(y, run)) for run in said[kind]] for kind in KINDS},
            "difference": outcome.difference,
            "interval": list(outcome.interval),
            "p": outcome.p_value,
        }
    hits: dict[str, Any] = {kind: [] for kind in KINDS}
    medians: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        for seed in seeds:
            own, of, median = engagements(encoders[kind, seed])
            hits[kind].append(own)
            medians[kind].append(median)
    result["engagement"] = {**medians, **compare_hits(hits, of, n)}
    return result


def verdict(entry: dict[str, Any]) -> str:
    """Say what the interval of a difference allows to say."""
    low, high = entry["interval"]
    if low > 0:
        return "helps"
    return "harms" if high < 0 else "undecided"


def render(result: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = ["# Twitter15: the social objective against masks alone", ""]
    lines += ["| held-out links | MRR | HITS@10 | AUC |", "| --- | --- | --- | --- |"]
    for name, one in result["link_prediction"].items():
        hits = one["hits"].get(10, one["hits"].get("10"))
        lines.append(f"| {name} | {one['mrr']:.4f} | {hits:.4f} | {one['auc']:.4f} |")
    lines += ["", "| pairs | share | by chance | ratio | p |",
              "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for name in ("same_verdict", "shared_subject"):
        one = result["pairs"][name]
        lines.append(
            f"| {name} | {one['share']:.3f} | {one['by_chance']:.3f} | "
            f"{one['ratio']:.2f} | {one['p']:.4f} |"
        )
    lines += ["", "| task | control | joint | difference | 95 % | p | it |",
              "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, one in result["tasks"].items():
        low, high = one["interval"]
        lines.append(
            f"| {name} | {np.mean(one['control']):.4f} | {np.mean(one['joint']):.4f} | "
            f"{one['difference']:+.4f} | {low:+.4f} to {high:+.4f} | {one['p']:.4f} | "
            f"{verdict(one)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=HERE / "twitter15.toml")
    parser.add_argument("--toy", action="store_true")
    args = parser.parse_args()
    config = tomllib.loads(args.config.read_text("utf-8"))
    if args.toy:
        config = {k: {**v, **TOY.get(k, {})} for k, v in config.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    result: dict[str, Any] = {"config": config}
    posts = read_posts(args.data)
    whole, train = make_graphs(args.data, posts, config["graph"], args.out)
    result["graph"] = {"users": whole.n_users, "posts": whole.n_posts,
                       "edges": whole.n_edges,
                       "training edges": train.n_edges}  # fmt: skip
    embedding = embed(train, config["embedding"], result)
    users = dict(zip(train.user_ids, embedding.user_vectors_, strict=True))
    pairs = mine(train, embedding, posts, config["pairs"], args.out, result)
    texts = english_texts(args.data, config["encoder"]["n_texts"])
    encoders = train_encoders(posts, texts, pairs, config, args.out)
    tasks = {
        "verdict": verdicts(posts),
        "hashtags": hashtags(args.data, config["hashtags"], args.out),
    }
    result["tasks"] = measure(
        encoders,
        posts,
        tasks,
        lambda path: engagement_hits(path, posts, whole, users, config["engagement"]),
        config,
    )
    result["seconds"] = time.perf_counter() - began
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "result.md").write_text(render(result))
    print(render(result))


if __name__ == "__main__":
    main()
