# %% [markdown]
# # Classify tweets, and look at what the classifier learned
#
# A published system is a plain scikit-learn pipeline: fit it, predict with it, take it
# apart.

# %%
from tweetclf import load_task
from tweetclf.estimators import NBSVMClassifier, atalaya_svm

task = load_task("sample-sentiment")
print(task)
print(task.train.texts[0], "->", task.train.labels[0])

# %%
clf = atalaya_svm(without="emb").fit(*task.train)
predicted = clf.predict(list(task.test.texts))
print(f"{task.metric.signature()}: {task.metric(task.test.labels, predicted):.3f}")

# %% [markdown]
# NBSVM multiplies every n-gram by its log-count ratio. The largest weights say what
# speaks for a class.

# %%
nbsvm = NBSVMClassifier().fit(*task.train)
names = nbsvm.vectorizer_.get_feature_names_out()
for label, weights in zip(nbsvm.classes_, nbsvm.coef_, strict=True):
    top = weights.argsort()[::-1][:8]
    print(f"{label:5}", ", ".join(names[top]))
