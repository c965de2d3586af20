"""What to do next with a task, in words: rules over measured facts, and their reasons.

The thresholds are rules of thumb, named here and in docs/advise.md; every reason says
the figures it rests on, so that a reader may judge otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Action", "Facts", "choose_actions"]

MIN_ROWS = 200
"""Below so many labels no score is worth a decision."""

MIN_CLASS = 10
"""Below so many labels of a class its share of a score is chance."""

LEAK_SHARE = 0.01
"""Share of scored rows that stand in train, from which on scores are too good."""

CONTRADICTION_SHARE = 0.02
"""Share of rows whose text also has another label, from which on labels come first."""

SUSPECT_SHARE = 0.02
"""The same for labels that the model is nearly sure are wrong."""


@dataclass(frozen=True)
class Action:
    """One thing to do.

    Parameters
    ----------
    key : str
        Name for programs: "label-more", "clean-labels", "remove-duplicates",
        "use-transformer", "try-transformer", "compare-longer" or "stop-here".
    title : str
        What to do, in a few words.
    reason : str
        Why, with the figures.
    """

    key: str
    title: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """What the rules look at.

    Parameters
    ----------
    n_labels : int
        Labels that a final model is trained on.
    smallest : tuple of (str, int) or None
        The rarest class and its rows; None where there are no classes.
    metric : str
        The metric in words.
    unit : str
        What amounts are given in: "points", or the metric's own unit.
    scale : float
        What an amount is multiplied by to be in `unit`.
    margin : float
        Largest difference that does not matter, in units of the score.
    best : str or None
        The best baseline; None where none could be trained.
    n_scored : int
        Scored rows.
    n_leaked : int
        Those of them whose text stands in train.
    n_contradicting, n_rows : int
        Rows whose text has another label elsewhere, of how many.
    n_suspects, n_believed : int
        Labels that the model is nearly sure are wrong, of how many it judged.
    labels : int
        Further labels that are thought of.
    gain : tuple of (float, float, float) or None
        Low end, middle and high end of what they are expected to bring.
    no_gain : str
        Why that is not known.
    rival : str or None
        The transformer, if there is one to compare with.
    rival_difference : tuple of (float, float, float) or None
        Low end, middle and high end of how much better it is than `best`.
    rival_equivalent : bool
        Whether both are equivalent within the margin.
    rival_n : int
        Rows they were compared on.
    rival_detectable : float
        Difference that these rows would show.
    """

    n_labels: int
    smallest: tuple[str, int] | None
    metric: str
    unit: str
    scale: float
    margin: float
    best: str | None
    n_scored: int
    n_leaked: int
    n_contradicting: int
    n_rows: int
    n_suspects: int
    n_believed: int
    labels: int
    gain: tuple[float, float, float] | None
    no_gain: str = ""
    rival: str | None = None
    rival_difference: tuple[float, float, float] | None = None
    rival_equivalent: bool = False
    rival_n: int = 0
    rival_detectable: float = 0.0

    def amount(self, value: float, signed: bool = False) -> str:
        """Write a difference of scores with its unit."""
        scaled = self.scale * value
        digits = ".1f" if self.unit == "points" else ".3g"
        text = f"{scaled:{'+' if signed else ''}{digits}}"
        return f"{text} {self.unit}".replace("-", "\N{MINUS SIGN}")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _count(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * _share(part, whole):.1f} %)"


def _too_few(facts: Facts) -> Action | None:
    if facts.best is None or facts.n_labels < MIN_ROWS:
        reason = (
            f"There are {facts.n_labels:,} labels, which is too few: with fewer than "
            f"{MIN_ROWS} every score below is mostly chance, and no curve can be "
            "followed."
        )
        return Action("label-more", "Label more tweets before anything else", reason)
    if facts.smallest is not None and facts.smallest[1] < MIN_CLASS:
        name, n = facts.smallest
        return Action(
            "label-more",
            f"Label more tweets of the class {name!r}",
            f"It has {n}; with fewer than {MIN_CLASS} it can neither be learned nor "
            "scored.",
        )
    return None


def _leaks(facts: Facts) -> Action | None:
    if _share(facts.n_leaked, facts.n_scored) < LEAK_SHARE:
        return None
    return Action(
        "remove-duplicates",
        "Take the repeated texts out of test",
        f"{_count(facts.n_leaked, facts.n_scored)} scored texts stand in train too: "
        "duplicates leak, and all scores are better than they will be in use.",
    )


def _noise(facts: Facts) -> Action | None:
    contradicting = _share(facts.n_contradicting, facts.n_rows)
    suspects = _share(facts.n_suspects, facts.n_believed)
    reasons = []
    if contradicting >= CONTRADICTION_SHARE:
        reasons.append(
            f"{_count(facts.n_contradicting, facts.n_rows)} rows have a text that has "
            "another label elsewhere"
        )
    if suspects >= SUSPECT_SHARE:
        reasons.append(
            f"of {_count(facts.n_suspects, facts.n_believed)} labels a model trained "
            "without them is nearly sure that they are others"
        )
    if not reasons:
        return None
    said = "; ".join(reasons)
    return Action(
        "clean-labels",
        "Look through the doubtful labels first",
        f"{said[0].upper()}{said[1:]}. Their list is in the audit below. What "
        "contradicts itself cannot be learned, and more labels of the same kind bring "
        "less.",
    )


def _transformer(facts: Facts) -> Action | None:
    if facts.rival is None or facts.rival_difference is None:
        return None
    low, middle, high = facts.rival_difference
    interval = f"{facts.amount(low, True)} to {facts.amount(high, True)}"
    compared = f"on {facts.rival_n:,} tweets, 95 % interval {interval}"
    if facts.rival_equivalent or high < facts.margin:
        return Action(
            "stop-here",
            f"Keep {facts.best}: {facts.rival} is not worth it here",
            f"{facts.rival} differs by {facts.amount(middle, True)} ({compared}), and "
            f"what does not matter was set to {facts.amount(facts.margin)}.",
        )
    if low > 0:
        return Action(
            "use-transformer",
            f"Use {facts.rival}",
            f"It is better than {facts.best} by {facts.amount(middle)} ({compared}). "
            "Whether that is worth its cost is for you to say; the table has both.",
        )
    needed = facts.rival_n * (facts.rival_detectable / facts.margin) ** 2
    return Action(
        "compare-longer",
        f"Do not decide between {facts.best} and {facts.rival} yet",
        f"{facts.rival} differs by {facts.amount(middle, True)} ({compared}), which "
        f"may be chance. About {_round(needed):,} scored tweets would show a "
        f"difference of {facts.amount(facts.margin)}.",
    )


def _round(n: float) -> int:
    """Round up to one digit and a half: what is but roughly known."""
    size = 10 ** max(len(str(int(n))) - 2, 0)
    return int(-(-n // size) * size)


def _labels(facts: Facts) -> Action | None:
    if facts.gain is None:
        return None
    low, middle, high = facts.gain
    reach = (high - low) / 2
    said = (
        f"{facts.labels:,} more labels are expected to bring "
        f"{facts.amount(middle, True).removesuffix(' ' + facts.unit)} ± "
        f"{facts.amount(reach)} of {facts.metric}"
    )
    if middle >= facts.margin and low > 0:
        return Action("label-more", f"Label {facts.labels:,} more tweets", f"{said}.")
    return None


def _rest(facts: Facts) -> Action:
    """Say what is left where labels bring little and nothing is broken."""
    why = f"what more labels would bring is not known: {facts.no_gain}"
    if facts.gain is not None:
        low, middle, high = facts.gain
        why = (
            f"{facts.labels:,} more labels are expected to bring "
            f"{facts.amount(middle, True)} (95 % interval {facts.amount(low, True)} to "
            f"{facts.amount(high, True)})"
        )
        if high < facts.margin:
            why += ", which is less than matters"
    if facts.rival is None:
        return Action(
            "try-transformer",
            "Try a transformer",
            f"{why[0].upper()}{why[1:].rstrip('.')}. A model that has read more than "
            "these tweets is the next thing that may help; give its predictions with "
            "--transformer, and it is compared with these baselines.",
        )
    return Action(
        "stop-here",
        "Stop here",
        f"{why[0].upper()}{why[1:].rstrip('.')}, and {facts.rival} was compared.",
    )


_RULES: tuple[Callable[[Facts], Action | None], ...] = (
    _too_few,
    _leaks,
    _noise,
    _transformer,
    _labels,
)


def choose_actions(facts: Facts) -> tuple[Action, ...]:
    """Return what to do, the most urgent first.

    Parameters
    ----------
    facts : Facts
        What was measured.

    Returns
    -------
    tuple of Action
        At least one. What makes every other figure doubtful comes first: too few
        labels, then leaks, then wrong labels; then the transformer, if one was
        compared; then more labels.
    """
    found = [action for rule in _RULES if (action := rule(facts)) is not None]
    if facts.best is None or facts.n_labels < MIN_ROWS:
        # Nothing else that was measured can be relied on.
        kept = {"remove-duplicates", "clean-labels"}
        return found[0], *(action for action in found[1:] if action.key in kept)
    settled = {"use-transformer", "compare-longer", "stop-here", "label-more"}
    if not any(action.key in settled for action in found):
        found.append(_rest(facts))
    return tuple(found)
