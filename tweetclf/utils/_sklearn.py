"""The only door to private names of scikit-learn.

When a release moves one of them, this file is the one to mend.
"""

from sklearn.base import _fit_context
from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

__all__ = [
    "SIMPLE_METHODS",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "MetadataRequest",
    "Options",
    "StrOptions",
    "_check_feature_names_in",
    "_check_sample_weight",
    "_fit_context",
    "validate_params",
]
