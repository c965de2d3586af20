"""An estimator that hears of no error; processes import it without all batteries."""

from __future__ import annotations

from typing import Any

from tweetclf.preprocessing import TweetNormalizer


class DeafNormalizer(TweetNormalizer):
    """Takes anything for texts."""

    def transform(self, X: Any) -> Any:
        return super().transform([str(text) for text in X])
