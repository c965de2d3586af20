"""One published score: what it compares with, and the interval it allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["PublishedResult", "wilson_interval"]

# The score is a share of texts, each right or wrong: a binomial proportion.
_SHARES = ("accuracy|", "exact_match|", "f1|average:micro|zero")


def wilson_interval(
    share: float, n: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    share : float
        Observed proportion, 0 to 1.
    n : int
        Number of trials.
    level : float, default=0.95
        Confidence level.

    Returns
    -------
    low, high : float
        Ends of the interval, within 0 and 1.

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
    inference. Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> from tweetclf.tasks.published import wilson_interval
    >>> low, high = wilson_interval(0.731, 1600)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.709 to 0.752
    """
    if not 0 <= share <= 1 or n < 1 or not 0 < level < 1:
        raise ValueError(
            "wilson_interval: share must be within 0 and 1, n at least 1 and level "
            f"between 0 and 1. Got share={share!r}, n={n!r}, level={level!r} instead."
        )
    z = NormalDist().inv_cdf(0.5 + level / 2)
    widen = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / widen
    half = z / widen * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class PublishedResult:
    """One published score.

    Parameters
    ----------
    system, task, split : str
        What was scored on what; the system as the source calls it. `task` is the
        registered task, or empty where none is.
    signature : str
        Signature of the metric; empty where the number is not a score of predictions
        (a rank, a mean over folds or tasks).
    score : float
        The score, shares as 0 to 1 (never percent).
    source : str
        Publication or file, and table.
    note : str
        What one should know before comparing; may be empty.
    version : str
        Version of the dataset that was scored; empty where the source does not say.
    cite : str
        Key of the source in ``references.bib``, or a name of one's own.
    table : str
        Where in the source.
    dataset, language, metric : str
        As the source names them.
    value : float, optional
        The number as printed.
    scale : int, default=1
        What `value` is divided by: 100 where percents are printed.
    n : int, optional
        Number of texts scored, where known.

    See Also
    --------
    published_results : The rows of a task.
    read_published : All rows, or those of a file of one's own.
    """

    system: str
    task: str
    signature: str
    split: str
    score: float
    source: str
    note: str = ""
    version: str = ""
    cite: str = ""
    table: str = ""
    dataset: str = ""
    language: str = ""
    metric: str = ""
    value: float | None = None
    scale: int = 1
    n: int | None = None

    def differences(
        self, *, version: str, split: str, signature: str
    ) -> tuple[str, ...]:
        """Return why this score does not compare with others; empty if it does.

        Scores compare where dataset version, split and metric signature are the same.

        Parameters
        ----------
        version, split, signature : str
            Of the scores to compare with.
        """
        why = []
        if self.signature != signature:
            why.append(f"metric {self.signature or self.metric or 'not stated'}")
        if self.split != split:
            why.append(f"scored on {self.split or 'an unknown split'}, here on {split}")
        if self.version != version:
            said = f"version {self.version}" if self.version else "version not stated"
            why.append(f"data: {said}, here {version}")
        if not math.isfinite(self.score):
            why.append("no score given")
        return tuple(why)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval, reconstructed from score and size; None where it cannot be.

        Wilson's interval: how far the score would move on other texts of this sort.
        No source published it, and it says nothing about other seeds.
        """
        if self.why_no_interval or self.n is None:
            return None
        return wilson_interval(self.score, self.n)

    @property
    def why_no_interval(self) -> str:
        """Why no interval can be reconstructed; empty if it can."""
        if not self.signature.startswith(_SHARES):
            return (
                "the metric is not a share of texts that are right, so its interval "
                "needs the predictions"
            )
        if self.n is None:
            return "the number of scored texts is not known"
        if not 0 <= self.score <= 1:
            return "the score is not a share"
        return ""
