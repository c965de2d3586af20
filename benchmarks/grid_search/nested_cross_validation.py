"""Nested cross-validation: the score of a system together with the way it is tuned.

The best score of a grid is flattered, as the setting was chosen on the tweets that it
is scored on. Here the inner search sees a part of the tweets only, and its choice is
scored on the rest; the difference is what tuning had seemed to give.

    python nested_cross_validation.py
    python nested_cross_validation.py --task tweeteval-irony --jobs 2
"""

from __future__ import annotations

import argparse

from sklearn.model_selection import StratifiedKFold, cross_validate

from tweetclf import load_task
from tweetclf.estimators import char_svm
from tweetclf.leaderboard import CachedGridSearchCV


def main() -> None:
    """Run both searches and print their scores."""
    parser = argparse.ArgumentParser(description="Nested cross-validation.")
    parser.add_argument("--task", default="sample-humor", help="see 'tweetclf tasks'")
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--outer", type=int, default=4, help="outer folds")
    parser.add_argument("--inner", type=int, default=3, help="inner folds")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()

    task = load_task(args.task, data_dir=args.data_dir)
    texts, labels = list(task.train.texts), task.train.labels

    # The search is an estimator: fitting it means to tune, too. GridSearchCV does as
    # well; this one computes features once a fold.
    search = CachedGridSearchCV(
        char_svm(),
        {"tfidf__ngram_range": [(1, 3), (2, 4)], "svm__C": [0.1, 1.0, 10.0]},
        scoring=task.scorer,
        cv=StratifiedKFold(args.inner, shuffle=True, random_state=1),
        n_jobs=args.jobs,
    )
    outer = StratifiedKFold(args.outer, shuffle=True, random_state=0)
    nested = cross_validate(
        search, texts, labels, scoring=task.scorer, cv=outer, return_estimator=True
    )
    # The scorer of an error is its negative: greater is better for all.
    sign = 1 if task.metric.greater_is_better else -1
    scores = sign * nested["test_score"]
    for score, fitted in zip(scores, nested["estimator"], strict=True):
        print(f"{score:.3f}  chosen inside: {fitted.best_params_}")
    print(f"nested: {scores.mean():.3f} +- {scores.std(ddof=1):.3f} over folds")

    flat = search.fit(texts, labels)
    print(f"best cell of one search over all: {sign * flat.best_score_:.3f}")
    print(f"setting to use from now on: {flat.best_params_}")


if __name__ == "__main__":
    main()
