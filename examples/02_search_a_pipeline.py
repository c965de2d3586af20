# %% [markdown]
# # Search the options of a whole pipeline
#
# Preprocessing is part of the pipeline, so a grid search chooses it together with the
# learner, inside the folds.

# %%
from sklearn.model_selection import GridSearchCV

from tweetclf import load_task
from tweetclf.estimators import atalaya_svm

task = load_task("sample-humor")
search = GridSearchCV(
    atalaya_svm(without="emb"),
    {
        "svm__C": [0.03, 0.1, 0.3],
        "features__bow__tokenizer__negation": [True, False],
    },
    scoring=task.scorer,
    cv=3,
)
search.fit(*task.train)

# %%
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"{score:.3f}  {params}")
test = task.metric(task.test.labels, search.predict(list(task.test.texts)))
print(f"best {search.best_params_}, test {test:.3f}")
