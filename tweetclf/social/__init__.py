"""Who engages with what: its graph, its embedding, and sets made of it."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.social._tweets import Tweet, TweetFiles
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
    from tweetclf.social.hashtags import (
        HashtagSet,
        HashtagSetReport,
        build_hashtag_set,
    )
    from tweetclf.social.language import fasttext_detector
    from tweetclf.social.pair_corpus import PairCorpusReport, write_pair_corpus

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "EngagementSet": "tweetclf.social.engagement_sets",
        "EngagementSetReport": "tweetclf.social.engagement_sets",
        "HashtagSet": "tweetclf.social.hashtags",
        "HashtagSetReport": "tweetclf.social.hashtags",
        "NegativePosts": "tweetclf.social.engagement",
        "PairCorpusReport": "tweetclf.social.pair_corpus",
        "RankedEngagements": "tweetclf.social.engagement",
        "Tweet": "tweetclf.social._tweets",
        "TweetFiles": "tweetclf.social._tweets",
        "build_engagement_set": "tweetclf.social.engagement_sets",
        "build_hashtag_set": "tweetclf.social.hashtags",
        "draw_candidates": "tweetclf.social.engagement",
        "expected_hits": "tweetclf.social.engagement",
        "fasttext_detector": "tweetclf.social.language",
        "pseudonym": "tweetclf.social.engagement_sets",
        "rank_engagements": "tweetclf.social.engagement",
        "read_engagement_set": "tweetclf.social.engagement_sets",
        "split_by_post": "tweetclf.social.engagement",
        "write_pair_corpus": "tweetclf.social.pair_corpus",
    },
)

__all__ = [
    "EngagementSet",
    "EngagementSetReport",
    "HashtagSet",
    "HashtagSetReport",
    "NegativePosts",
    "PairCorpusReport",
    "RankedEngagements",
    "Tweet",
    "TweetFiles",
    "build_engagement_set",
    "build_hashtag_set",
    "draw_candidates",
    "expected_hits",
    "fasttext_detector",
    "pseudonym",
    "rank_engagements",
    "read_engagement_set",
    "split_by_post",
    "write_pair_corpus",
]
