"""Engagement graphs: who liked what, their embedding, and sets made of them."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.social._tweets import Tweet, TweetFiles
    from tweetclf.social.edges import Edges
    from tweetclf.social.embedding import TwHINEmbedding
    from tweetclf.social.engagement import (
        NegativePosts,
        RankedEngagements,
        draw_candidates,
        expected_hits,
        rank_engagements,
        split_by_post,
    )
    from tweetclf.social.engagement_sets import (
        EngagementSet,
        EngagementSetReport,
        build_engagement_set,
        pseudonym,
        read_engagement_set,
    )
    from tweetclf.social.graph import EngagementGraph
    from tweetclf.social.hashtags import HashtagSet, HashtagSetReport, build_hashtag_set
    from tweetclf.social.language import fasttext_detector
    from tweetclf.social.pair_corpus import PairCorpusReport, write_pair_corpus
    from tweetclf.social.ranking import LinkPrediction, popularity_baseline, rank_links
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
        "EngagementSet": "tweetclf.social.engagement_sets",
        "EngagementSetReport": "tweetclf.social.engagement_sets",
        "GraphStatistics": "tweetclf.social.statistics",
        "HashtagSet": "tweetclf.social.hashtags",
        "HashtagSetReport": "tweetclf.social.hashtags",
        "LinkPrediction": "tweetclf.social.ranking",
        "NegativePosts": "tweetclf.social.engagement",
        "PairCorpusReport": "tweetclf.social.pair_corpus",
        "PowerLaw": "tweetclf.social.statistics",
        "RankedEngagements": "tweetclf.social.engagement",
        "SimilarPairs": "tweetclf.social.similar",
        "TwHINEmbedding": "tweetclf.social.embedding",
        "Tweet": "tweetclf.social._tweets",
        "TweetFiles": "tweetclf.social._tweets",
        "build_engagement_set": "tweetclf.social.engagement_sets",
        "build_hashtag_set": "tweetclf.social.hashtags",
        "draw_candidates": "tweetclf.social.engagement",
        "expected_hits": "tweetclf.social.engagement",
        "fasttext_detector": "tweetclf.social.language",
        "fit_power_law": "tweetclf.social.statistics",
        "mine_similar_pairs": "tweetclf.social.similar",
        "popularity_baseline": "tweetclf.social.ranking",
        "pseudonym": "tweetclf.social.engagement_sets",
        "rank_engagements": "tweetclf.social.engagement",
        "rank_links": "tweetclf.social.ranking",
        "read_engagement_set": "tweetclf.social.engagement_sets",
        "split_by_post": "tweetclf.social.engagement",
        "write_pair_corpus": "tweetclf.social.pair_corpus",
    },
)

__all__ = [
    "DegreeStatistics",
    "Edges",
    "EngagementGraph",
    "EngagementSet",
    "EngagementSetReport",
    "GraphStatistics",
    "HashtagSet",
    "HashtagSetReport",
    "LinkPrediction",
    "NegativePosts",
    "PairCorpusReport",
    "PowerLaw",
    "RankedEngagements",
    "SimilarPairs",
    "TwHINEmbedding",
    "Tweet",
    "TweetFiles",
    "build_engagement_set",
    "build_hashtag_set",
    "draw_candidates",
    "expected_hits",
    "fasttext_detector",
    "fit_power_law",
    "mine_similar_pairs",
    "popularity_baseline",
    "pseudonym",
    "rank_engagements",
    "rank_links",
    "read_engagement_set",
    "split_by_post",
    "write_pair_corpus",
]
