"""Text to text and text to tokens: normalisers, the tweet tokenizer, named profiles."""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.preprocessing.normalizer import TweetNormalizer
    from tweetclf.preprocessing.parallel import transform_parallel
    from tweetclf.preprocessing.profiles import (
        Profile,
        get_profile,
        list_profiles,
        profile_changes,
    )
    from tweetclf.preprocessing.tokenizer import TweetTokenizer
    from tweetclf.preprocessing.twilbert import TwilbertNormalizer
    from tweetclf.preprocessing.ulmfit import ULMFiTNormalizer
    from tweetclf.preprocessing.words import negation_cues, stop_words

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "Profile": "tweetclf.preprocessing.profiles",
        "TweetNormalizer": "tweetclf.preprocessing.normalizer",
        "TweetTokenizer": "tweetclf.preprocessing.tokenizer",
        "TwilbertNormalizer": "tweetclf.preprocessing.twilbert",
        "ULMFiTNormalizer": "tweetclf.preprocessing.ulmfit",
        "get_profile": "tweetclf.preprocessing.profiles",
        "list_profiles": "tweetclf.preprocessing.profiles",
        "negation_cues": "tweetclf.preprocessing.words",
        "profile_changes": "tweetclf.preprocessing.profiles",
        "stop_words": "tweetclf.preprocessing.words",
        "transform_parallel": "tweetclf.preprocessing.parallel",
    },
)

__all__ = [
    "Profile",
    "TweetNormalizer",
    "TweetTokenizer",
    "TwilbertNormalizer",
    "ULMFiTNormalizer",
    "get_profile",
    "list_profiles",
    "negation_cues",
    "profile_changes",
    "stop_words",
    "transform_parallel",
]
