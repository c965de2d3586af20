"""Engagement graphs: who liked what, their embedding, and posts that are alike."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.social.edges import Edges
    from tweetclf.social.embedding import TwHINEmbedding
    from tweetclf.social.graph import EngagementGraph
    from tweetclf.social.ranking import (
        LinkPrediction,
        popularity_baseline,
        rank_links,
    )
    from tweetclf.social.similar import SimilarPairs, mine_similar_pairs
    from tweetclf.social.statistics import (
        DegreeStatistics,
        GraphStatistics,
        PowerLaw,
        fit_power_law,
    )

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "DegreeStatistics": "tweetclf.social.statistics",
        "Edges": "tweetclf.social.edges",
        "EngagementGraph": "tweetclf.social.graph",
        "GraphStatistics": "tweetclf.social.statistics",
        "LinkPrediction": "tweetclf.social.ranking",
        "PowerLaw": "tweetclf.social.statistics",
        "SimilarPairs": "tweetclf.social.similar",
        "TwHINEmbedding": "tweetclf.social.embedding",
        "fit_power_law": "tweetclf.social.statistics",
        "mine_similar_pairs": "tweetclf.social.similar",
        "popularity_baseline": "tweetclf.social.ranking",
        "rank_links": "tweetclf.social.ranking",
    },
)

__all__ = [
    "DegreeStatistics",
    "Edges",
    "EngagementGraph",
    "GraphStatistics",
    "LinkPrediction",
    "PowerLaw",
    "SimilarPairs",
    "TwHINEmbedding",
    "fit_power_law",
    "mine_similar_pairs",
    "popularity_baseline",
    "rank_links",
]
