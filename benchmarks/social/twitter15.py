"""Ask whether the social objective helps: from graph to tasks, on Twitter15.

On Twitter15 (1,490 posts, 27,329 engagements) and public English tweets, by
``twitter15.toml``. Posts are split as Yuan et al. did; engagements with posts of dev
and test are in no graph, no pair and no user vector. The joint encoder and the
MLM-only control go on from the same stage 1, read the same batches and take the same
steps. Everything is written to --out; graphs, pairs, encoders and hashtags that are
there are not made again, the embedding and what the tasks measure are.

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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from twitter15_report import compare_hits, render

from tweetclf.estimators import EngagementPredictor
from tweetclf.exceptions import DataError
from tweetclf.features import NgramTfidfVectorizer, TransformerVectorizer
from tweetclf.leaderboard.statistics import hierarchical_bootstrap, holm
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
from tweetclf.utils.files import write_text_atomic

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


def english_tweets(data: Path) -> list[tuple[str, str, str]]:
    """Return public English tweets: id, text and language."""
    return [
        (f"{name}:{i}", text, "en")
        for name in ENGLISH
        for i, text in enumerate(stream_texts(data / name))
    ]


def stage1_texts(
    tweets: list[tuple[str, str, str]], held_out: set[str], n: int
) -> list[str]:
    """Draw texts for stage 1: none that the hashtag task is measured on."""
    hidden = {text for id_, text, _ in tweets if id_ in held_out}
    texts = [text for _, text, _ in tweets if text not in hidden]
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
    # The same graph of pairs over posts in random order: pairs that share a post hang
    # together, and permuting partners alone would not show that.
    orders = (rng.permutation(len(rows)) for _ in range(1000))
    chance = np.array([share(order[at[:, 0]], order[at[:, 1]]) for order in orders])
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


def hashtags(
    tweets: list[tuple[str, str, str]], sizes: dict[str, Any], out: Path
) -> tuple[dict[str, Any], set[str]]:
    """Build the hashtag task of the tweets; return it, and ids of its dev and test."""
    if not (out / "hashtags").exists():
        build_hashtag_set(tweets, out / "hashtags", **sizes)
    task, held_out = {}, set()
    for name in ("train", "dev", "test"):
        rows = [r for _, r in read_jsonl(out / "hashtags" / "en" / f"{name}.jsonl")]
        task[name] = ([r["text"] for r in rows], np.array([r["label"] for r in rows]))
        if name != "train":
            held_out |= {r["id"] for r in rows}
    return task, held_out


class Hits(NamedTuple):
    """HITS@10 of one encoder: the mean of the runs for each engagement, their median.

    `posts` are the posts of the engagements; a predictor that says the same of all has
    `chance`, among `n_candidates` other posts on the mean.
    """

    mean: NDArray[np.float64]
    posts: NDArray[np.int64]
    median: float
    n_candidates: float
    chance: float


def engagement_hits(
    path: Path,
    posts: Posts,
    graph: EngagementGraph,
    users: dict[str, NDArray[np.float32]],
    sizes: dict[str, Any],
) -> Hits:
    """Rank the test engagements among the test posts, in several runs.

    Users who engaged with no training post have no vector; their engagements are left
    out, alike for all encoders. Test posts are fewer than the paper's 999 candidates.
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
    ranked = []
    for run in range(sizes["n_runs"]):
        predictor = EngagementPredictor(max_iter=sizes["max_iter"], random_state=run)
        predictor.fit(parts["train"], X_val=parts["dev"], **given)
        ranked.append(predictor.rank(parts["test"], **given))
    return Hits(
        np.mean([run.hits for run in ranked], axis=0),
        parts["test"][:, 1],
        float(np.median([run.mean for run in ranked])),
        ranked[0].n_candidates,
        ranked[0].chance,
    )


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
    hits: dict[str, list[Hits]] = {
        kind: [engagements(encoders[kind, seed]) for seed in seeds] for kind in KINDS
    }
    one = hits["joint"][0]
    result["engagement"] = {
        **{kind: [run.median for run in runs] for kind, runs in hits.items()},
        **compare_hits(
            {kind: [run.mean for run in runs] for kind, runs in hits.items()},
            one.posts,
            n,
        ),
        "n_engagements": len(one.posts),
        "n_candidates": one.n_candidates,
        "chance": one.chance,
    }
    # Three questions are asked: one of them is "significant" soon enough.
    adjusted = holm(np.array([entry["p"] for entry in result.values()]))
    for entry, p in zip(result.values(), adjusted.tolist(), strict=True):
        entry["p_holm"] = p
    return result


def keep_config(config: dict[str, Any], out: Path) -> None:
    """Refuse a folder whose parts were made with other sizes."""
    kept, text = out / "config.json", json.dumps(config, indent=1) + "\n"
    if not kept.exists() and any(out.iterdir()):
        raise DataError(f"{out} holds something else; choose another --out.")
    if kept.exists() and kept.read_text("utf-8") != text:
        raise DataError(
            f"{out} holds parts of another configuration, see {kept}; choose another "
            "--out, or remove it."
        )
    write_text_atomic(kept, text)


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
    keep_config(config, args.out)
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
    tweets = english_tweets(args.data)
    tagged, held_out = hashtags(tweets, config["hashtags"], args.out)
    texts = stage1_texts(tweets, held_out, config["encoder"]["n_texts"])
    encoders = train_encoders(posts, texts, pairs, config, args.out)
    tasks = {"verdict": verdicts(posts), "hashtags": tagged}
    result["tasks"] = measure(
        encoders,
        posts,
        tasks,
        lambda path: engagement_hits(path, posts, whole, users, config["engagement"]),
        config,
    )
    result["seconds of this run"] = time.perf_counter() - began
    write_text_atomic(args.out / "result.json", json.dumps(result, indent=1) + "\n")
    write_text_atomic(args.out / "result.md", render(result))
    print(render(result))


if __name__ == "__main__":
    main()
