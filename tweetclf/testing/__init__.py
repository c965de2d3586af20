"""The check battery for text estimators.

scikit-learn's own battery runs one check on an estimator whose X is text; this one
runs more than a hundred, on classifiers, regressors, multi-label and pair
estimators and text transformers. ``python -m tweetclf.testing`` prints how many for
each public estimator.
"""

from typing import TYPE_CHECKING

from tweetclf.utils.lazy import attach

if TYPE_CHECKING:
    from tweetclf.testing._models import make_tiny_transformer
    from tweetclf.testing.battery import (
        Check,
        CheckFailedError,
        CheckResult,
        check_text_estimator,
        parametrize_with_text_checks,
        yield_checks,
    )

__getattr__, __dir__, _names = attach(
    __name__,
    {
        **dict.fromkeys(
            (
                "Check",
                "CheckFailedError",
                "CheckResult",
                "check_text_estimator",
                "parametrize_with_text_checks",
                "yield_checks",
            ),
            "tweetclf.testing.battery",
        ),
        "make_tiny_transformer": "tweetclf.testing._models",
    },
)

__all__ = [
    "Check",
    "CheckFailedError",
    "CheckResult",
    "check_text_estimator",
    "make_tiny_transformer",
    "parametrize_with_text_checks",
    "yield_checks",
]
