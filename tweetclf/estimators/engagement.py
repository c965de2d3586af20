"""Will a user engage with a post? Two linear maps over frozen vectors (TwHIN-BERT)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from tweetclf.estimators._engagement_inputs import (
    are_features,
    count_posts,
    hold_out,
    matrix,
)
from tweetclf.estimators._seeds import inner_seed
from tweetclf.exceptions import DataError
from tweetclf.features import TransformerVectorizer
from tweetclf.social.engagement import (
    RankedEngagements,
    check_engagements,
    rank_engagements,
)
from tweetclf.utils._sklearn import HasMethods, Interval, StrOptions, _fit_context
from tweetclf.utils.optional import import_optional
from tweetclf.utils.validation import check_texts

__all__ = ["EngagementPredictor"]

# Zhang et al. 2023 freeze the model under test and join first and mean state.
_DEFAULT_MODEL = "Twitter/twhin-bert-base"


class EngagementPredictor(BaseEstimator):
    """Predict engagements from vectors of users and texts of posts that are new.

    A user's vector and a post's features are each mapped to `n_components` numbers;
    the probability of an engagement is the sigmoid of their product. The features are
    frozen, so that the score tells what they hold.

    Parameters
    ----------
    vectorizer : transformer or None, default=None
        Turns texts into vectors; it is cloned, and fitted on the texts of posts that
        `fit` sees engagements with. None stands for `TransformerVectorizer` of
        "Twitter/twhin-bert-base" with "combined" pooling.
    n_components : int, default=128
        Width of both maps' output.
    n_negatives : int, default=1
        Posts drawn for each engagement, as what the user does not engage with.
    power : float, default=0.75
        Posts are drawn by this power of their engagements in training.
    max_iter : int, default=50
        Epochs at most.
    batch_size : int, default=512
        Engagements in a step, each with its negatives.
    learning_rate : float, default=1e-3
        Rate of Adam.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    early_stopping : bool, default=True
        Keep the epoch of the highest HITS@k on validation engagements, and stop when
        it has not risen for long.
    validation_fraction : float, default=0.1
        Share of the posts whose engagements are held out where `fit` is given none.
    n_iter_no_change : int, default=5
        Epochs without a rise after which training stops.
    k : int, default=10
        How many best count as a hit.
    n_candidates : int, default=999
        Other posts that an engagement's post is ranked among.
    ties : {"expected", "optimistic", "pessimistic"}, default="expected"
        See `tweetclf.social.expected_hits`.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, order, negatives, held-out posts and candidates.
    device : str, default="auto"
        Where the maps are trained. On a CPU they are the same bits for a seed.

    Attributes
    ----------
    user_weights_ : ndarray of float32 of shape (n_user_features, n_components)
        W_u: from a user's vector.
    post_weights_ : ndarray of float32 of shape (n_post_features, n_components)
        W_t: from a post's features.
    vectorizer_ : transformer or None
        The fitted vectorizer; None where features were given.
    history_ : list of dict
        One dict an epoch: loss, rate and, with validation, HITS@k as ``valid_hits``.
    n_iter_ : int
        Epochs that were run.
    classes_ : ndarray
        0 and 1.

    See Also
    --------
    tweetclf.social.rank_engagements : HITS@k, how candidates are drawn.
    tweetclf.estimators.engagement_evaluation : The whole evaluation, median of six.

    Notes
    -----
    Of section 3.2 of the paper: "combined" vectors [CLS; mean], W_u (256 to 128), W_t
    (2H to 128), no biases, negatives by frequency to the power of 3/4, batches of 512,
    a rate of 1e-3, the frozen language model, the best model on validation data. The
    loss is printed with the sign of what is to be maximised; here its negative, the
    mean binary cross-entropy, is minimised.

    The paper is silent on, and here is chosen: one negative an engagement; a draw may
    hit a post that the user does engage with; Adam (decoupled decay of 0); up to 50
    epochs, stopped after 5 without a rise; weights drawn as torch's linear layers are.

    References
    ----------
    X. Zhang et al. TwHIN-BERT. KDD 2023, section 3.2 (arXiv:2209.07562).

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.estimators import EngagementPredictor
    >>> rng = np.random.default_rng(0)
    >>> taste = rng.normal(size=(40, 4))  # users
    >>> topics = rng.normal(size=(30, 4))  # features of posts, in place of texts
    >>> likes = np.argwhere(taste @ topics.T > 2)
    >>> predictor = EngagementPredictor(n_components=4, k=3, random_state=0)
    >>> predictor.fit(likes, user_vectors=taste, texts=topics)
    EngagementPredictor(k=3, n_components=4, random_state=0)
    >>> predictor.predict_proba(likes, user_vectors=taste, texts=topics).shape
    (191, 2)
    """

    user_weights_: NDArray[np.float32]
    post_weights_: NDArray[np.float32]
    vectorizer_: Any
    history_: list[dict[str, Any]]
    n_iter_: int
    classes_: NDArray[np.int64]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "vectorizer": [HasMethods(["fit", "transform"]), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "power": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "k": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "ties": [StrOptions({"expected", "optimistic", "pessimistic"})],
        "random_state": ["random_state"],
        "device": [str],
    }

    def __init__(
        self,
        *,
        vectorizer: Any = None,
        n_components: int = 128,
        n_negatives: int = 1,
        power: float = 0.75,
        max_iter: int = 50,
        batch_size: int = 512,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        k: int = 10,
        n_candidates: int = 999,
        ties: str = "expected",
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
    ) -> None:
        self.vectorizer = vectorizer
        self.n_components = n_components
        self.n_negatives = n_negatives
        self.power = power
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.k = k
        self.n_candidates = n_candidates
        self.ties = ties
        self.random_state = random_state
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: None = None,
        *,
        user_vectors: ArrayLike,
        texts: Any,
        X_val: ArrayLike | None = None,
    ) -> EngagementPredictor:
        """Learn both maps from engagements.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            User and post of each engagement: rows of `user_vectors` and `texts`.
        y : None
            Not used.
        user_vectors : array-like of shape (n_users, n_user_features)
            Of all users, as `TwHINEmbedding` makes them.
        texts : sequence of str, or matrix of shape (n_posts, n_post_features)
            Of all posts; numbers are features, and no vectorizer is used.
        X_val : array-like of int of shape (m, 2), optional
            Engagements to validate on, best with posts that are not in `X`, whether or
            not `early_stopping` is set. By default a share of the posts is held out
            with their engagements.

        Returns
        -------
        EngagementPredictor
            This object.

        Raises
        ------
        DataError
            If engagements name users or posts that are not there, or there is nothing
            to hold out.
        """
        caller = type(self).__name__
        import_optional("torch", extra="neural", caller=caller)
        from tweetclf.estimators._engagement_compute import Job, train

        users = matrix(user_vectors, "user_vectors", caller)
        n_posts = count_posts(texts)
        records = check_engagements(X, len(users), n_posts, caller=caller)
        seed = inner_seed(self.random_state)
        valid = None
        if X_val is not None:
            valid = check_engagements(
                X_val, len(users), n_posts, caller=f"{caller} (X_val)"
            )
        elif self.early_stopping:
            records, valid = hold_out(
                records, self.validation_fraction, seed, caller=caller
            )
        self.vectorizer_ = self._fit_vectorizer(texts, records)
        posts = self.features(texts)
        job = Job(users, posts, records, valid, seed)
        weights, self.history_ = train(self, job)
        self.user_weights_, self.post_weights_ = weights
        self.n_iter_ = len(self.history_)
        self.classes_ = np.array([0, 1])
        return self

    def _fit_vectorizer(self, texts: Any, records: NDArray[np.int64]) -> Any:
        if are_features(texts):
            return None
        vectorizer = self.vectorizer
        if vectorizer is None:
            vectorizer = TransformerVectorizer(
                _DEFAULT_MODEL, pooling="combined", device=self.device
            )
        else:
            vectorizer = clone(vectorizer)
        rows = check_texts(texts, caller=type(self).__name__)
        return vectorizer.fit([rows[i] for i in np.unique(records[:, 1])])

    def features(self, texts: Any) -> NDArray[np.float32]:
        """Return the frozen features of posts, which `texts` may be replaced by.

        Parameters
        ----------
        texts : sequence of str, or matrix of shape (n_posts, n_post_features)
            Posts; features are returned as they are.

        Returns
        -------
        ndarray of float32 of shape (n_posts, n_post_features)
            One row a post.
        """
        check_is_fitted(self, "vectorizer_")
        caller = type(self).__name__
        if are_features(texts):
            return matrix(texts, "texts", caller)
        if self.vectorizer_ is None:
            raise DataError(
                f"{caller} was fitted on features of posts; give such in place of "
                "texts."
            )
        found = self.vectorizer_.transform(check_texts(texts, caller=caller))
        return matrix(found, "vectorizer", caller)

    def states(
        self, *, user_vectors: ArrayLike, texts: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what users and posts are mapped to.

        Parameters
        ----------
        user_vectors : array-like of shape (n_users, n_user_features)
            Vectors of users.
        texts : sequence of str, or matrix of shape (n_posts, n_post_features)
            Posts, as in `fit`.

        Returns
        -------
        users : ndarray of float32 of shape (n_users, n_components)
            One row a user.
        posts : ndarray of float32 of shape (n_posts, n_components)
            One row a post.
        """
        check_is_fitted(self, "user_weights_")
        caller = type(self).__name__
        users = matrix(user_vectors, "user_vectors", caller)
        posts = self.features(texts)
        for what, given, weights in (
            ("user_vectors", users, self.user_weights_),
            ("texts", posts, self.post_weights_),
        ):
            if given.shape[1] != len(weights):
                raise DataError(
                    f"{caller}: {what!r} has {given.shape[1]} features, and was "
                    f"fitted with {len(weights)}."
                )
        return users @ self.user_weights_, posts @ self.post_weights_

    def decision_function(
        self, X: ArrayLike, *, user_vectors: ArrayLike, texts: Any
    ) -> NDArray[np.float32]:
        """Return the product of the states of user and post of each row.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            Users and posts, by their rows.
        user_vectors, texts
            As in `fit`; they may be others than there.

        Returns
        -------
        ndarray of float32 of shape (n,)
            Above 0 where an engagement is more likely than not.
        """
        users, posts = self.states(user_vectors=user_vectors, texts=texts)
        caller = type(self).__name__
        rows = check_engagements(X, len(users), len(posts), caller=caller)
        return np.einsum("nd,nd->n", users[rows[:, 0]], posts[rows[:, 1]])

    def predict_proba(
        self, X: ArrayLike, *, user_vectors: ArrayLike, texts: Any
    ) -> NDArray[np.float64]:
        """Return the probability of no engagement and of one.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            Users and posts, by their rows.
        user_vectors, texts
            As in `fit`; they may be others than there.

        Returns
        -------
        ndarray of float64 of shape (n, 2)
            Rows sum to 1. They are relative to the negatives of training.
        """
        scores = self.decision_function(X, user_vectors=user_vectors, texts=texts)
        likely = expit(scores.astype(np.float64))
        return np.column_stack([1 - likely, likely])

    def predict(
        self, X: ArrayLike, *, user_vectors: ArrayLike, texts: Any
    ) -> NDArray[np.int64]:
        """Return 1 where an engagement is more likely than not, else 0.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            Users and posts, by their rows.
        user_vectors, texts
            As in `fit`; they may be others than there.
        """
        scores = self.decision_function(X, user_vectors=user_vectors, texts=texts)
        return self.classes_[(scores > 0).astype(int)]

    def rank(
        self,
        X: ArrayLike,
        *,
        user_vectors: ArrayLike,
        texts: Any,
        pool: ArrayLike | None = None,
        known: ArrayLike | None = None,
        seed: int = 0,
    ) -> RankedEngagements:
        """Rank the post of each engagement among others.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            Engagements.
        user_vectors, texts
            As in `fit`; they may be others than there.
        pool, known, seed
            See `tweetclf.social.rank_engagements`. The candidates depend on `seed`,
            not on `random_state`: all predictors rank the same.

        Returns
        -------
        RankedEngagements
            Whether each was a hit.
        """
        users, posts = self.states(user_vectors=user_vectors, texts=texts)
        return rank_engagements(
            users,
            posts,
            X,
            k=self.k,
            n_candidates=self.n_candidates,
            pool=pool,
            known=known,
            ties=self.ties,  # type: ignore[arg-type]
            seed=seed,
        )

    def score(
        self, X: ArrayLike, y: None = None, *, user_vectors: ArrayLike, texts: Any
    ) -> float:
        """Return HITS@k; see `rank`.

        Parameters
        ----------
        X : array-like of int of shape (n, 2)
            Engagements.
        y : None
            Not used.
        user_vectors, texts
            As in `fit`; they may be others than there.
        """
        return self.rank(X, user_vectors=user_vectors, texts=texts).mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.target_tags.required = False
        return tags
