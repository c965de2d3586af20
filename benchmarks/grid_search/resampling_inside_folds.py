"""Resampling inside the folds, as a step of imbalanced-learn's pipeline.

Over-sampling before the folds are made puts copies of a tweet on both sides of the
split: the scores look splendid and mean nothing. As a step of the pipeline it is done
on the training part of each fold alone, and the grid may choose whether it helps. The
last line shows what the mistake would have claimed.

    python resampling_inside_folds.py
    python resampling_inside_folds.py --task tweeteval-hate --jobs 2

Needs ``pip install "tweetclf[resampling]"``.
"""

from __future__ import annotations

import argparse

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC

from tweetclf import load_task
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.leaderboard import FoldCache


def main() -> None:
    """Run the search, then the mistake."""
    parser = argparse.ArgumentParser(description="Resampling inside folds.")
    parser.add_argument("--task", default="sample-humor", help="see 'tweetclf tasks'")
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()

    task = load_task(args.task, data_dir=args.data_dir)
    texts, labels = list(task.train.texts), np.asarray(task.train.labels)
    folds = StratifiedKFold(args.folds, shuffle=True, random_state=0)

    pipeline = Pipeline(
        [
            ("tfidf", NgramTfidfVectorizer(analyzer="char", ngram_range=(1, 4))),
            ("resample", "passthrough"),
            ("svm", LinearSVC(random_state=0)),
        ],
        memory=FoldCache(texts),
    )
    grid = {
        "resample": [
            "passthrough",
            RandomOverSampler(random_state=0),
            RandomUnderSampler(random_state=0),
        ],
        "svm__class_weight": [None, "balanced"],
        "svm__C": [0.1, 1.0],
    }
    search = GridSearchCV(
        pipeline, grid, scoring=task.scorer, cv=folds, n_jobs=args.jobs
    )
    search.fit(texts, labels)
    results = search.cv_results_
    for cell in results["mean_test_score"].argsort()[::-1]:
        setting = results["params"][cell]
        sampler = getattr(setting["resample"], "__class__", type(None)).__name__
        sampler = "none" if setting["resample"] == "passthrough" else sampler
        print(
            f"{results['mean_test_score'][cell]:.3f}  {sampler:18} "
            f"class_weight={setting['svm__class_weight']}, C={setting['svm__C']}"
        )

    # The mistake: copies first, folds afterwards.
    rows, copied = RandomOverSampler(random_state=0).fit_resample(
        np.arange(len(texts)).reshape(-1, 1), labels
    )
    leaking = cross_val_score(
        Pipeline(pipeline.steps).set_params(resample="passthrough"),
        [texts[row] for row in rows.ravel()],
        copied,
        scoring=task.scorer,
        cv=folds,
    )
    print(f"{leaking.mean():.3f}  over-sampled before the folds: do not report this")


if __name__ == "__main__":
    main()
