"""Check the label that says which profile the options of an estimator come from."""

from __future__ import annotations

import warnings
from typing import Any

from tweetclf.exceptions import TweetclfWarning, UnknownNameError
from tweetclf.preprocessing.profiles import get_profile, profile_changes

__all__ = ["check_label"]

_MOST_NAMED = 4


def check_label(estimator: Any) -> None:
    """Refuse names of no profile, and warn where a label promises what is not done.

    ``name@version`` is what profiles write themselves: their options are all spelt
    out then, and any of them may have been changed on purpose (by a grid search, say).
    A name without a version was typed by somebody who may take it for a switch.

    Parameters
    ----------
    estimator : estimator of this package
        A normaliser or tokenizer with a `profile`.

    Raises
    ------
    UnknownNameError
        If there is no profile of the name.
    """
    name = estimator.profile
    if name is None:
        return
    who = type(estimator).__name__
    if "@" in name:
        try:
            get_profile(name)
        except UnknownNameError as error:
            # A model saved by another release does what its options say, here too.
            _warn(
                f"{who}: the label profile={name!r} is not known here, so the options "
                f"cannot be compared with the profile's; they are used as they are. "
                f"{error}"
            )
        return
    profile = get_profile(name)
    changes = profile_changes(estimator)
    different = [
        option
        for option, (_, value) in changes.items()
        if option not in ("profile", "normalizer__profile")
        and (option, value) not in (("normalizer", name), ("normalizer", profile.id))
    ]
    if not different:
        return
    splits = "normalizer" in estimator.get_params()
    make = "make_tokenizer" if splits else "make_normalizer"
    named = ", ".join(different[:_MOST_NAMED])
    more = len(different) - _MOST_NAMED
    _warn(
        f"{who}: profile={name!r} is a label and sets no option; "
        f"{named}{f' and {more} more' if more > 0 else ''} differ from the profile. "
        f"Use get_profile({name!r}).{make}() for its options, or "
        f"profile={profile.id!r} if they were changed on purpose."
    )


def _warn(message: str) -> None:
    warnings.warn(message, TweetclfWarning, stacklevel=5)
