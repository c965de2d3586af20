"""``GridSearchCV`` over a whole Atalaya pipeline: preprocessing, n-grams and learner.

Every option of every step is a parameter of the pipeline, so that one grid chooses
them together, inside the folds. ``FoldCache`` remembers the features of each fold;
without it the scores are the same, and every cell computes its features anew.

    python grid_search_atalaya.py
    python grid_search_atalaya.py --task hateval-es --jobs 2 --figure grid.png
"""

from __future__ import annotations

import argparse

from sklearn.model_selection import GridSearchCV, StratifiedKFold

from tweetclf import load_task
from tweetclf.estimators import atalaya_svm
from tweetclf.leaderboard import FoldCache


def main() -> None:
    """Run the search and print its best cells."""
    parser = argparse.ArgumentParser(description="Grid search over a whole pipeline.")
    parser.add_argument("--task", default="sample-humor", help="see 'tweetclf tasks'")
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--figure", help="draw a heat map to this file")
    args = parser.parse_args()

    task = load_task(args.task, data_dir=args.data_dir)
    texts, labels = list(task.train.texts), task.train.labels

    # Without the word vectors, which take the longest and need gensim.
    pipeline = atalaya_svm(without="emb", language=task.language)
    pipeline.set_params(memory=FoldCache(texts))
    grid = {
        "features__bow__tokenizer__lemmatizer": ["simplemma", None],
        "features__boc__ngram_range": [(1, 4), (1, 5)],
        "svm__C": [0.01, 0.1, 1.0],
    }
    if task.language == "es":
        grid["features__bow__tokenizer__negation"] = [True, False]

    search = GridSearchCV(
        pipeline,
        grid,
        scoring=task.scorer,
        cv=StratifiedKFold(args.folds, shuffle=True, random_state=0),
        n_jobs=args.jobs,
    )
    search.fit(texts, labels)

    results = search.cv_results_
    scores = results["mean_test_score"]
    for cell in scores.argsort()[::-1][:5]:
        setting = ", ".join(
            f"{name.partition('__')[2]}={value}"
            for name, value in results["params"][cell].items()
        )
        spread = results["std_test_score"][cell]
        print(f"{scores[cell]:.3f} +- {spread:.3f}  {setting}")

    # A plain pipeline, to be saved or fitted anew; the test split is scored once.
    model = FoldCache.plain(search.best_estimator_)
    if task.test is not None:
        score = task.metric(task.test.labels, model.predict(list(task.test.texts)))
        print(f"best of {len(scores)} cells on the test split: {score:.3f}")

    if args.figure:
        import matplotlib

        matplotlib.use("Agg")
        from tweetclf.reports.displays import SweepHeatmapDisplay

        display = SweepHeatmapDisplay.from_trials(results["params"], scores)
        display.figure_.savefig(args.figure, dpi=150)


if __name__ == "__main__":
    main()
