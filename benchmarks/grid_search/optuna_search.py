"""Optuna over a space with conditions: options that exist for some learners only.

``FoldCache`` serves here as it does in scikit-learn: trials that share a vectorizer
share its features. ``tweetclf search --strategy tpe`` does this with a journal on disk.

    python optuna_search.py
    python optuna_search.py --task tweeteval-irony --trials 100

Needs ``pip install optuna``.
"""

from __future__ import annotations

import argparse

import optuna
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from tweetclf import load_task
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.leaderboard import FoldCache


def make_pipeline(trial: optuna.Trial, cache: FoldCache) -> Pipeline:
    """Make the pipeline that a trial asks for."""
    analyzer = trial.suggest_categorical("analyzer", ["word", "char"])
    longest = trial.suggest_int(f"{analyzer}_n", 1, 2 if analyzer == "word" else 5)
    C = trial.suggest_float("C", 1e-2, 1e2, log=True)
    if trial.suggest_categorical("learner", ["svm", "lr"]) == "svm":
        loss = trial.suggest_categorical("loss", ["hinge", "squared_hinge"])
        learner = LinearSVC(C=C, loss=loss, max_iter=20_000, random_state=0)
    else:
        learner = LogisticRegression(C=C, solver="newton-cg")
    vectorizer = NgramTfidfVectorizer(analyzer=analyzer, ngram_range=(1, longest))
    return Pipeline([("tfidf", vectorizer), ("learner", learner)], memory=cache)


def main() -> None:
    """Run the study and print its best trials."""
    parser = argparse.ArgumentParser(description="Optuna over a conditional space.")
    parser.add_argument("--task", default="sample-humor", help="see 'tweetclf tasks'")
    parser.add_argument("--data-dir", help="folder of the public datasets")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--folds", type=int, default=3)
    args = parser.parse_args()

    task = load_task(args.task, data_dir=args.data_dir)
    texts, labels = list(task.train.texts), task.train.labels
    cache = FoldCache(texts)
    folds = StratifiedKFold(args.folds, shuffle=True, random_state=0)

    def objective(trial: optuna.Trial) -> float:
        pipeline = make_pipeline(trial, cache)
        scores = cross_val_score(pipeline, texts, labels, scoring=task.scorer, cv=folds)
        return float(scores.mean())

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=0)
    # The scorer of an error is its negative: greater is better for all.
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=args.trials)
    for trial in sorted(study.trials, key=lambda trial: -trial.value)[:5]:
        print(f"{trial.value:.3f}  {trial.params}")


if __name__ == "__main__":
    main()
