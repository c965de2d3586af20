# %% [markdown]
# # Put your own system on a leaderboard
#
# A system is a row of data: a name, a factory, a source. Registered, it is run, stored,
# tested and reported like the others.

# %%
import tempfile

from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline

from tweetclf import load_task
from tweetclf.features import NgramTfidfVectorizer
from tweetclf.leaderboard import RunStore, System, get_system, run_leaderboard
from tweetclf.reports.publish import publish


def complement_nb(*, alpha: float = 1.0):
    """Complement Naive Bayes on words, which no paper of ours claims."""
    return make_pipeline(NgramTfidfVectorizer(), ComplementNB(alpha=alpha))


# A script that is run is the module "__main__".
mine = System(
    name="complement-nb",
    target=f"{complement_nb.__module__}:complement_nb",
    description="Complement Naive Bayes on words",
    source="Rennie et al., ICML 2003",
)

# %%
with tempfile.TemporaryDirectory() as folder:
    store = RunStore(f"{folder}/runs")
    outcome = run_leaderboard(
        [load_task("sample-sentiment"), load_task("sample-humor")],
        [get_system("majority"), get_system("tfidf-lr"), mine],
        store,
    )
    leaderboard, paths = publish(
        outcome.records, store, f"{folder}/report", n_resamples=500
    )
    for board in leaderboard.boards:
        print(board.facts.name, f"({board.n_scored} tweets)")
        for entry in board.entries:
            interval = f"[{entry.low:.3f}, {entry.high:.3f}]"
            print(f"  {entry.rank} {entry.system:15} {entry.score:.3f} {interval}")
