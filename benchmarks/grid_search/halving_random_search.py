"""``HalvingRandomSearchCV``: many settings on few tweets, the best on all of them.

Its trials depend on each other and are scored on different numbers of tweets, so that
curves of expected performance do not apply to it: see docs/sweeps.md.

    python halving_random_search.py
    python halving_random_search.py --task tweeteval-irony --candidates 60 --jobs 2
"""

from __future__ import annotations

import argparse

from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, StratifiedKFold

from tweetclf import load_task
from tweetclf.estimators import nbsvm


def main() -> None:
    """Run the search and print its rounds."""
    parser = argparse.ArgumentParser(description="Successive halving.")
    parser.add_argument("--task", default="sample-humor", help="see 'tweetclf tasks'")
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--candidates", type=int, default=9)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()

    task = load_task(args.task, data_dir=args.data_dir)
    texts, labels = list(task.train.texts), task.train.labels
    search = HalvingRandomSearchCV(
        nbsvm(),
        {
            "nbsvm__C": loguniform(1e-2, 1e2),
            "nbsvm__beta": [0.0, 0.25, 0.5, 1.0],
            "counts__ngram_range": [(1, 1), (1, 2), (1, 3)],
        },
        n_candidates=args.candidates,
        factor=3,
        min_resources=max(40, len(texts) // 9),
        scoring=task.scorer,
        cv=StratifiedKFold(args.folds, shuffle=True, random_state=0),
        random_state=0,
        n_jobs=args.jobs,
    )
    search.fit(texts, labels)
    results = search.cv_results_
    for round_, (n, size) in enumerate(
        zip(search.n_candidates_, search.n_resources_, strict=True)
    ):
        best = results["mean_test_score"][results["iter"] == round_].max()
        print(f"round {round_}: {n:3} settings on {size:6,} tweets, best {best:.3f}")
    print(f"chosen: {search.best_params_}")


if __name__ == "__main__":
    main()
