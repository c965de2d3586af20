"""What an engagement graph looks like: counts, degrees, power laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tweetclf.social.graph import EngagementGraph

__all__ = [
    "DegreeStatistics",
    "GraphStatistics",
    "PowerLaw",
    "fit_power_law",
    "graph_statistics",
]

_QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.99)
# Least degrees that are tried, and how many nodes a fit needs.
_CANDIDATES = 40
_LEAST_TAIL = 10


@dataclass(frozen=True)
class PowerLaw:
    """A discrete power law: degrees from `xmin` on occur in proportion to d^-alpha.

    Parameters
    ----------
    alpha : float
        Exponent; the slope of the distribution on logarithmic axes is ``-alpha``.
    xmin : int
        Degree from which on it holds.
    n_tail : int
        Nodes of at least that degree.
    distance : float
        Largest gap between the distribution functions (Kolmogorov-Smirnov).
    """

    alpha: float
    xmin: int
    n_tail: int
    distance: float


@dataclass(frozen=True, eq=False)
class DegreeStatistics:
    """Degrees of the users, or of the posts, of a graph.

    Parameters
    ----------
    degrees, counts : ndarray of int64
        The degrees that occur, ascending, and how many nodes have each.
    mean : float
        Mean degree.
    quantiles : dict of str to int
        "25%", "50%", ...
    power_law : PowerLaw or None
        None where there are too few different degrees.
    """

    degrees: np.ndarray
    counts: np.ndarray
    mean: float
    quantiles: Mapping[str, int]
    power_law: PowerLaw | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "degrees": self.degrees.tolist(),
            "counts": self.counts.tolist(),
            "mean": self.mean,
            "quantiles": dict(self.quantiles),
            "power_law": None if self.power_law is None else asdict(self.power_law),
        }


@dataclass(frozen=True, eq=False)
class GraphStatistics:
    """Counts and degrees of a graph.

    Parameters
    ----------
    n_users, n_posts, n_edges : int
        Counts.
    actions : dict of str to int
        Action -> edges.
    users, posts : DegreeStatistics
        Degrees of either side.
    bad_rows, repeated_rows : int
        Rows of the logs that were no edge, or one that was there already.
    """

    n_users: int
    n_posts: int
    n_edges: int
    actions: Mapping[str, int]
    users: DegreeStatistics
    posts: DegreeStatistics
    bad_rows: int
    repeated_rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "n_users": self.n_users,
            "n_posts": self.n_posts,
            "n_edges": self.n_edges,
            "actions": dict(self.actions),
            "users": self.users.to_dict(),
            "posts": self.posts.to_dict(),
            "bad_rows": self.bad_rows,
            "repeated_rows": self.repeated_rows,
        }

    def to_markdown(self) -> str:
        """Return tables of counts, actions and degrees."""
        lines = [
            "| users | posts | edges | bad rows | repeated rows |",
            "|---|---|---|---|---|",
            f"| {self.n_users:,} | {self.n_posts:,} | {self.n_edges:,} "
            f"| {self.bad_rows:,} | {self.repeated_rows:,} |",
            "",
            "| action | edges |",
            "|---|---|",
        ]
        for action, count in self.actions.items():
            lines.append(f"| {_cell(action)} | {count:,} |")
        names = [f"{q:.0%}" for q in _QUANTILES]
        lines += [
            "",
            f"| degree of | mean | {' | '.join(names)} | largest | power law |",
            "|" + "---|" * (len(names) + 4),
        ]
        for side, found in (("users", self.users), ("posts", self.posts)):
            law = found.power_law
            said = "" if law is None else f"{law.alpha:.2f} from {law.xmin:,} on"
            values = [f"{found.quantiles[name]:,}" for name in names]
            lines.append(
                f"| {side} | {found.mean:.1f} | {' | '.join(values)} "
                f"| {int(found.degrees[-1]):,} | {said} |"
            )
        return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return an action's name so that it cannot break a table, nor be markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|&" else c for c in text)


def fit_power_law(
    degrees: np.ndarray, counts: np.ndarray, *, xmin: int | None = None
) -> PowerLaw | None:
    """Fit a discrete power law to the tail of a degree distribution.

    Parameters
    ----------
    degrees, counts : ndarray of int
        Degrees, ascending, and how many nodes have each.
    xmin : int, optional
        Degree from which on to fit; by default the one of (at most 40) candidates
        that makes the fit closest.

    Returns
    -------
    PowerLaw or None
        None if no tail has two degrees and ten nodes.

    Notes
    -----
    Maximum likelihood with the exact normaliser, the Hurwitz zeta function (Clauset,
    Shalizi & Newman, SIAM Review 51, 2009, equations 3.5 and 3.9). It says how steep
    the tail is, not that it is a power law.

    Examples
    --------
    >>> import numpy as np
    >>> from tweetclf.social import fit_power_law
    >>> degrees = np.arange(1, 2000)
    >>> counts = np.round(1e7 * degrees**-2.5).astype(int)
    >>> law = fit_power_law(degrees, counts, xmin=1)
    >>> round(law.alpha, 2)
    2.5
    """
    seen = counts > 0
    degrees, counts = degrees[seen].astype(np.float64), counts[seen]
    starts = [xmin] if xmin is not None else _starts(degrees, counts)
    fits = [fit for x in starts if (fit := _fit_from(degrees, counts, int(x)))]
    return min(fits, key=lambda fit: (fit.distance, fit.xmin), default=None)


def _starts(degrees: np.ndarray, counts: np.ndarray) -> np.ndarray:
    tail = np.cumsum(counts[::-1])[::-1]
    fitting = degrees[tail >= _LEAST_TAIL]
    if not len(fitting):
        return fitting
    places = np.geomspace(1, len(fitting), _CANDIDATES).astype(int) - 1
    return fitting[np.unique(places)]


def _fit_from(degrees: np.ndarray, counts: np.ndarray, xmin: int) -> PowerLaw | None:
    from scipy.optimize import minimize_scalar
    from scipy.special import zeta

    keep = degrees >= max(xmin, 1)
    x, n = degrees[keep], counts[keep]
    if len(x) < 2 or n.sum() < _LEAST_TAIL:
        return None
    mean_log = float((n * np.log(x)).sum() / n.sum())

    def loss(alpha: float) -> float:
        return float(np.log(zeta(alpha, xmin)) + alpha * mean_log)

    alpha = float(minimize_scalar(loss, bounds=(1.001, 20), method="bounded").x)
    model = 1 - zeta(alpha, x + 1) / zeta(alpha, xmin)
    gap = float(np.abs(np.cumsum(n) / n.sum() - model).max())
    return PowerLaw(alpha, xmin, int(n.sum()), gap)


def _degree_statistics(degrees: np.ndarray) -> DegreeStatistics:
    distinct, counts = np.unique(np.asarray(degrees), return_counts=True)
    ends = np.cumsum(counts)
    places = np.searchsorted(ends, [q * ends[-1] for q in _QUANTILES])
    return DegreeStatistics(
        degrees=distinct,
        counts=counts,
        mean=float((distinct * counts).sum() / ends[-1]),
        quantiles={
            f"{q:.0%}": int(distinct[place])
            for q, place in zip(_QUANTILES, places, strict=True)
        },
        power_law=fit_power_law(distinct, counts),
    )


def graph_statistics(graph: EngagementGraph) -> GraphStatistics:
    """Return the statistics of a graph; see `EngagementGraph.statistics`."""
    n_types = len(graph.actions)
    counts = np.zeros(n_types, dtype=np.int64)
    for part in graph.blocks():
        counts += np.bincount(graph.types[part], minlength=n_types)
    return GraphStatistics(
        n_users=graph.n_users,
        n_posts=graph.n_posts,
        n_edges=graph.n_edges,
        actions=dict(zip(graph.actions, counts.tolist(), strict=True)),
        users=_degree_statistics(graph.user_degrees),
        posts=_degree_statistics(graph.post_degrees),
        bad_rows=int(graph.manifest["bad_rows"]["total"]),
        repeated_rows=int(graph.manifest.get("n_repeats", 0)),
    )
